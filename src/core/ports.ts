import type { Instant } from './instant.js';
import type { JsonRecord } from './record.js';
import type { Position, Slice, StreamShape } from './stream.js';

/**
 * The two ports between the adapters. Nothing but plain data crosses them, so the source never
 * learns of tables and the destination never learns of HTTP.
 */

/** One answer of the source, with the position to continue from once its records are stored. */
export interface Page {
  readonly records: readonly JsonRecord[];
  /** Position after this page; null when the slice is complete. */
  readonly next: Position | null;
  /** Records in the whole slice, when the source was told; for progress only. */
  readonly totalRecords: number | null;
  /** HTTP requests that this page took, the retried ones included. */
  readonly requests: number;
  /**
   * On the last page: records that the source counted and did not give, also when it was asked for the
   * slice once more. Then the slice is not complete.
   */
  readonly missing?: number;
  /** The page after it was asked for together with this one. */
  readonly isNextAsked?: boolean;
  /** What this page tells of other streams; loaded with it or not at all. */
  readonly effects?: readonly Effect[];
  /** On the last page of a list that was read whole: the records that are still there. */
  readonly pass?: CompletePass;
  /** What a person should know of this slice: that the key may not read it, that a part is lost. */
  readonly note?: string;
  /** Nothing could be read, so the bookmark stays; the next sync tries again. */
  readonly isSkipped?: boolean;
  /** Events were forgotten before they were read: only a census finds what they told. */
  readonly hasGap?: boolean;
  /** In a census: what is there, whether or not `records` has it whole. */
  readonly census?: CensusPage;
  /** In a reconciliation: the differences that this page settles. */
  readonly settled?: Settled;
}

export interface CensusPage {
  readonly present: readonly Present[];
  /** On the last page: whether all that there is was told. What is absent vanished only then. */
  readonly end?: 'whole' | 'part';
}

/** A record that is there, told without the rest of it. */
export interface Present {
  readonly key: string;
  /** Null where all records of the stream are wanted, whatever their date. */
  readonly clock: Instant | null;
  readonly version: Instant | null;
}

export interface Settled {
  /** Keys whose record is among the page's. */
  readonly read: readonly string[];
  /** Keys that the source has no record of, though nobody told of a delete. */
  readonly gone: readonly string[];
}

/** Records and deletes of another stream than the page's own. */
export interface Effect {
  readonly stream: string;
  readonly records: readonly JsonRecord[];
  readonly tombstones: readonly Tombstone[];
  /**
   * A part of that stream which needs no reading of its own for the range of this slice, since all
   * of its records come as effects: its slice closes together with this one.
   */
  readonly closes?: string;
}

/** That a record was deleted, or merged into another one. */
export interface Tombstone {
  readonly key: string;
  readonly deletedAt: Instant;
  /** Id of the user who did it; null when Close did it by itself. */
  readonly deletedBy: string | null;
  /** Key of the record that took its place. */
  readonly mergedInto: string | null;
}

/** What has vanished is concluded from a complete pass only. */
export interface CompletePass {
  readonly keys: readonly string[];
  /** What was received after the pass began may well be missing from it. */
  readonly startedAt: Instant;
}

export interface SourceStream extends StreamShape {
  /** The lists this stream is read from; each is planned and sliced by itself. */
  readonly parts: readonly SourcePart[];
  /** The stream whose pages bring its records along: while that is read, this one waits. */
  readonly carriedBy?: string;
  /** A log: nothing of it changes or vanishes, so there is nothing to compare. */
  readonly isLog?: boolean;
}

export interface SourcePart {
  readonly name: string;
  /** Length of one historical slice in days; null = one slice for the whole range. */
  readonly sliceDays: number | null;
  /** How far before the bookmark the next sync reads again, in milliseconds. */
  readonly overlapMs: number;
  /** Whether a sync looks past "now" too, for records that are dated in the future (meetings). */
  readonly readsFuture: boolean;
  /** How it is read from the source, for people. */
  readonly method?: string;
  /** The lane it belongs to; absent = both. */
  readonly lane?: 'history' | 'live';
  /** It is read whole, whatever the range: it has no past to fill. */
  readonly isWhole?: boolean;
  /** The live lane reads it no more often than this, in milliseconds; absent = in each sync. */
  readonly everyMs?: number;
  /**
   * Changes of its records come as effects of the event log. While that can be read, the live lane
   * looks back and ahead no further than the event log does.
   */
  readonly followsEvents?: boolean;
  /** It is the event log, whose pages have effects on other streams. */
  readonly tellsOfOthers?: boolean;
  /** Its records hold copies of others, whose changes only the event log tells. */
  readonly holdsCopies?: boolean;
}

