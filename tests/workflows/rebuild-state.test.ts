import { describe, expect, it } from 'vitest';
import type { OpenResult, RunResult } from '../../src/contract.js';
import { checkConnection } from '../../src/core/connection-request.js';
import type { Instant } from '../../src/core/instant.js';
import {
  addProgress,
  addResult,
  newState,
  setOpen,
  statusAnswer,
  type ConnectionState,
} from '../../src/workflows/connection-state.js';
import {
  adoptTables,
  changeRebuild,
  rebuildDueMs,
  requestRebuild,
  retryRebuild,
} from '../../src/workflows/rebuild-state.js';

const NOW = '2026-11-24T12:00:00.000000Z' as Instant;
const NOW_MS = Date.parse(NOW);

const OPEN: OpenResult = {
  ...{ schema: 'stitch_closeio', layout: 'stitch', rebuildLayout: null, startDate: NOW },
  ...{ liveFrom: NOW, streams: ['leads', 'activities'], knownStreams: ['leads', 'activities'] },
};

function opened(change: Partial<OpenResult> = {}): ConnectionState {
  const checked = checkConnection({ name: 'Stitch Closeio' }, NOW);
  if ('problem' in checked) throw new Error(checked.problem);
  const state = newState(checked.connection, false, NOW_MS);
  setOpen(state, { ...OPEN, ...change });
  return state;
}

const RESULT: RunResult = { outcome: 'complete', records: 7, rows: 9, streams: [] };

describe('a request for a rebuild', () => {
  it('takes the layout of the tables when it names none', () => {
    const state = opened({ layout: 'jsonb' });
    expect(requestRebuild(state, undefined)).toEqual({ status: 'queued' });
    expect(statusAnswer(state).rebuild).toEqual({
      ...{ layout: 'jsonb', status: 'queued', records: 0, problem: null },
    });
  });

  it.each([
    [null, { status: 'queued' }],
    [{ layout: null }, { status: 'queued' }],
    [[], { reason: expect.stringContaining('object') as string }],
    ['jsonb', { reason: expect.stringContaining('object') as string }],
    [{ layout: 7 }, { reason: expect.stringContaining('no such layout') as string }],
    [{ layout: 'toString' }, { reason: expect.stringContaining('no such layout') as string }],
    [{ name: 'X' }, { reason: expect.stringContaining('other than layout') as string }],
  ])('%j is answered', (input, answer) => {
    expect(requestRebuild(opened(), input)).toEqual(answer);
  });

  it('waits until the connection is open', () => {
    const state = { ...opened(), open: null };
    expect(requestRebuild(state, {})).toMatchObject({ reason: expect.any(String) as string });
  });

  it('is refused where the schema’s name leaves no room for another beside it', () => {
    expect(requestRebuild(opened({ schema: 'x'.repeat(53) }), {})).toEqual({ status: 'queued' });
    expect(requestRebuild(opened({ schema: 'x'.repeat(54) }), {})).toMatchObject({
      reason: expect.stringContaining('53 characters') as string,
    });
  });

  it('finds the one that is under way, and begins another when it is done', () => {
    const state = opened();
    requestRebuild(state, { layout: 'jsonb' });
    changeRebuild(state, { status: 'running', records: 5 });
    expect(requestRebuild(state, { layout: 'jsonb' })).toEqual({ status: 'running' });
    expect(requestRebuild(state, {})).toEqual({ status: 'running' });
    expect(requestRebuild(state, { layout: 'stitch' })).toHaveProperty('reason');
    expect(state.rebuild).toMatchObject({ layout: 'jsonb', records: 5 });
    adoptTables(state, { left: [], streams: [] });
    expect(requestRebuild(state, {})).toEqual({ status: 'queued' });
    // The tables are jsonb now; those that were replaced are to be dropped first.
    expect(state.rebuild).toMatchObject({ layout: 'jsonb', records: 0, hasOldTables: true });
  });

  it('tries an incomplete one again, or another layout instead', () => {
    const state = opened();
    requestRebuild(state, { layout: 'jsonb' });
    changeRebuild(state, { status: 'incomplete', records: 5, retryAtMs: NOW_MS });
    expect(requestRebuild(state, { layout: 'jsonb' })).toEqual({ status: 'queued' });
    expect(state.rebuild).toMatchObject({ records: 5, retryAtMs: null });
    changeRebuild(state, { status: 'incomplete' });
    expect(requestRebuild(state, { layout: 'stitch-v2' })).toEqual({ status: 'queued' });
    expect(state.rebuild).toMatchObject({ layout: 'stitch-v2', records: 0 });
  });
});

