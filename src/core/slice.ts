import {
  addMillis,
  DAY_MS,
  earlier,
  instantFromMillis,
  later,
  MINUTE_MS,
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
  const parts = stream.parts.filter(({ lane }) => lane !== 'live');
  return parts.flatMap((part) => {
    const future =
      part.readsFuture && includesFuture && range.to < END_OF_TIME
        ? [{ stream: stream.name, part: part.name, from: range.to, to: END_OF_TIME }]
        : [];
    return [...future, ...planSlices(stream, part, range)];
  });
}

/** The part that the slice of a census is called by; it is made of all the parts of its stream. */
export const CENSUS = 'census';

/** The one slice of a census: all that the connection ever read of the stream, up to the future. */
export function censusSlice(stream: SourceStream, from: Instant, now: Instant): Slice {
  return { stream: stream.name, part: CENSUS, from, to: later(now, from) };
}

/** Close's own advice for its event log (docs, resources/events): the latest five minutes again. */
const EVENT_OVERLAP_MS = 5 * MINUTE_MS;

/**
 * The one slice of an incremental sync: from the bookmark, less the overlap, to now or beyond. It is
 * empty, and never the wrong way round, when the clock was set back behind the bookmark.
 *
 * `hasEvents`: what changed, and what is dated in the past or in the future, comes with the event log.
 */
export function liveSlice(
  stream: Pick<SourceStream, 'name'>,
  part: SourcePart,
  bookmark: Instant,
  now: Instant,
  hasEvents: boolean,
): Slice {
  const isFollowed = hasEvents && part.followsEvents === true;
  const overlapMs = isFollowed ? Math.min(part.overlapMs, EVENT_OVERLAP_MS) : part.overlapMs;
  const from = addMillis(bookmark, -overlapMs);
  const to = part.readsFuture && !isFollowed ? END_OF_TIME : later(now, from);
  return { stream: stream.name, part: part.name, from, to };
}

/**
 * Whether the live lane reads a part now. What is not read in each sync is read by its history first;
 * until then the live lane leaves it alone.
 */
export function isDue(part: SourcePart, readAt: Instant | null, now: Instant): boolean {
  if (part.lane === 'history') return false;
  if (part.everyMs === undefined) return true;
  return readAt !== null && addMillis(readAt, part.everyMs) <= now;
}
