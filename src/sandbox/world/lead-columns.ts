/** Lays out the leads and what hangs below them: numbers, times and statuses, no content. */
import { MICROS_PER_DAY, MICROS_PER_MINUTE, MICROS_PER_SECOND } from '../moment.js';
import { Random } from '../random.js';
import type { Columns } from './record-table.js';

export interface Span {
  readonly from: number;
  readonly until: number;
}

/** Children of one kind: those of lead `n` have the numbers from `start[n]` up to `start[n + 1]`. */
export interface ChildColumns extends Columns {
  readonly start: Uint32Array;
}

export interface LeadColumns {
  readonly leads: Columns & { readonly status: Uint8Array };
  readonly contacts: ChildColumns;
  readonly opportunities: ChildColumns & { readonly status: Uint8Array };
  /** `completedBy`: one more than the number of the TaskCompleted activity; 0 while open. */
  readonly tasks: ChildColumns & { readonly completedBy: Uint32Array };
}

const STREAM = { times: 10, counts: 11, contact: 12, opportunity: 13, task: 14, edit: 15 } as const;
/** From this many leads on, one import brings a twentieth of them within one minute. */
const IMPORT_FROM_LEADS = 1_000;

/** Most recorded times are whole milliseconds; some places give real microseconds. */
export function roughen(micros: number, random: Random): number {
  const whole = Math.floor(micros / 1_000) * 1_000;
  return random.chance(0.125) ? whole + random.below(1_000) : whole;
}

export function layOutLeads(
  seed: number,
  count: number,
  span: Span,
  statusCount: number,
): LeadColumns {
  const created = leadTimes(seed, count, span);
  const updated = new Float64Array(count);
  const lead = new Uint32Array(count);
  const status = new Uint8Array(count);
  const starts = [
    new Uint32Array(count + 1),
    new Uint32Array(count + 1),
    new Uint32Array(count + 1),
  ];
  const limits = [4, 3, 4];
  for (let index = 0; index < count; index++) {
    const random = new Random(seed, STREAM.counts, index);
    lead[index] = index;
    status[index] = random.below(statusCount);
    starts.forEach((start, kind) => {
      start[index + 1] = (start[index] ?? 0) + random.below((limits[kind] ?? 0) + 1);
    });
    updated[index] = laterEdit(
      created[index] ?? 0,
      span.until,
      0.5,
      new Random(seed, STREAM.edit, index),
    );
  }
  const [contactStart, opportunityStart, taskStart] = starts as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  const leads = { created, updated, lead, status };
  const contacts = layOutChildren(seed, STREAM.contact, contactStart, created, span, 0.9);
  moveLeads(updated, contacts);
  const opportunities = layOutChildren(
    seed,
    STREAM.opportunity,
    opportunityStart,
    created,
    span,
    0.2,
  );
  const tasks = layOutChildren(seed, STREAM.task, taskStart, created, span, 0.2);
  return {
    leads,
    contacts,
    opportunities: { ...opportunities, status: new Uint8Array(opportunities.created.length) },
    tasks: { ...tasks, completedBy: new Uint32Array(tasks.created.length) },
  };
}

function leadTimes(seed: number, count: number, span: Span): Float64Array {
  const random = new Random(seed, STREAM.times, 0);
  const times = new Float64Array(count);
  const length = span.until - span.from;
  const importAt = roughen(span.from + length * 0.6, random);
  const imported = count >= IMPORT_FROM_LEADS ? Math.floor(count / 20) : 0;
  for (let index = 0; index < count; index++) {
    times[index] =
      index < imported
        ? importAt + Math.floor((index * MICROS_PER_MINUTE) / imported / 250_000) * 250_000
        : roughen(span.from + length * random.fraction() ** 1.6, random);
  }
  // The oldest lead is as old as the caller asked for.
  if (count > 0) times[count - 1] = span.from;
  return times.sort();
}

function layOutChildren(
  seed: number,
  stream: number,
  start: Uint32Array,
  leadCreated: Float64Array,
  span: Span,
  shareMadeAtOnce: number,
): ChildColumns {
  const count = start[start.length - 1] ?? 0;
  const created = new Float64Array(count);
  const updated = new Float64Array(count);
  const lead = new Uint32Array(count);
  for (let owner = 0; owner + 1 < start.length; owner++) {
    for (let index = start[owner] ?? 0; index < (start[owner + 1] ?? 0); index++) {
      const random = new Random(seed, stream, index);
      const base = leadCreated[owner] ?? 0;
      const room = Math.max(0, span.until - base);
      const delay = random.chance(shareMadeAtOnce)
        ? Math.min(room, random.below(90) * 1_000)
        : room * random.fraction() * 0.9;
      lead[index] = owner;
      created[index] = roughen(base + delay, random);
      updated[index] = laterEdit(created[index] ?? 0, span.until, 0.3, random);
    }
  }
  return { created, updated, lead, start };
}

/** When the record was last edited: never, soon after, or somewhere up to now. */
export function laterEdit(created: number, until: number, share: number, random: Random): number {
  const room = until - created;
  if (room <= MICROS_PER_SECOND || !random.chance(share)) return created;
  const reach = random.chance(0.5) ? room : Math.min(room, 30 * MICROS_PER_DAY);
  return Math.max(created, roughen(created + reach * random.fraction(), random));
}

/**
 * An edited contact moves its lead's `date_updated`; an edited opportunity does not (observed on a
 * live account, June 2026).
 */
function moveLeads(leadUpdated: Float64Array, contacts: Columns): void {
  contacts.updated.forEach((updated, index) => {
    const owner = contacts.lead[index] ?? 0;
    if (updated > (leadUpdated[owner] ?? 0)) leadUpdated[owner] = updated;
  });
}
