import { describe, expect, it } from 'vitest';
import { progressLine } from '../../src/commands/progress.js';
import type { Instant } from '../../src/core/instant.js';
import type { StreamProgress } from '../../src/postgres/report.js';

function stream(values: Partial<StreamProgress>): StreamProgress {
  return {
    ...{ stream: 'things', slicesDone: 0, slices: 10, records: 0, rows: 0, rejected: 0 },
    ...{ rangeDone: 0, totalRecords: null, currentFrom: null },
    ...values,
  };
}

describe('progressLine', () => {
  it('adds up all streams and names the slice that moves', () => {
    const currentFrom = '2026-03-01T00:00:00.000000Z' as Instant;
    const line = progressLine(
      [
        stream({ slicesDone: 10, records: 1_200, rows: 9_000, rangeDone: 1 }),
        stream({
          stream: 'others',
          slicesDone: 4,
          records: 800,
          rows: 800,
          rangeDone: 0.4,
          currentFrom,
        }),
      ],
      200,
    );

    expect(line.records).toBe(2_000);
    expect(line.text).toBe(
      '2,000 of about 3,200 records · 9,800 rows · 200 records/s · slice 14 of 20: others 2026-03-01 · about 6 s left',
    );
  });

  it('believes Close’s own total before a guess from the range', () => {
    const { text } = progressLine(
      [stream({ records: 100, totalRecords: 1_000, rangeDone: 0.5 })],
      10,
    );

    expect(text).toContain('100 of about 1,000 records');
    expect(text).toContain('about 1 min 30 s left');
  });

  it('guesses nothing while a stream has not begun, or nothing moves', () => {
    const begun = stream({ records: 100, totalRecords: 1_000 });

    expect(progressLine([begun, stream({})], 10).text).not.toMatch(/of about|left/);
    expect(progressLine([begun], 0).text).not.toContain('left');
  });

  it('tells of rejected records', () => {
    expect(progressLine([stream({ rejected: 3 })], 0).text).toContain('3 rejected');
  });
});
