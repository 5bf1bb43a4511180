/**
 * Lays out the activities along time: one walk from the oldest to the newest that gives each its
 * lead and kind, and lets what it stands for happen: statuses move, tasks are completed, emails
 * join threads. Activities are numbered in the order of `date_created`.
 */
import { laterEdit, roughen, type LeadColumns, type Span } from './lead-columns.js';
import { MICROS_PER_DAY, MICROS_PER_SECOND } from '../moment.js';
import { Random } from '../random.js';
import type { Columns } from './record-table.js';

/** The kinds of activity that the sandbox holds, by their number in the columns. */
export const activityTypes = [
  'Call',
  'Email',
  'Note',
  'SMS',
  'Meeting',
  'Created',
  'LeadStatusChange',
  'OpportunityStatusChange',
  'TaskCompleted',
  'Custom',
  'WhatsAppMessage',
  'FormSubmission',
  'LeadMerge',
] as const;
export type ActivityType = (typeof activityTypes)[number];

export function activityTypeNumber(type: ActivityType): number {
  return activityTypes.indexOf(type);
}

/**
 * What an activity refers to, in one number: the thread of an Email, the task of a TaskCompleted,
 * the statuses of a status change (and which of the lead's opportunities).
 */
export function packStatusChange(from: number, to: number, opportunityPosition = 0): number {
  return (opportunityPosition << 16) | (from << 8) | to;
}

export function unpackStatusChange(detail: number): {
  from: number;
  to: number;
  opportunityPosition: number;
} {
  return { from: (detail >>> 8) & 0xff, to: detail & 0xff, opportunityPosition: detail >>> 16 };
}

export interface ActivityColumns extends Columns {
  readonly type: Uint8Array;
  readonly detail: Uint32Array;
  /** One more than the number of the thread's next email; 0 after the last. */
  readonly nextEmail: Uint32Array;
}
export interface ThreadColumns extends Columns {
  readonly firstEmail: Uint32Array;
}

const STREAM = { times: 20, walk: 21 } as const;
const FAR_PAST_SHARE = 0.003;
const FUTURE_SHARE = 0.003;
/** Incoming mail and synchronized meetings carry whole seconds (recorded answers, 2022). */
const WHOLE_SECOND_SHARE = 0.3;
const BULK_SHARE = 0.0005;
const BULK_LENGTH = 40;

export function layOutActivities(
  seed: number,
  count: number,
  span: Span,
  below: LeadColumns,
  counts: { leadStatuses: number; opportunityStatuses: number },
): { activities: ActivityColumns; threads: ThreadColumns } {
  const walk = new ActivityWalk(seed, count, span, below, counts);
  const leadCreated = below.leads.created;
  const withCreated = Math.min(leadCreated.length, Math.floor(count / 4));
  const times = activityTimes(seed, count - withCreated, span);
  let known = 0;
  for (const time of times) {
    while (known < leadCreated.length && (leadCreated[known] ?? 0) <= time) {
      if (known < withCreated) walk.put(leadCreated[known] ?? 0, known, 'Created');
      known++;
    }
    walk.putSome(time, known);
  }
  for (; known < withCreated; known++) walk.put(leadCreated[known] ?? 0, known, 'Created');
  return walk.columns();
}

function activityTimes(seed: number, count: number, span: Span): Float64Array {
  const random = new Random(seed, STREAM.times, 0);
  const times = new Float64Array(count);
  const wholeSecond = (micros: number): number =>
    Math.floor(micros / MICROS_PER_SECOND) * MICROS_PER_SECOND;
  let bulkLeft = 0;
  for (let index = 0; index < count; index++) {
    const kind = random.fraction();
    if (bulkLeft > 0) {
      times[index] = times[index - 1] ?? 0;
      bulkLeft--;
    } else if (kind < FAR_PAST_SHARE) {
      times[index] = wholeSecond(span.from - random.fraction() * 1_500 * MICROS_PER_DAY);
    } else if (kind < FAR_PAST_SHARE + FUTURE_SHARE) {
      times[index] =
        wholeSecond(span.until + random.fraction() * 60 * MICROS_PER_DAY) + MICROS_PER_SECOND;
    } else {
      const time = span.from + (span.until - span.from) * random.fraction();
      times[index] =
        kind < FAR_PAST_SHARE + FUTURE_SHARE + WHOLE_SECOND_SHARE
          ? Math.max(span.from, wholeSecond(time))
          : roughen(time, random);
      if (random.chance(BULK_SHARE)) bulkLeft = random.below(BULK_LENGTH);
    }
  }
  return times.sort();
}

const MIXED: readonly (readonly [number, ActivityType])[] = [
  [0.38, 'Call'],
  [0.6, 'Email'],
  [0.7, 'Note'],
  [0.715, 'Custom'],
  [0.725, 'WhatsAppMessage'],
  [0.73, 'FormSubmission'],
  [0.83, 'SMS'],
  [0.89, 'LeadStatusChange'],
  [0.94, 'OpportunityStatusChange'],
  [1, 'TaskCompleted'],
];

class ActivityWalk {
  private readonly created: Float64Array;
  private readonly updated: Float64Array;
  private readonly lead: Uint32Array;
  private readonly type: Uint8Array;
  private readonly detail: Uint32Array;
  private readonly nextEmail: Uint32Array;
  private readonly threadFirst: number[] = [];
  private readonly threadLast: number[] = [];
  private readonly threadOfLead: Int32Array;
  private readonly tasksDone: Uint8Array;
  private index = 0;

