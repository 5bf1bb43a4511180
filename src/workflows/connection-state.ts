import type {
  BackfillAnswer,
  ConnectionStatus,
  OpenResult,
  ProgressReport,
  RebuildStatus,
  ReconcileStatus,
  RereadWish,
  RejectedRequest,
  RequestCounts,
  RunKind,
  RunResult,
  SearchAttributeName,
  StatusAnswer,
  StreamResult,
  StreamStatus,
  SyncResult,
} from '../contract.js';
import { enqueue, parseBackfill, updateJob, type BackfillJob } from '../core/backfill-queue.js';
import { parseInstant, instantFromMillis } from '../core/instant.js';
import type { CheckedConnection } from '../core/connection-request.js';
import { selectStreams } from '../core/stream-selection.js';
import { nextStart, parseAnchor, parseEvery } from '../core/schedule.js';
import { changeRebuild, newRebuild, type RebuildState } from './rebuild-state.js';
import { requestReconcile, type ReconcileState } from './reconcile-state.js';
import { isListOfText } from '../core/request-fields.js';

/**
 * What a connection wants and what it does, and nothing of Temporal: it can be read, tested and
 * carried over to the next run as plain data.
 */
export interface ConnectionState {
  readonly connection: CheckedConnection;
  readonly hasStartDate: boolean;
  every: string;
  everyMs: number;
  anchorMinutes: number | null;
  wantedStreams: readonly string[] | null;
  open: OpenResult | null;
  /** Whether the connection must be opened (again) before anything is read. */
  needsOpening: boolean;
  isPaused: boolean;
  /** Why nothing can be read until an operator acts; null when nothing is in the way. */
  blockedBy: string | null;
  resumeAsked: boolean;
  /** Why the last sync failed as a whole; null when it did not. */
  syncProblem: string | null;
  historical: 'pending' | 'running' | 'done' | 'incomplete';
  /** When an incomplete historical sync is tried again, in milliseconds since 1970. */
  historyRetryAtMs: number;
  /** What is wrong with the history of a stream; a good incremental sync does not mend it. */
  historyProblems: Readonly<Record<string, string>>;
  /** The job that has loaded nothing for long, or null. */
  stalledJob: string | null;
  isLiveRunning: boolean;
  isSyncAsked: boolean;
  previousStartMs: number;
  nextStartMs: number;
  slotsSkipped: number;
  syncsCompleted: number;
  lastSync: SyncResult | null;
  syncedThrough: string | null;
  /** Those of ours that the server knows; null: not asked yet. */
  searchAttributes: readonly SearchAttributeName[] | null;
  streams: readonly StreamStatus[];
  backfills: readonly BackfillJob[];
  rebuild: RebuildState | null;
  reconcile: ReconcileState | null;
  rejectedRequests: readonly RejectedRequest[];
  requests: RequestCounts;
  /** Goes up with every change that a waiting lane must look at. */
  revision: number;
}

const REJECTED_KEPT = 10;
/** Of a stream that was never synced. */
const NOTHING_KNOWN = { rows: 0, bookmark: null, error: null, note: null } as const;

export function newState(
  connection: CheckedConnection,
  hasStartDate: boolean,
  nowMs: number,
): ConnectionState {
  const { every, everyMs, anchorMinutes, streams } = connection;
  const state: ConnectionState = {
    ...{ connection, hasStartDate, every, everyMs, anchorMinutes, wantedStreams: streams },
    ...{
      open: null,
      needsOpening: true,
      isPaused: false,
      blockedBy: null,
      resumeAsked: false,
      syncProblem: null,
    },
    ...{ historyRetryAtMs: 0, historyProblems: {}, stalledJob: null },
    ...{ historical: 'pending', isLiveRunning: false, isSyncAsked: false },
    ...{ previousStartMs: nowMs, nextStartMs: nowMs, slotsSkipped: 0, syncsCompleted: 0 },
    ...{ lastSync: null, syncedThrough: null, searchAttributes: null },
    ...{ streams: [], backfills: [], rebuild: null, reconcile: null, rejectedRequests: [] },
    requests: { accepted: 0, rejected: 0 },
    revision: 0,
  };
  planNext(state, nowMs);
  return state;
}

