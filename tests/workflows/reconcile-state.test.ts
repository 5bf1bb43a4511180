import { describe, expect, it } from 'vitest';
import type { OpenResult, ReconciledStream, RunResult } from '../../src/contract.js';
import { checkConnection } from '../../src/core/connection-request.js';
import type { Instant } from '../../src/core/instant.js';
import {
  addResult,
  newState,
  setOpen,
  statusAnswer,
  type ConnectionState,
} from '../../src/workflows/connection-state.js';
import {
  beginReconcile,
  endReconcile,
  reconcileDueMs,
  requestReconcile,
  retryReconcile,
} from '../../src/workflows/reconcile-state.js';

const NOW = '2026-11-24T12:00:00.000000Z' as Instant;
const NOW_MS = Date.parse(NOW);

const OPEN: OpenResult = {
  ...{ schema: 'stitch_closeio', layout: 'stitch', rebuildLayout: null, startDate: NOW },
  ...{ liveFrom: NOW, streams: ['leads', 'tasks'], knownStreams: ['leads', 'tasks', 'users'] },
};

function opened(): ConnectionState {
  const checked = checkConnection({ name: 'Stitch Closeio' }, NOW);
  if ('problem' in checked) throw new Error(checked.problem);
  const state = newState(checked.connection, false, NOW_MS);
  setOpen(state, OPEN);
  return state;
}

const LEADS: ReconciledStream = {
  ...{ stream: 'leads', source: 7, warehouse: 6, missing: 1, outdated: 0, vanished: 0 },
  ...{ unresolved: 0, note: null },
};
const RESULT: RunResult = { outcome: 'complete', records: 7, rows: 9, streams: [] };

describe('a request for a reconciliation', () => {
  it.each([
    [undefined, { id: 'new', status: 'queued' }],
    [
      { id: 'r1', streams: ['leads'] },
      { id: 'r1', status: 'queued' },
    ],
    [[], { reason: expect.stringContaining('object') as string }],
    ['leads', { reason: expect.stringContaining('object') as string }],
    [{ id: 'a b' }, { reason: expect.stringContaining('"id"') as string }],
    [{ streams: [] }, { reason: expect.stringContaining('at least one') as string }],
    [{ streams: ['users'] }, { reason: expect.stringContaining('does not have') as string }],
    [{ from: 'x' }, { reason: expect.stringContaining('other than') as string }],
  ])('%j is answered', (input, answer) => {
    expect(requestReconcile(opened(), input, 'new')).toEqual(answer);
  });

  it('finds the one under way, and one of its own id for ever', () => {
    const state = opened();
    requestReconcile(state, {}, 'first');
    expect(requestReconcile(state, {}, 'second')).toEqual({ id: 'first', status: 'queued' });
    beginReconcile(state, NOW_MS);
    expect(requestReconcile(state, {}, 'third')).toEqual({ id: 'first', status: 'running' });
    endReconcile(state, { outcome: 'complete', result: RESULT, problem: null }, NOW_MS, 60);
    expect(requestReconcile(state, { id: 'first' }, 'x')).toEqual({ id: 'first', status: 'done' });
    expect(requestReconcile(state, {}, 'fourth')).toEqual({ id: 'fourth', status: 'queued' });
  });
});

describe('a reconciliation', () => {
  it('keeps the end of what it compares when it is started again', () => {
    const state = opened();
    requestReconcile(state, { streams: ['leads'] }, 'r1');
    const begun = beginReconcile(state, NOW_MS);
    expect(begun).toEqual({ job: 'reconcile/r1', to: NOW, streams: ['leads'] });
    endReconcile(state, { outcome: 'stopped', result: null, problem: null }, NOW_MS, 60);
    expect([reconcileDueMs(state), statusAnswer(state).reconcile?.status]).toEqual([0, 'queued']);
    expect(beginReconcile(state, NOW_MS + 5_000)).toEqual(begun);
  });

  it('shows what it found', () => {
    const state = opened();
    requestReconcile(state, {}, 'r1');
    beginReconcile(state, NOW_MS);
    const result = { ...RESULT, reconciled: [LEADS] };
    endReconcile(state, { outcome: 'complete', result, problem: null }, NOW_MS, 60);
    expect(statusAnswer(state).reconcile).toEqual({
      ...{ id: 'r1', status: 'done', startedAt: NOW, finishedAt: NOW, streams: [LEADS] },
      problem: null,
    });
    expect(reconcileDueMs(state)).toBeUndefined();
  });

  it('that is not complete is tried again, later or when somebody says so', () => {
    const state = opened();
    requestReconcile(state, {}, 'r1');
    beginReconcile(state, NOW_MS);
    const problem = 'Close did not answer.';
    endReconcile(state, { outcome: 'failed', result: null, problem }, NOW_MS, 60);
    expect(statusAnswer(state).reconcile).toMatchObject({ status: 'incomplete', problem });
    expect(reconcileDueMs(state)).toBe(NOW_MS + 60);
    retryReconcile(state);
    expect(reconcileDueMs(state)).toBe(0);
  });

  it('says nothing of how complete a stream is', () => {
    const state = opened();
    const leads = { name: 'leads', isComplete: false, records: 1, rows: 1, totalRows: 9 };
    const more = { bookmark: null, error: 'refused', note: null, isSkipped: false };
    addResult(state, 'reconcile', { ...RESULT, streams: [{ ...leads, ...more }] });
    const shown = statusAnswer(state).streams.find(({ name }) => name === 'leads');
    expect(shown).toMatchObject({ status: 'Pending', rows: 9, error: null });
  });

  it('is asked for by a gap in the event log, once', () => {
    const state = opened();
    addResult(state, 'incremental', { ...RESULT, gap: 'gap-1' });
    expect(state.reconcile).toMatchObject({ id: 'gap-1', status: 'queued' });
    addResult(state, 'incremental', { ...RESULT, gap: 'gap-1' });
    beginReconcile(state, NOW_MS);
    endReconcile(state, { outcome: 'complete', result: RESULT, problem: null }, NOW_MS, 60);
    addResult(state, 'reconcile', { ...RESULT, gap: null });
    expect(state.reconcile).toMatchObject({ id: 'gap-1', status: 'done' });
  });
});