describe('a rebuild', () => {
  it('that a workflow left behind goes on in the next one', () => {
    expect(opened({ rebuildLayout: 'jsonb' }).rebuild).toMatchObject({ status: 'queued' });
  });

  it('shows its records, and none of them in the streams', () => {
    const state = opened();
    requestRebuild(state, {});
    const page = { stream: 'leads', pages: 1, records: 3, inserted: 3, rows: 4, rejected: 0 };
    const progress = { kind: 'rebuild', job: 'initial', streams: [page] } as const;
    addProgress(state, { ...progress, isStalled: false });
    addProgress(state, { ...progress, isStalled: true });
    const { rebuild, streams, problem } = statusAnswer(state);
    expect(rebuild?.records).toBe(3);
    expect(streams[0]?.rows).toBe(0);
    expect(problem).toMatch(/rebuild sync has loaded nothing/);
    addResult(state, 'rebuild', RESULT);
    expect(statusAnswer(state)).toMatchObject({ problem: null, rebuild: { records: 7 } });
  });

  it('is due at once, when its time comes, or when resumed; never when all is done', () => {
    const state = opened();
    expect(rebuildDueMs(state)).toBeUndefined();
    requestRebuild(state, {});
    expect(rebuildDueMs(state)).toBe(0);
    changeRebuild(state, { status: 'incomplete', retryAtMs: NOW_MS });
    expect(rebuildDueMs(state)).toBe(NOW_MS);
    retryRebuild(state);
    expect(rebuildDueMs(state)).toBe(0);
    adoptTables(state, { left: [], streams: [] });
    expect(rebuildDueMs(state), 'the old tables are there').toBe(0);
    changeRebuild(state, { hasOldTables: false });
    expect(rebuildDueMs(state)).toBeUndefined();
  });

  it('mends what was wrong with the history, and wants a sync', () => {
    const state = opened();
    state.historyProblems = { leads: 'its history is not complete' };
    state.historical = 'incomplete';
    requestRebuild(state, { layout: 'jsonb' });
    const streams = [{ name: 'leads', rows: 12, bookmark: NOW }];
    adoptTables(state, { left: ['view public.v'], streams });
    expect(state).toMatchObject({ historical: 'done', isSyncAsked: true });
    expect(state.open?.layout).toBe('jsonb');
    expect(statusAnswer(state)).toMatchObject({
      streams: [{ name: 'leads', rows: 12, bookmark: NOW, error: null }, { name: 'activities' }],
      rebuild: {
        problem: expect.stringMatching(/stitch_closeio__replaced.*view public\.v/) as string,
      },
    });
    expect(state.rebuild?.hasOldTables, 'they are not dropped').toBe(false);
  });
});

describe('what the database wants read again', () => {
  const reread = { id: 'reread-1', streams: ['leads'], from: '2026-01-01T00:00:00Z' };

  it.each(['initial', 'incremental', 'backfill', 'rebuild'] as const)(
    'becomes a backfill of its id, once (told by a run of kind %s)',
    (kind) => {
      const state = opened();
      const { revision } = state;
      addResult(state, kind, { ...RESULT, rereads: [reread] });
      addResult(state, kind, { ...RESULT, rereads: [{ ...reread, from: '2025-01-01' }] });
      expect(statusAnswer(state).backfills).toEqual([
        {
          ...{ id: 'reread-1', from: '2026-01-01T00:00:00.000000Z', to: null, streams: ['leads'] },
          ...{ status: 'queued', records: 0 },
        },
      ]);
      expect(state.revision, 'the lane wakes up').toBeGreaterThan(revision);
    },
  );

  it('is no date: it is left out, and nothing else suffers', () => {
    const state = opened();
    addResult(state, 'initial', { ...RESULT, rereads: [{ ...reread, from: 'x' }, reread] });
    expect(state.backfills).toHaveLength(1);
  });
});
