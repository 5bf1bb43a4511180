import type { ReconcileAnswer, ReconcileStatus, RunResult } from '../contract.js';
import { instantFromMillis } from '../core/instant.js';
import type { ConnectionState } from './connection-state.js';
import type { Ended } from './rebuild.js';
import { isListOfText, REQUEST_ID_FORM } from '../core/request-fields.js';

/** A reconciliation of a connection, from the request to its counts. */
export interface ReconcileState extends ReconcileStatus {
  /** Null: all of the connection. */
  readonly only: readonly string[] | null;
  /** Before then it is not worth trying again, in milliseconds since 1970; null: at once. */
  readonly retryAtMs: number | null;
}

/** Asks for a reconciliation. One that waits or runs is found by any request. Never throws. */
export function requestReconcile(
  state: ConnectionState,
  input: unknown,
  newId: string,
): ReconcileAnswer | { readonly reason: string } {
  const request = input ?? {};
  if (typeof request !== 'object' || Array.isArray(request)) {
    return { reason: 'It must be an object with "streams" or "id", or nothing.' };
  }
  const { streams = null, id = newId, ...others } = request as Record<string, unknown>;
  if (Object.keys(others).length > 0) return { reason: 'It has fields other than streams, id.' };
  if (typeof id !== 'string' || !REQUEST_ID_FORM.test(id)) {
    return { reason: '"id" must be 1 to 64 letters, digits or . _ : -' };
  }
  if (streams !== null && (!isListOfText(streams) || streams.length === 0)) {
    return { reason: '"streams" must be a list of stream names, with at least one.' };
  }
  const known = state.open?.streams;
  if (known !== undefined && streams?.some((name) => !known.includes(name)) === true) {
    return { reason: '"streams" names one that this connection does not have.' };
  }
  const { reconcile } = state;
  const isUnderWay = reconcile?.status === 'queued' || reconcile?.status === 'running';
  if (reconcile !== null && (isUnderWay || reconcile.id === id)) {
    retryReconcile(state);
    return { id: reconcile.id, status: state.reconcile?.status ?? 'queued' };
  }
  state.reconcile = {
    ...{ id, status: 'queued', startedAt: null, finishedAt: null, streams: [], problem: null },
    ...{ only: streams, retryAtMs: null },
  };
  state.revision += 1;
  return { id, status: 'queued' };
}

/** What stopped half-way is tried now. */
export function retryReconcile(state: ConnectionState): void {
  const { reconcile } = state;
  if (reconcile?.status !== 'incomplete') return;
  state.reconcile = { ...reconcile, status: 'queued', retryAtMs: null };
  state.revision += 1;
}

/** From when on there is something to do for it, in milliseconds since 1970; undefined for nothing. */
export function reconcileDueMs({ reconcile }: ConnectionState): number | undefined {
  return reconcile === null || reconcile.status === 'done' ? undefined : (reconcile.retryAtMs ?? 0);
}

/** Begins it, or goes on; what is compared stays that of the first begin. */
export function beginReconcile(
  state: ConnectionState,
  nowMs: number,
): { readonly job: string; readonly to: string; readonly streams?: readonly string[] } {
  const { reconcile } = state;
  if (reconcile === null) throw new TypeError('no reconciliation was asked for');
  const startedAt = reconcile.startedAt ?? instantFromMillis(nowMs);
  state.reconcile = { ...reconcile, status: 'running', startedAt, problem: null };
  state.revision += 1;
  const { id, only } = reconcile;
  return { job: `reconcile/${id}`, to: startedAt, ...(only !== null && { streams: only }) };
}

export function endReconcile(
  state: ConnectionState,
  { outcome, result, problem }: Ended,
  nowMs: number,
  retryMs: number,
): void {
  const { reconcile } = state;
  if (reconcile === null) return;
  state.revision += 1;
  if (outcome === 'stopped') {
    state.reconcile = { ...reconcile, status: 'queued' };
    return;
  }
  const isDone = outcome === 'complete';
  state.reconcile = {
    ...reconcile,
    status: isDone ? 'done' : 'incomplete',
    finishedAt: instantFromMillis(nowMs),
    streams: result?.reconciled ?? [],
    problem: isDone ? null : (problem ?? failingIn(result)),
    retryAtMs: isDone ? null : nowMs + retryMs,
  };
}

function failingIn(result: RunResult | null): string {
  const stream = result?.streams.find(({ error, isComplete }) => error !== null || !isComplete);
  return stream === undefined
    ? 'It was not complete.'
    : `${stream.name}: ${stream.error ?? 'not all of it could be compared'}`;
}