/** Computes the next start from the previous one; a slot that has passed meanwhile is skipped. */
export function planNext(state: ConnectionState, nowMs: number): void {
  const { everyMs, anchorMinutes, connection } = state;
  const table = { everyMs, anchorMinutes, staggerBy: connection.schema };
  const { atMs, skippedSlots } = nextStart(table, state.previousStartMs, nowMs);
  state.nextStartMs = atMs;
  state.slotsSkipped += skippedSlots;
  state.revision += 1;
}

export function statusOf(state: ConnectionState): ConnectionStatus {
  if (state.isPaused) return 'Paused';
  if (state.blockedBy !== null) return 'Blocked';
  if (state.historical === 'running') return 'Historical sync';
  if (state.open === null || state.historical === 'pending') return 'Pending';
  const isBackfilling = state.backfills.some(({ status }) => status === 'running');
  const isRebuilding = ['running', 'swapping'].includes(state.rebuild?.status ?? '');
  if (state.isLiveRunning || isBackfilling || isRebuilding) return 'Syncing';
  if (state.historical === 'incomplete') return 'Incomplete';
  const isComplete = shownStreams(state).every(({ error }) => error === null);
  return isComplete && state.syncProblem === null ? 'Up to date' : 'Incomplete';
}

export function statusAnswer(state: ConnectionState): StatusAnswer {
  const status = statusOf(state);
  const streams = shownStreams(state);
  const failing = streams.find(({ error }) => error !== null);
  return {
    status,
    name: state.connection.name,
    schema: state.connection.schema,
    every: state.every,
    startDate: state.open?.startDate ?? null,
    nextSyncAt: state.isPaused ? null : instantFromMillis(state.nextStartMs),
    lastSync: state.lastSync,
    syncedThrough: state.syncedThrough,
    historicalSync: state.historical,
    syncsCompleted: state.syncsCompleted,
    slotsSkipped: state.slotsSkipped,
    streams,
    backfills: state.backfills.map(({ id, from, to, streams: names, status: job, records }) => ({
      ...{ id, from, to, streams: names, status: job, records },
    })),
    rebuild: shownRebuild(state),
    reconcile: shownReconcile(state),
    rejectedRequests: state.rejectedRequests,
    requests: state.requests,
    problem: problemOf(state, failing),
  };
}

/** The streams with what is wrong with their history, which an incremental sync knows nothing of. */
function shownStreams(state: ConnectionState): readonly StreamStatus[] {
  return state.streams.map((stream) => {
    const error = stream.error ?? state.historyProblems[stream.name] ?? null;
    const isHidden = error !== null && stream.error === null && stream.status === 'Up to date';
    return { ...stream, error, status: isHidden ? 'Incomplete' : stream.status };
  });
}

function shownRebuild({ rebuild }: ConnectionState): RebuildStatus | null {
  if (rebuild === null) return null;
  const { layout, status, records, problem } = rebuild;
  return { layout, status, records, problem };
}

function shownReconcile({ reconcile }: ConnectionState): ReconcileStatus | null {
  if (reconcile === null) return null;
  const { id, status, startedAt, finishedAt, streams, problem } = reconcile;
  return { id, status, startedAt, finishedAt, streams, problem };
}

function problemOf(state: ConnectionState, failing: StreamStatus | undefined): string | null {
  const stalled =
    state.stalledJob === null
      ? null
      : `The ${state.stalledJob} sync has loaded nothing for a while; its pending activity says what it waits for.`;
  return (
    state.blockedBy ??
    state.syncProblem ??
    stalled ??
    (failing === undefined ? null : `${failing.name}: ${failing.error}`)
  );
}

// What operators ask for. Nothing here throws: a handler that throws wedges or ends a workflow.

export type BackfillOutcome = BackfillAnswer | { readonly reason: string };