/** Who the key belongs to, as `GET /me/` tells. */
export interface Identity {
  readonly organizationId: string;
  readonly userId: string;
}

/** A custom field as its family's list defines it now. */
export interface CustomFieldDefinition {
  readonly id: string;
  /** What Close shows people; may be changed at any time. */
  readonly name: string;
  /** Close's word: text, number, date, datetime, choices, user, …; null when it gives none. */
  readonly type: string | null;
}

export interface Source {
  readonly streams: readonly SourceStream[];
  /** One cheap request that proves the key. Throws CLOSE_KEY_REJECTED and the transport errors. */
  identify(signal: AbortSignal): Promise<Identity>;
  /** The fields of one family, the shared ones among them; null when this key may not read them. */
  customFields(
    family: string,
    signal: AbortSignal,
  ): Promise<readonly CustomFieldDefinition[] | null>;
  /**
   * Pages of one slice from `position` on (null = its beginning). Yields at least one page; the
   * last has `next: null`. Pages may repeat records; they never leave one out.
   *
   * `effectsOn` names the streams whose effects are wanted; absent = all. `stored` tells what is
   * loaded already, so that effects which came with it are not asked for again; absent = nothing.
   */
  fetchPages(
    slice: Slice,
    position: Position | null,
    signal: AbortSignal,
    effectsOn?: ReadonlySet<string>,
    stored?: StoredVersions,
  ): AsyncGenerator<Page>;
  /**
   * Tells all records of a stream from `slice.from` on, up to now: the keys, or the whole records
   * where there is no shorter form. Yields at least one page; the last has `next: null`, an `end`,
   * and a note where something could not be read.
   */
  fetchCensus(slice: Slice, position: Position | null, signal: AbortSignal): AsyncGenerator<Page>;
  /**
   * Records by their keys. A key that is neither read nor gone could not be asked for. Undefined for
   * a stream whose records cannot be had one by one.
   */
  fetchByKey(
    stream: string,
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<ByKey | undefined>;
}

export interface ByKey extends Settled {
  readonly records: readonly JsonRecord[];
  readonly requests: number;
}

/** Live: what changed since the last sync. History: initial syncs, backfills, rebuilds. */
export type Lane = 'live' | 'history';

/** Of these versions of records of the slice's own stream, by key: the keys of those that are loaded. */
export type StoredVersions = (
  versions: ReadonlyMap<string, Instant>,
) => Promise<ReadonlySet<string>>;

/**
 * One budget of requests for each (key, endpoint group), shared by all workers and both lanes.
 */
export interface RateBudget {
  /**
   * Takes leave to send one request: a permit, and how many milliseconds to wait before it is sent.
   * When there is none within a moment, it takes nothing and tells when it is worth asking again. So
   * a caller that gives up leaves nothing reserved, and a block that comes while it waits is seen.
   *
   * A lane that waits is let in before the other one: live has three quarters of the requests for
   * itself then, history has one.
   */
  take(group: string, lane: Lane): Promise<Turn>;
  /**
   * The request with this permit was answered, so long after it was sent, and what the answer said:
   * how many more, until when; undefined when it said nothing.
   */
  learn(
    group: string,
    limit: RateLimit | undefined,
    permit: Permit | null,
    tripMs: number,
  ): Promise<void>;
  /** Close refused (429): nobody sends to this group for so long. */
  block(group: string, durationMs: number): Promise<void>;
}

export interface Turn {
  /** Whole milliseconds to wait. */
  readonly waitMs: number;
  /** Null: ask again after the wait. Without a wait: send, nothing is known of a limit. */
  readonly permit: Permit | null;
}

/** Leave to send one request, as the budget knows it; nobody else looks inside. */
export interface Permit {
  readonly number: number;
  /** When its request is to be sent. */
  readonly usedAt: string;
}

export interface RateLimit {
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until the window ends. */
  readonly resetMs: number;
}
