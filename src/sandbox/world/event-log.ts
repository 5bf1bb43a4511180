/**
 * The event log: what happened to which record, when, and who did it. An event keeps the states of
 * its record before and after, not its content, and the answer is made from them: a month of events
 * costs little.
 *
 * Of what happened before the data was laid out, the log tells each record's last change: the
 * sandbox knows no earlier states.
 */
import type { JsonObject } from '../json.js';
import { MICROS_PER_DAY, MICROS_PER_MS } from '../moment.js';
import type { TableName, KeptState } from './world-data.js';

/** One of the large tables' records; its content is made from its number and state. */
export interface RecordSubject {
  readonly table: TableName;
  readonly index: number;
  readonly before: KeptState | undefined;
  readonly after: KeptState | undefined;
}

/** A setting, a comment or another record that is kept as it is. */
export interface PlainSubject {
  readonly objectType: string;
  readonly id: string;
  readonly leadId: string | null;
  readonly before: JsonObject | undefined;
  readonly after: JsonObject | undefined;
}
export type Subject = RecordSubject | PlainSubject;

export function isRecord(subject: Subject): subject is RecordSubject {
  return 'table' in subject;
}

/** What all events of one request share. */
export interface Cause {
  /** The number of the request: who acted and the request's id follow from it. */
  readonly request: number;
  readonly isSystem: boolean;
  readonly meta: JsonObject;
}

export interface LogEvent {
  readonly number: number;
  readonly action: string;
  readonly subject: Subject;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly cause: Cause;
}

/** Close keeps events for 30 days (Close docs, events, read 2026-11). */
export const RETENTION_MS = (30 * MICROS_PER_DAY) / MICROS_PER_MS;
/** Of 514 recorded events, no consolidated one was more than 4.97 s old (recorded, 2022). */
const CONSOLIDATION_MS = 5_000;
/** Numbers from here on belong to events that came while the sandbox was running. */
export const FIRST_LATER_NUMBER = 0x40000000;

/** A place in the log: events stand in the order of `date_updated`, and of equal ones as they came. */
export interface Place {
  readonly ms: number;
  readonly number: number;
}

export function comparePlaces(one: Place, other: Place): number {
  return one.ms - other.ms || one.number - other.number;
}

export function placeOf(event: LogEvent): Place {
  return { ms: event.updatedMs, number: event.number };
}

/** The events that the data was laid out with, oldest first: times and records in step. */
export interface EarlierEvents {
  readonly ms: Float64Array;
  readonly read: (position: number) => LogEvent;
}

export class EventLog {
  private readonly later: LogEvent[] = [];
  private readonly lastUpdate = new Map<string, LogEvent>();
  private madeEarlier: EarlierEvents | undefined;
  private nextNumber = FIRST_LATER_NUMBER;

  constructor(private readonly makeEarlier: () => EarlierEvents) {}

  private get earlier(): EarlierEvents {
    return (this.madeEarlier ??= this.makeEarlier());
  }

  /**
   * Writes an event; repeated updates of one object within the window become one event, that keeps
   * its id, its `date_created` and the oldest state (Close docs, events).
   */
  write(name: string, action: string, subject: Subject, ms: number, cause: Cause): void {
    const known = this.lastUpdate.get(name);
    const isFollowing = known !== undefined && ms >= known.createdMs;
    if (action === 'updated' && isFollowing && ms - known.createdMs < CONSOLIDATION_MS) {
      const merged = { ...known.subject, after: subject.after } as Subject;
      const event = { ...known, subject: merged, updatedMs: Math.max(ms, known.updatedMs) };
      this.later.splice(this.indexOf(placeOf(known)), 1);
      this.insert(event);
      this.lastUpdate.set(name, event);
      return;
    }
    const number = this.nextNumber++;
    const event = { number, action, subject, createdMs: ms, updatedMs: ms, cause };
    this.insert(event);
    this.lastUpdate.delete(name);
    if (action === 'updated') this.lastUpdate.set(name, event);
  }

  /** Forgets what Close would have forgotten by now. */
  prune(nowMs: number): void {
    for (const [name, { createdMs }] of this.lastUpdate) {
      if (nowMs - createdMs < CONSOLIDATION_MS) break;
      this.lastUpdate.delete(name);
    }
    const gone = this.indexOf({ ms: nowMs - RETENTION_MS, number: -1 });
    // In large steps, for each one moves all that stays.
    if (gone > 10_000 || gone * 2 > this.later.length) this.later.splice(0, gone);
  }

  private insert(event: LogEvent): void {
    const at = this.indexOf(placeOf(event));
    if (at === this.later.length) this.later.push(event);
    else this.later.splice(at, 0, event);
  }

  /** How many later events stand before a place. */
  private indexOf(place: Place): number {
    let low = 0;
    let high = this.later.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const event = this.later[middle];
      if (event && comparePlaces(placeOf(event), place) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private earlierBefore({ ms, number }: Place): number {
    const times = this.earlier.ms;
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const time = times[middle] ?? 0;
      if (time < ms || (time === ms && middle < number)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The events before a place, the newest first. */
  *downFrom(place: Place): Generator<LogEvent> {
    let later = this.indexOf(place) - 1;
    let earlier = this.earlierBefore(place) - 1;
    for (;;) {
      const one = this.later[later];
      const other = earlier < 0 ? undefined : this.earlier.read(earlier);
      if (one && (!other || comparePlaces(placeOf(one), placeOf(other)) > 0)) {
        later--;
        yield one;
      } else if (other) {
        earlier--;
        yield other;
      } else return;
    }
  }

  /** The events after a place, the oldest first. */
  *upFrom(place: Place): Generator<LogEvent> {
    const after = { ms: place.ms, number: place.number + 1 };
    let later = this.indexOf(after);
    let earlier = this.earlierBefore(after);
    for (;;) {
      const one = this.later[later];
      const other = earlier < this.earlier.ms.length ? this.earlier.read(earlier) : undefined;
      if (one && (!other || comparePlaces(placeOf(one), placeOf(other)) < 0)) {
        later++;
        yield one;
      } else if (other) {
        earlier++;
        yield other;
      } else return;
    }
  }

  byNumber(number: number): LogEvent | undefined {
    if (number < FIRST_LATER_NUMBER) {
      return number < this.earlier.ms.length ? this.earlier.read(number) : undefined;
    }
    return this.later.find((event) => event.number === number);
  }
}