export function requestBackfill(
  state: ConnectionState,
  input: unknown,
  nowMs: number,
  newId: string,
): BackfillOutcome {
  // Before the connection is open nobody knows its streams; beginRun then takes those that it has.
  const known = state.open?.streams ?? null;
  const parsed = parseBackfill(input, instantFromMillis(nowMs), known);
  if ('reason' in parsed) return parsed;
  const queued = enqueue(state.backfills, parsed.request, newId);
  if ('reason' in queued) return queued;
  state.backfills = queued.jobs;
  state.revision += 1;
  const waiting = queued.jobs.filter(({ status }) => status === 'queued' || status === 'running');
  const queuedBehind = Math.max(0, waiting.indexOf(queued.job));
  return { jobId: queued.job.id, queuedBehind, status: queued.job.status };
}

export function changeSettings(
  state: ConnectionState,
  input: unknown,
  nowMs: number,
): { readonly reason: string } | null {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return { reason: 'It must be an object with every, anchor or streams.' };
  }
  const { every, anchor, streams, ...others } = input as Record<string, unknown>;
  if (Object.keys(others).length > 0)
    return { reason: 'It has fields other than every, anchor, streams.' };
  const everyMs = typeof every === 'string' ? parseEvery(every) : undefined;
  if (every !== undefined && everyMs === undefined) {
    return { reason: '"every" must be a number with s, m, h or d from 10s to 31d, such as 30m.' };
  }
  const anchorMinutes = typeof anchor === 'string' ? parseAnchor(anchor) : null;
  if (
    anchorMinutes === undefined ||
    (anchor !== undefined && anchor !== null && anchorMinutes === null)
  ) {
    return { reason: '"anchor" must be a time of day in UTC, such as 02:00, or null.' };
  }
  if (streams !== undefined && !isListOfText(streams)) {
    return { reason: '"streams" must be a list of stream names.' };
  }
  const known = state.open?.knownStreams ?? [];
  if (streams !== undefined && state.open === null) {
    return { reason: 'The connection is not open yet; set the streams once it is.' };
  }
  if (streams !== undefined && 'unknown' in selectStreams(streams, known)) {
    return { reason: `"streams" names one that is not known; known are ${known.join(', ')}.` };
  }
  if (everyMs !== undefined) Object.assign(state, { every, everyMs });
  if (anchor !== undefined) state.anchorMinutes = anchorMinutes;
  if (streams !== undefined) {
    state.wantedStreams = streams;
    // Opening registers the streams that are new.
    state.needsOpening = true;
  }
  const { slotsSkipped } = state;
  planNext(state, nowMs);
  // Slots of the new frequency that lie in the past were never due.
  state.slotsSkipped = slotsSkipped;
  return null;
}

export function recordRejected(
  state: ConnectionState,
  request: string,
  reason: string,
  nowMs: number,
): void {
  const rejected = { request, reason, at: instantFromMillis(nowMs) };
  state.rejectedRequests = [...state.rejectedRequests, rejected].slice(-REJECTED_KEPT);
  state.requests = { ...state.requests, rejected: state.requests.rejected + 1 };
}

export function recordAccepted(state: ConnectionState): void {
  state.requests = { ...state.requests, accepted: state.requests.accepted + 1 };
}

// What the lanes learn.

export function addProgress(state: ConnectionState, progress: ProgressReport): void {
  const isRebuild = progress.kind === 'rebuild';
  const job = isRebuild ? progress.kind : progress.job;
  if (progress.isStalled) {
    state.stalledJob = job;
    return;
  }
  if (state.stalledJob === job) state.stalledJob = null;
  const loaded = progress.streams.reduce((sum, { records }) => sum + records, 0);
  // Its rows are in tables that nobody sees yet.
  if (isRebuild) {
    changeRebuild(state, { records: (state.rebuild?.records ?? 0) + loaded });
    return;
  }
  const inserted = new Map(progress.streams.map((told) => [told.stream, told.inserted]));
  state.streams = state.streams.map((stream) => ({
    ...stream,
    rows: stream.rows + (inserted.get(stream.name) ?? 0),
  }));
  const backfill = state.backfills.find(({ id }) => `backfill/${id}` === progress.job);
  if (backfill === undefined) return;
  const records = backfill.records + loaded;
  state.backfills = updateJob(state.backfills, backfill.id, { records });
}

