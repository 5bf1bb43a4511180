/**
 * The names that both sides share: whoever starts, signals or asks, and the workflows that answer.
 * Pure, so that workflow code may import it.
 */
export const TASK_QUEUE = 'closehaul';

export const WORKFLOW_TYPES = {
  connection: 'closeConnection',
  historical: 'historicalSync',
  incremental: 'incrementalSync',
} as const;

/** The id that README recommends; any id works, for one workflow of a connection at a time. */
export function connectionWorkflowId(schema: string): string {
  return `close-${schema}`;
}

/** What `closeConnection` is started with: this object, or just the name as a text. */
export interface ConnectionInput {
  readonly name: string;
  /** ISO date or date-time; default one year before the first start (Stitch's default). */
  readonly startDate?: string;
  /** Replication frequency: `30m` (default), `6h`, `1d`. */
  readonly every?: string;
  /** Time of day in UTC that the slots are counted from: `02:00`. */
  readonly anchor?: string;
  readonly streams?: readonly string[];
  /** Default: as the tables are; `stitch` for a new connection. */
  readonly layout?: string;
}

export const SIGNALS = {
  backfill: 'backfill',
  pause: 'pause',
  resume: 'resume',
  syncNow: 'syncNow',
  set: 'set',
  rebuild: 'rebuild',
  reconcile: 'reconcile',
} as const;

export const STATUS_QUERY = 'status';
export const REQUEST_BACKFILL_UPDATE = 'requestBackfill';
export const REQUEST_REBUILD_UPDATE = 'requestRebuild';
export const REQUEST_RECONCILE_UPDATE = 'requestReconcile';

/**
 * What the list of workflows may be filtered by, where the server knows them: `closehaul doctor
 * --register`. The state is that of the status, without `Syncing`.
 */
export const SEARCH_ATTRIBUTES = {
  CloseConnection: 'KEYWORD',
  CloseState: 'KEYWORD',
  CloseSyncedThrough: 'DATETIME',
} as const;

export type SearchAttributeName = keyof typeof SEARCH_ATTRIBUTES;

/** A bare date means `{ from: date }`. */
export type BackfillInput =
  | string
  | {
      readonly from: string;
      readonly to?: string;
      readonly streams?: readonly string[];
      readonly id?: string;
    };

export interface RebuildInput {
  /** Layout of the new tables; default that of the old ones. */
  readonly layout?: string;
}

export interface ReconcileInput {
  /** Default: all streams of the connection. */
  readonly streams?: readonly string[];
  /** The same id is the same reconciliation. */
  readonly id?: string;
}

export interface SettingsInput {
  readonly every?: string;
  readonly anchor?: string | null;
  readonly streams?: readonly string[];
}

export type ConnectionStatus =
  'Pending' | 'Historical sync' | 'Syncing' | 'Up to date' | 'Paused' | 'Blocked' | 'Incomplete';

export interface StreamStatus {
  readonly name: string;
  readonly status: string;
  readonly rows: number;
  /** Up to where the stream is complete, ISO 8601; null before its first sync. */
  readonly bookmark: string | null;
  readonly error: string | null;
  /** What a person should know, though nothing went wrong: that the key may not read the stream. */
  readonly note: string | null;
}

export interface BackfillStatus {
  readonly id: string;
  readonly from: string;
  readonly to: string | null;
  readonly streams: readonly string[] | null;
  readonly status: 'queued' | 'running' | 'done' | 'incomplete';
  readonly records: number;
}

export interface RebuildStatus {
  readonly layout: string;
  readonly status: 'queued' | 'running' | 'swapping' | 'done' | 'incomplete';
  /** Records loaded into the new tables. */
  readonly records: number;
  /** What it waits for, or what it could not do, with the next step; null when nothing is amiss. */
  readonly problem: string | null;
}

export interface ReconcileStatus {
  readonly id: string;
  readonly status: 'queued' | 'running' | 'done' | 'incomplete';
  /** Up to when what Close has is compared, ISO 8601. */
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** What was found, stream by stream; empty before the end. */
  readonly streams: readonly ReconciledStream[];
  /** Why it is not complete, with the next step; null when nothing is amiss. */
  readonly problem: string | null;
}

/** The counts of one stream, as `closehaul.reconciliations` keeps them. */
export interface ReconciledStream {
  readonly stream: string;
  /** Records of Close that belong into the table; null where not all could be listed. */
  readonly source: number | null;
  /** Living records of the table before anything was mended. */
  readonly warehouse: number;
  readonly missing: number;
  readonly outdated: number;
  readonly vanished: number;
  /** Differences that are still there. */
  readonly unresolved: number;
  readonly note: string | null;
}

export interface SyncResult {
  readonly kind: RunKind;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly outcome: 'complete' | 'incomplete';
  readonly records: number;
  readonly rows: number;
}

/** The answer of the query `status`. */
export interface StatusAnswer {
  readonly status: ConnectionStatus;
  readonly name: string;
  readonly schema: string;
  readonly every: string;
  readonly startDate: string | null;
  readonly nextSyncAt: string | null;
  readonly lastSync: SyncResult | null;
  /** When the last incremental sync began that was complete, the history too: all before is there. */
  readonly syncedThrough: string | null;
  readonly historicalSync: 'pending' | 'running' | 'done' | 'incomplete';
  readonly syncsCompleted: number;
  readonly slotsSkipped: number;
  readonly streams: readonly StreamStatus[];
  readonly backfills: readonly BackfillStatus[];
  /** The last rebuild of the tables; null when there was none. */
  readonly rebuild: RebuildStatus | null;
  /** The last reconciliation; null when there was none. */
  readonly reconcile: ReconcileStatus | null;
  /** The last ten. */
  readonly rejectedRequests: readonly RejectedRequest[];
  readonly requests: RequestCounts;
  readonly problem: string | null;
}

