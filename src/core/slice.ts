import {
  addMillis,
  DAY_MS,
  earlier,
  instantFromMillis,
  later,
  toMillis,
  type Instant,
} from './instant.js';
import type { SourcePart, SourceStream } from './ports.js';
import type { Slice } from './stream.js';

/**
 * Cuts a range of a stream into slices, newest first, so that fresh data is there early.
 *
 *   [2025-01-10, 2025-03-01) in 30 days  →  [2025-02-11, 2025-03-01) [2025-01-12, 2025-02-11) [2025-01-10, …)
 *
 * Edges lie on a fixed grid counted from 1970, not from the range: a backfill from an earlier date
 * then shares its slices with the one before, and only its edges differ. What lies before 1970 is
 * one slice: a start in the year 1 must not make 24,000 of them.
 *
 * Invariant: the slices are disjoint and cover [from, to) exactly.
 */
export function planSlices(
  stream: Pick<SourceStream, 'name'>,
  part: Pick<SourcePart, 'name' | 'sliceDays'>,
  range: { readonly from: Instant; readonly to: Instant },
): readonly Slice[] {
  if (range.from >= range.to) return [];
  const slices: Slice[] = [];
  let from = range.from;
  while (from < range.to) {
    const edge = nextEdge(from, part.sliceDays);
    const to = edge === undefined ? range.to : earlier(edge, range.to);
    slices.push({ stream: stream.name, part: part.name, from, to });
    from = to;
  }
  return slices.reverse();
}

/** The end of time for a slice that also takes what is dated in the future. */
export const END_OF_TIME = '9999-12-31T00:00:00.000000Z' as Instant;

const GRID_START = instantFromMillis(0);

/** The next edge of the grid after `from`; undefined when none comes any more. */
function nextEdge(from: Instant, sliceDays: number | null): Instant | undefined {
  if (sliceDays === null) return undefined;
  if (from < GRID_START) return GRID_START;
  const stepMs = sliceDays * DAY_MS;
  const nextMs = (Math.floor(toMillis(from) / stepMs) + 1) * stepMs;
  return nextMs < toMillis(END_OF_TIME) ? instantFromMillis(nextMs) : undefined;
}

/**
 * The slices of a historical sync of one stream. Parts that read the future get one more slice from
 * `range.to` to the end of time: a meeting that is planned for next month is history too.
 */
export function historySlices(
  stream: SourceStream,
  range: { readonly from: Instant; readonly to: Instant },
  includesFuture: boolean,
): readonly Slice[] {
  return stream.parts.flatMap((part) => {
    const future =
      part.readsFuture && includesFuture && range.to < END_OF_TIME
        ? [{ stream: stream.name, part: part.name, from: range.to, to: END_OF_TIME }]
        : [];
    return [...future, ...planSlices(stream, part, range)];
  });
}

/**
 * The one slice of an incremental sync: from the bookmark, less the overlap, to now or beyond. It is
 * empty, and never the wrong way round, when the clock was set back behind the bookmark.
 */
export function liveSlice(
  stream: SourceStream,
  part: SourcePart,
  bookmark: Instant,
  now: Instant,
): Slice {
  const from = addMillis(bookmark, -part.overlapMs);
  const to = part.readsFuture ? END_OF_TIME : later(now, from);
  return { stream: stream.name, part: part.name, from, to };
}