export function addResult(state: ConnectionState, kind: RunKind, result: RunResult): void {
  addRereads(state, result.rereads ?? []);
  // Of a gap that is known already, the request finds its reconciliation.
  if (typeof result.gap === 'string') requestReconcile(state, { id: result.gap }, result.gap);
  state.stalledJob = null;
  if (kind === 'rebuild') {
    const records = Math.max(result.records, state.rebuild?.records ?? 0);
    changeRebuild(state, { records });
    return;
  }
  if (kind === 'reconcile') {
    const rows = new Map(result.streams.map(({ name, totalRows }) => [name, totalRows]));
    state.streams = state.streams.map((stream) => ({
      ...stream,
      rows: rows.get(stream.name) ?? stream.rows,
    }));
    return;
  }
  state.syncProblem = null;
  for (const stream of result.streams) {
    if (kind !== 'incremental') {
      const others = Object.fromEntries(
        Object.entries(state.historyProblems).filter(([name]) => name !== stream.name),
      );
      const problem = stream.error ?? (stream.isComplete ? null : 'its history is not complete');
      state.historyProblems = problem === null ? others : { ...others, [stream.name]: problem };
    }
    state.streams = state.streams.map((known) =>
      known.name === stream.name
        ? {
            name: known.name,
            status: settledStatus(stream),
            rows: stream.totalRows,
            bookmark: stream.bookmark,
            error: kind === 'incremental' ? stream.error : null,
            note: stream.note,
          }
        : known,
    );
  }
}

export function addSync(state: ConnectionState, sync: SyncResult): void {
  state.lastSync = sync;
  const isAll = sync.outcome === 'complete' && state.historical === 'done';
  if (sync.kind === 'incremental' && isAll) state.syncedThrough = sync.startedAt;
}

/** Backfills that the database asks for; one that it has asked for before is known by its id. */
function addRereads(state: ConnectionState, rereads: readonly RereadWish[]): void {
  for (const { id, streams, from: text } of rereads) {
    const from = parseInstant(text);
    if (from === undefined || state.backfills.some((job) => job.id === id)) continue;
    const queued = enqueue(state.backfills, { id, from, to: null, streams }, id);
    // A full queue takes it after the next sync, which tells of it again.
    if ('jobs' in queued) state.backfills = queued.jobs;
    state.revision += 1;
  }
}

function settledStatus({ isComplete, error, isSkipped }: StreamResult): string {
  if (!isComplete || error !== null) return 'Incomplete';
  return isSkipped ? 'Skipped' : 'Up to date';
}

export function markRunning(
  state: ConnectionState,
  names: readonly string[],
  status: string,
): void {
  state.streams = state.streams.map((stream) =>
    names.includes(stream.name) ? { ...stream, status } : stream,
  );
}

export function setOpen(state: ConnectionState, open: OpenResult): void {
  const known = new Map(state.streams.map((stream) => [stream.name, stream]));
  // A stream that joins later has no history yet; for the others the plan finds nothing open.
  const hasNew = state.open !== null && open.streams.some((name) => !known.has(name));
  if (hasNew) state.historical = 'pending';
  // A workflow that was ended in the middle of a rebuild, and started again, goes on with it.
  if (open.rebuildLayout !== null) state.rebuild ??= newRebuild(open.rebuildLayout);
  state.open = open;
  state.needsOpening = false;
  state.blockedBy = null;
  state.streams = open.streams.map(
    (name) => known.get(name) ?? { name, status: 'Pending', ...NOTHING_KNOWN },
  );
  const isKept = ([name]: [string, string]): boolean => open.streams.includes(name);
  state.historyProblems = Object.fromEntries(Object.entries(state.historyProblems).filter(isKept));
  state.revision += 1;
}
