import { describe, expect, it } from 'vitest';
import type { StatusAnswer, StreamStatus } from '../../src/contract.js';
import { currentDetails, syncDetails } from '../../src/workflows/details.js';

const NOW_MS = Date.parse('2026-11-28T08:04:11Z');

function stream(values: Partial<StreamStatus>): StreamStatus {
  return {
    ...{ name: 'leads', status: 'Up to date', rows: 1_200, error: null, note: null },
    bookmark: '2026-11-28T08:03:41.000000Z',
    ...values,
  };
}

function answer(values: Partial<StatusAnswer>): StatusAnswer {
  return {
    ...{ status: 'Up to date', name: 'Stitch Closeio', schema: 'stitch_closeio', every: '30m' },
    ...{ startDate: null, lastSync: null, historicalSync: 'done', syncsCompleted: 3 },
    syncedThrough: '2026-11-28T08:03:40.000000Z',
    nextSyncAt: '2026-11-28T08:33:40.000000Z',
    ...{ slotsSkipped: 0, streams: [stream({})], backfills: [], rebuild: null, reconcile: null },
    ...{ rejectedRequests: [], requests: { accepted: 0, rejected: 0 }, problem: null },
    ...values,
  };
}

describe('the details of a connection', () => {
  it('say how it stands, what comes next, and how far each stream is behind', () => {
    expect(currentDetails(answer({}), NOW_MS)).toBe(
      [
        '**Up to date**, complete up to 2026-11-28 08:03 UTC',
        '',
        'Next sync 2026-11-28 08:33 UTC, every 30m; as of 08:04:11 UTC',
        '',
        '| stream | rows | │ complete up to | │ lag |',
        '|:---|---:|:---|:---|',
        '| leads | 1,200 | │ 11-28 08:03 | │ 30 s |',
      ].join('\n'),
    );
  });

  it('put the problem with its next step above all else, in one paragraph', () => {
    const problem = 'leads: Close does not let the key read it.\nGive its role access.';
    const text = currentDetails(answer({ status: 'Incomplete', problem }), NOW_MS);

    expect(text.split('\n\n')[1]).toBe(
      '> leads: Close does not let the key read it. Give its role access.',
    );
  });

  it('put streams with trouble first, and what the key may not read in a line of its own', () => {
    const streams = [
      stream({ name: 'activities', rows: 90_000 }),
      stream({ name: 'leads', status: 'Incomplete', error: 'it broke', bookmark: null }),
      stream({ name: 'dialer', status: 'Skipped', rows: 0 }),
    ];
    const text = currentDetails(answer({ streams }), NOW_MS);

    const rows = text.split('\n').filter((line) => /^\| \D+\d/.test(line));
    expect(rows.map((line) => line.split('|')[1]?.trim())).toEqual([
      '**leads** !',
      'activities',
      'dialer',
    ]);
    expect(text).toContain('Not for this key: dialer');
  });

  it('stay short with 33 streams, 60 backfills and trouble in each', () => {
    const long = 'Close did not answer /activity/: timeout. Nothing to do if it passes.';
    const streams = Array.from({ length: 33 }, (_, index) =>
      stream({ name: `a_rather_long_stream_${index}`, rows: 1_000_000 + index, error: long }),
    );
    const backfills = Array.from({ length: 60 }, (_, index) => ({
      ...{ id: `job-${index}`, from: '2024-01-01T00:00:00.000000Z', to: null, streams: null },
      ...{ status: 'queued' as const, records: 12_345 },
    }));
    const rejectedRequests = Array.from({ length: 10 }, () => ({
      ...{ request: 'backfill', reason: '"from" must be an ISO date such as 2024-01-01.' },
      at: '2026-11-28T08:00:00.000000Z',
    }));
    const full = answer({ streams, backfills, rejectedRequests, problem: long });
    const text = currentDetails(full, NOW_MS);

    expect(text.length).toBeLessThan(2_500);
    expect(text.split('\n').length).toBeLessThan(45);
    // None is left out of the sums.
    expect(text).toMatch(/^\| 23 others \| 23,000,253 \| │ 11-28 08:03 \| │ 30 s \|$/m);
    expect(text).toContain('- Backfill job-59, 2024-01-01 to now: queued, 12,345 records');
    expect(text).toContain('- and 57 more');
  });
});

describe('the details of a sync', () => {
  it('name the slice at hand, those to come, and what has been loaded', () => {
    const slice = 'activity:2026-08-05T00:00:00.000000Z/2026-09-04T00:00:00.000000Z';
    const ref = { schema: 's', job: 'initial', stream: 'activities', slice };

    expect(syncDetails([ref], 35, { records: 12_345, rows: 99_000 })).toBe(
      '**activities 2026-08-05 to 2026-09-04 (activity), then 34 more**\n\n' +
        '12,345 records read, 99,000 rows written so far',
    );
  });
});
