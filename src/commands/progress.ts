import { number } from '../core/words.js';
import type { StreamProgress } from '../postgres/report.js';

/** One line that says how far the historical sync is, from two readings of its progress. */
export interface ProgressLine {
  readonly text: string;
  readonly records: number;
}

export function progressLine(
  streams: readonly StreamProgress[],
  recordsPerSecond: number,
): ProgressLine {
  const sum = (read: (stream: StreamProgress) => number): number =>
    streams.reduce((total, stream) => total + read(stream), 0);
  const records = sum((stream) => stream.records);
  const rows = sum((stream) => stream.rows);
  const rejected = sum((stream) => stream.rejected);
  const expected = expectedRecords(streams);
  const current = [...streams].reverse().find(({ currentFrom }) => currentFrom !== null);
  const slices = `slice ${sum((s) => s.slicesDone)} of ${sum((s) => s.slices)}`;
  const parts = [
    `${number(records)}${expected === null ? '' : ` of about ${number(expected)}`} records`,
    `${number(rows)} rows`,
    `${number(Math.round(recordsPerSecond))} records/s`,
    current === undefined ? slices : `${slices}: ${current.stream} ${shortDate(current)}`,
    ...(rejected > 0 ? [`${number(rejected)} rejected`] : []),
    ...remaining(expected, records, recordsPerSecond),
  ];
  return { text: parts.join(' · '), records };
}

/** What all streams will have in the end; null until each of them has begun. */
function expectedRecords(streams: readonly StreamProgress[]): number | null {
  let total = 0;
  for (const stream of streams) {
    if (stream.slicesDone === stream.slices) total += stream.records;
    else if (stream.totalRecords !== null) total += Math.max(stream.totalRecords, stream.records);
    else if (stream.rangeDone > 0) total += stream.records / stream.rangeDone;
    else return null;
  }
  return streams.length === 0 ? null : Math.round(total);
}

function remaining(
  expected: number | null,
  records: number,
  recordsPerSecond: number,
): readonly string[] {
  if (expected === null || recordsPerSecond <= 0) return [];
  const seconds = Math.max(0, Math.round((expected - records) / recordsPerSecond));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const text =
    hours > 0
      ? `${hours} h ${minutes % 60} min`
      : minutes > 0
        ? `${minutes} min ${seconds % 60} s`
        : `${seconds} s`;
  return [`about ${text} left`];
}

function shortDate(stream: StreamProgress): string {
  return stream.currentFrom?.slice(0, 10) ?? '';
}