/** What operators ever asked of the connection, by signal or update. */
export interface RequestCounts {
  readonly accepted: number;
  /** Of the signals; an update that is refused is answered, and leaves no trace. */
  readonly rejected: number;
}

export interface RejectedRequest {
  readonly request: string;
  readonly reason: string;
  readonly at: string;
}

/** The answer of the update `requestBackfill`. */
export interface BackfillAnswer {
  readonly jobId: string;
  readonly queuedBehind: number;
  /** `done` when the same id was asked for before. */
  readonly status: BackfillStatus['status'];
}

/** The answer of the update `requestRebuild`. */
export interface RebuildAnswer {
  readonly status: RebuildStatus['status'];
}

/** The answer of the update `requestReconcile`. */
export interface ReconcileAnswer {
  readonly id: string;
  readonly status: ReconcileStatus['status'];
}

// What the activities take and give. Names and counts only: no key, no record, no position.

export interface OpenInput {
  readonly name: string;
  readonly startDate: string | null;
  readonly streams: readonly string[] | null;
  /** Null: as the tables are. */
  readonly layout: string | null;
}

export interface OpenResult {
  readonly schema: string;
  readonly layout: string;
  /** Layout of the tables that an unfinished rebuild left behind; null when there are none. */
  readonly rebuildLayout: string | null;
  readonly startDate: string;
  readonly liveFrom: string;
  /** The streams that this connection syncs, and those that there are. */
  readonly streams: readonly string[];
  readonly knownStreams: readonly string[];
}

/**
 * `rebuild`: the first sync of tables that are made anew beside the old ones. `reconcile`: what Close
 * has is compared with the tables.
 */
export type RunKind = 'initial' | 'incremental' | 'backfill' | 'rebuild' | 'reconcile';

export interface RebuildTask {
  readonly schema: string;
  readonly layout: string;
  readonly streams: readonly string[];
}

export interface SwapResult {
  readonly streams: readonly StreamCount[];
  /**
   * Names of what somebody put upon the old tables and could not be made again on the new ones, such
   * as `view sales.pipeline`. As long as there is one, the old tables stay.
   */
  readonly left: readonly string[];
}

export interface StreamCount {
  readonly name: string;
  readonly rows: number;
  readonly bookmark: string | null;
}

/** What `historicalSync` and `incrementalSync` are started with; a bare text is the name. */
export interface SyncInput {
  readonly name: string;
  /** Streams to sync; default all of the connection. */
  readonly streams?: readonly string[];
  /** Begin of a historical sync, ISO 8601; default the connection's start date. */
  readonly from?: string;
  /** End of a historical sync, exclusive; default where the live lane began. */
  readonly to?: string;
  /** Job that the checkpoints belong to; a job that is started again goes on where it stopped. */
  readonly job?: string;
  readonly kind?: RunKind;
}

/** One execution of a job, as the activities take it. */
export interface RunInput {
  readonly schema: string;
  readonly job: string;
  readonly run: string;
  readonly kind: RunKind;
  readonly streams: readonly string[] | null;
  readonly from: string | null;
  readonly to: string | null;
}

/** The job of incremental syncs; every other job reads history. */
export const LIVE_JOB = 'live';

export interface SliceRef {
  readonly schema: string;
  readonly job: string;
  readonly stream: string;
  readonly slice: string;
}

export interface SliceProgress {
  readonly pages: number;
  readonly records: number;
  /** Records that are new in their table. */
  readonly inserted: number;
  readonly rows: number;
  readonly rejected: number;
}

export interface StreamProgress extends SliceProgress {
  readonly stream: string;
}

export interface SlicesProgress {
  /** Which of the slices that were asked for are complete, by their places in that list. */
  readonly done: readonly number[];
  /** The streams of which pages were loaded. */
  readonly streams: readonly StreamProgress[];
  /** A stream that fails though Close answers, and what it says: enough of it for this sync. */
  readonly parked: { readonly stream: string; readonly message: string } | null;
}

/** What a running sync tells the connection after each activity. */
export interface ProgressReport {
  /** Nothing came for long: the activity is being tried again, for a reason it shows. */
  readonly isStalled: boolean;
  readonly kind: RunKind;
  readonly job: string;
  readonly streams: readonly StreamProgress[];
}

export const PROGRESS_SIGNAL = 'progress';

export interface StreamResult {
  readonly name: string;
  readonly isComplete: boolean;
  readonly records: number;
  readonly rows: number;
  readonly totalRows: number;
  readonly bookmark: string | null;
  readonly error: string | null;
  /** What a person should know, though nothing went wrong: that the key may not read the stream. */
  readonly note: string | null;
  /** Close lets the key read nothing of it. */
  readonly isSkipped: boolean;
}

export interface RunResult {
  /** `yielded`: it stopped for a fresh history and wants to be started again. */
  readonly outcome: 'complete' | 'incomplete' | 'yielded';
  readonly records: number;
  readonly rows: number;
  readonly streams: readonly StreamResult[];
  /** Backfills that the database wants, since somebody dropped rows with their table by hand. */
  readonly rereads?: readonly RereadWish[];
  /** Id of the reconciliation that forgotten events ask for. */
  readonly gap?: string | null;
  /** Of a reconciliation: what it found. */
  readonly reconciled?: readonly ReconciledStream[];
}

export interface RereadWish {
  /** The same for the same damage, so that asking twice is asking once. */
  readonly id: string;
  readonly streams: readonly string[];
  readonly from: string;
}
