import type {
  ConnectionStatus,
  OpenResult,
  ProgressReport,
  RejectedRequest,
  RunResult,
  StatusAnswer,
  StreamStatus,
  SyncResult,
} from '../contract.js';
import { enqueue, parseBackfill, updateJob, type BackfillJob } from '../core/backfill-queue.js';
import type { CheckedConnection } from '../core/connection-request.js';
import { instantFromMillis } from '../core/instant.js';
import { nextStart, parseAnchor, parseEvery } from '../core/schedule.js';

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
  isPaused: boolean;
  /** Why nothing can be read until an operator acts; null when nothing is in the way. */
  blockedBy: string | null;
  resumeAsked: boolean;
  /** Why the last sync failed as a whole; null when it did not. */
  syncProblem: string | null;
  historical: 'pending' | 'running' | 'done' | 'incomplete';
  isLiveRunning: boolean;
  isSyncAsked: boolean;
  previousStartMs: number;
  nextStartMs: number;
  slotsSkipped: number;
  syncsCompleted: number;
  lastSync: SyncResult | null;
  streams: readonly StreamStatus[];
  backfills: readonly BackfillJob[];
  rejectedRequests: readonly RejectedRequest[];
  /** Goes up with every change that a waiting lane must look at. */
  revision: number;
}

const REJECTED_KEPT = 10;

export function newState(
  connection: CheckedConnection,
  hasStartDate: boolean,
  nowMs: number,
): ConnectionState {
  const { every, everyMs, anchorMinutes, streams } = connection;
  const state: ConnectionState = {
    ...{ connection, hasStartDate, every, everyMs, anchorMinutes, wantedStreams: streams },
    ...{ open: null, isPaused: false, blockedBy: null, resumeAsked: false, syncProblem: null },
    ...{ historical: 'pending', isLiveRunning: false, isSyncAsked: false },
    ...{ previousStartMs: nowMs, nextStartMs: nowMs, slotsSkipped: 0, syncsCompleted: 0 },
    ...{ lastSync: null, streams: [], backfills: [], rejectedRequests: [], revision: 0 },
  };
  planNext(state, nowMs);
  return state;
}

/** Computes the next start from the previous one; a slot that has passed meanwhile is skipped. */
export function planNext(state: ConnectionState, nowMs: number): void {
  const { atMs, skippedSlots } = nextStart(state, state.previousStartMs, nowMs);
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
  if (state.isLiveRunning || isBackfilling) return 'Syncing';
  if (state.historical === 'incomplete') return 'Incomplete';
  const isComplete = state.streams.every(({ error }) => error === null);
  return isComplete && state.syncProblem === null ? 'Up to date' : 'Incomplete';
}

export function statusAnswer(state: ConnectionState): StatusAnswer {
  const status = statusOf(state);
  const failing = state.streams.find(({ error }) => error !== null);
  return {
    status,
    name: state.connection.name,
    schema: state.connection.schema,
    every: state.every,
    startDate: state.open?.startDate ?? null,
    nextSyncAt: state.isPaused ? null : instantFromMillis(state.nextStartMs),
    lastSync: state.lastSync,
    historicalSync: state.historical,
    syncsCompleted: state.syncsCompleted,
    slotsSkipped: state.slotsSkipped,
    streams: state.streams,
    backfills: state.backfills,
    rejectedRequests: state.rejectedRequests,
    problem:
      state.blockedBy ??
      state.syncProblem ??
      (failing ? `${failing.name}: ${failing.error}` : null),
  };
}

// What operators ask for. Nothing here throws: a handler that throws wedges or ends a workflow.

export type BackfillOutcome =
  { readonly jobId: string; readonly queuedBehind: number } | { readonly reason: string };

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
  return { jobId: queued.job.id, queuedBehind: Math.max(0, waiting.indexOf(queued.job)) };
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
  if (streams?.some((name) => name !== 'all' && !known.includes(name.replace(/^-/, '')))) {
    return { reason: `"streams" names one that is not known; known are ${known.join(', ')}.` };
  }
  if (everyMs !== undefined) Object.assign(state, { every, everyMs });
  if (anchor !== undefined) state.anchorMinutes = anchorMinutes;
  if (streams !== undefined) {
    state.wantedStreams = streams;
    // Opening checks the names and registers the streams that are new.
    state.open = null;
  }
  planNext(state, nowMs);
  return null;
}

function isListOfText(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((element) => typeof element === 'string');
}

export function recordRejected(
  state: ConnectionState,
  request: string,
  reason: string,
  nowMs: number,
): void {
  const rejected = { request, reason, at: instantFromMillis(nowMs) };
  state.rejectedRequests = [...state.rejectedRequests, rejected].slice(-REJECTED_KEPT);
}

// What the lanes learn.

export function addProgress(state: ConnectionState, progress: ProgressReport): void {
  state.streams = state.streams.map((stream) =>
    stream.name === progress.stream ? { ...stream, rows: stream.rows + progress.inserted } : stream,
  );
  const backfill = state.backfills.find(({ id }) => `backfill/${id}` === progress.job);
  if (backfill === undefined) return;
  const records = backfill.records + progress.records;
  state.backfills = updateJob(state.backfills, backfill.id, { records });
}

export function addResult(state: ConnectionState, result: RunResult): void {
  for (const stream of result.streams) {
    state.streams = state.streams.map((known) =>
      known.name === stream.name
        ? {
            name: known.name,
            status: stream.isComplete && stream.error === null ? 'Up to date' : 'Incomplete',
            rows: stream.totalRows,
            bookmark: stream.bookmark,
            error: stream.error,
          }
        : known,
    );
  }
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
  state.open = open;
  state.blockedBy = null;
  const known = new Map(state.streams.map((stream) => [stream.name, stream]));
  state.streams = open.streams.map(
    (name) => known.get(name) ?? { name, status: 'Pending', rows: 0, bookmark: null, error: null },
  );
  state.revision += 1;
}