  constructor(
    private readonly seed: number,
    count: number,
    private readonly span: Span,
    private readonly below: LeadColumns,
    private readonly counts: { leadStatuses: number; opportunityStatuses: number },
  ) {
    this.created = new Float64Array(count);
    this.updated = new Float64Array(count);
    this.lead = new Uint32Array(count);
    this.type = new Uint8Array(count);
    this.detail = new Uint32Array(count);
    this.nextEmail = new Uint32Array(count);
    this.threadOfLead = new Int32Array(below.leads.created.length).fill(-1);
    this.tasksDone = new Uint8Array(below.leads.created.length);
  }

  /** An activity of a fitting kind on one of the first `known` leads. */
  putSome(time: number, known: number): void {
    const random = new Random(this.seed, STREAM.walk, this.index);
    const leadCount = this.below.leads.created.length;
    if (leadCount === 0) throw new RangeError('Activities need at least one lead.');
    const lead = random.below(known > 0 ? known : leadCount);
    this.put(time, lead, this.kindFor(time, known, random), random);
  }

  private kindFor(time: number, known: number, random: Random): ActivityType {
    if (time > this.span.until) return 'Meeting';
    if (known === 0) return 'Email';
    if (time % MICROS_PER_SECOND === 0) return random.chance(0.85) ? 'Email' : 'Meeting';
    const draw = random.fraction();
    return MIXED.find(([limit]) => draw < limit)?.[1] ?? 'Note';
  }

  put(time: number, lead: number, wanted: ActivityType, random?: Random): void {
    const index = this.index++;
    const draw = random ?? new Random(this.seed, STREAM.walk, index);
    this.created[index] = time;
    this.lead[index] = lead;
    const settled = this.settle(index, time, lead, wanted, draw);
    this.type[index] = activityTypeNumber(settled.type);
    this.detail[index] = settled.detail;
    this.updated[index] = this.updatedAfter(time, settled.type, draw);
  }

  private settle(
    index: number,
    time: number,
    lead: number,
    wanted: ActivityType,
    random: Random,
  ): { type: ActivityType; detail: number } {
    if (wanted === 'Email') return { type: wanted, detail: this.joinThread(index, lead, random) };
    const detail =
      wanted === 'TaskCompleted'
        ? this.completeTask(index, time, lead)
        : wanted === 'LeadStatusChange'
          ? this.moveLeadStatus(time, lead, random)
          : wanted === 'OpportunityStatusChange'
            ? this.moveOpportunityStatus(time, lead, random)
            : 0;
    return detail === undefined ? { type: 'Note', detail: 0 } : { type: wanted, detail };
  }

  private updatedAfter(time: number, type: ActivityType, random: Random): number {
    if (time > this.span.until) {
      return roughen(this.span.until - random.fraction() * 20 * MICROS_PER_DAY, random);
    }
    if (type === 'Created') return time + 17_000;
    if (type === 'Email' || type === 'Call' || type === 'Note' || type === 'Meeting') {
      const first = Math.max(time, Math.min(this.span.until, time + 5_140_000));
      return laterEdit(first, this.span.until, 0.15, random);
    }
    return time;
  }

  private joinThread(index: number, lead: number, random: Random): number {
    const open = this.threadOfLead[lead] ?? -1;
    if (open >= 0 && random.chance(0.55)) {
      this.nextEmail[this.threadLast[open] ?? 0] = index + 1;
      this.threadLast[open] = index;
      return open;
    }
    const thread = this.threadFirst.push(index) - 1;
    this.threadLast.push(index);
    this.threadOfLead[lead] = thread;
    return thread;
  }

  private completeTask(index: number, time: number, lead: number): number | undefined {
    const { tasks, leads } = this.below;
    const task = (tasks.start[lead] ?? 0) + (this.tasksDone[lead] ?? 0);
    if (task >= (tasks.start[lead + 1] ?? 0) || (tasks.created[task] ?? 0) > time) return undefined;
    this.tasksDone[lead] = (this.tasksDone[lead] ?? 0) + 1;
    tasks.completedBy[task] = index + 1;
    tasks.updated[task] = time + 30_000;
    leads.updated[lead] = Math.max(leads.updated[lead] ?? 0, time);
    return task;
  }

  private moveLeadStatus(time: number, lead: number, random: Random): number {
    const { leads } = this.below;
    const from = leads.status[lead] ?? 0;
    const to = (from + 1 + random.below(this.counts.leadStatuses - 1)) % this.counts.leadStatuses;
    leads.status[lead] = to;
    leads.updated[lead] = Math.max(leads.updated[lead] ?? 0, time);
    return packStatusChange(from, to);
  }

  private moveOpportunityStatus(time: number, lead: number, random: Random): number | undefined {
    const { opportunities } = this.below;
    const first = opportunities.start[lead] ?? 0;
    const count = (opportunities.start[lead + 1] ?? 0) - first;
    if (count === 0) return undefined;
    const position = random.below(count);
    const index = first + position;
    if ((opportunities.created[index] ?? 0) > time) return undefined;
    const from = opportunities.status[index] ?? 0;
    const total = this.counts.opportunityStatuses;
    const to = (from + 1 + random.below(total - 1)) % total;
    opportunities.status[index] = to;
    opportunities.updated[index] = Math.max(opportunities.updated[index] ?? 0, time);
    return packStatusChange(from, to, position);
  }

  columns(): { activities: ActivityColumns; threads: ThreadColumns } {
    const { created, updated, lead, type, detail, nextEmail } = this;
    const firstEmail = Uint32Array.from(this.threadFirst);
    const threads = {
      created: Float64Array.from(this.threadFirst, (email) => created[email] ?? 0),
      updated: Float64Array.from(this.threadLast, (email) => updated[email] ?? 0),
      lead: Uint32Array.from(this.threadFirst, (email) => lead[email] ?? 0),
      firstEmail,
    };
    return { activities: { created, updated, lead, type, detail, nextEmail }, threads };
  }
}
