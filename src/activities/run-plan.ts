import type pg from 'pg';
import type { RunInput } from '../contract.js';
import { earlier, parseInstant, type Instant } from '../core/instant.js';
import type { SourceStream } from '../core/ports.js';
import { censusSlice, historySlices, isDue, liveSlice } from '../core/slice.js';
import { ClosehaulError } from '../errors.js';
import type { PlannedSlice } from '../postgres/checkpoints.js';
import { readBookmarks, type Bookmark, type StoredConnection } from '../postgres/connections.js';
import { readCounted, readReaches } from '../postgres/reconciliations.js';

export interface PlanContext {
  readonly streams: readonly SourceStream[];
  readonly connection: StoredConnection;
  readonly now: Instant;
  readonly pool: pg.Pool;
}

/** The slices of a run, once it is known which slices of its job are open (`stream.part`). */
export async function planRun(
  input: RunInput,
  { streams, connection, now, pool }: PlanContext,
): Promise<(open: ReadonlySet<string>) => readonly PlannedSlice[]> {
  if (input.kind === 'incremental') {
    const slices = liveSlices(streams, await readBookmarks(pool, input.schema), now);
    return (open) => slices.filter(({ stream, part }) => !open.has(`${stream}.${part}`));
  }
  if (input.kind === 'reconcile') {
    const reachOf = await readReaches(pool, input.schema, connection.startDate);
    // Begun before, it goes on with what it counts.
    const begun = await readCounted(pool, input.schema, input.job);
    const compared = streams.filter(({ name, isLog }) => isLog !== true && !begun.has(name));
    const to = parseInstant(input.to ?? now) ?? now;
    const slices = compared.map((stream) => censusSlice(stream, reachOf(stream.name), to));
    return () => slices.map((slice) => ({ ...slice, bookmarkOnClose: null }));
  }
  const slices = jobSlices(streams, connection, input, now);
  return () => slices;
}

function liveSlices(
  streams: readonly SourceStream[],
  bookmarks: readonly Bookmark[],
  now: Instant,
): PlannedSlice[] {
  const hasEvents = bookmarks.some(
    ({ stream, part, isSkipped }) => !isSkipped && isEventLog(streams, stream, part),
  );
  return streams.flatMap((stream) =>
    stream.parts.flatMap((part) => {
      if (part.lane === 'history') return [];
      const kept = bookmarks.find((b) => b.stream === stream.name && b.part === part.name);
      // Opening gives each part its first bookmark; without one, what lies before would be lost.
      if (kept === undefined) throw new TypeError(`part ${part.name} has no bookmark`);
      if (!isDue(part, kept.readAt, now)) return [];
      const slice = liveSlice(stream, part, kept.bookmark, now, hasEvents);
      return [{ ...slice, bookmarkOnClose: now }];
    }),
  );
}

function isEventLog(streams: readonly SourceStream[], stream: string, part: string): boolean {
  const parts = streams.find(({ name }) => name === stream)?.parts ?? [];
  return parts.some(({ name, tellsOfOthers }) => name === part && tellsOfOthers === true);
}

function jobSlices(
  streams: readonly SourceStream[],
  connection: StoredConnection,
  input: RunInput,
  now: Instant,
): PlannedSlice[] {
  const from = parseInstant(input.from ?? connection.startDate);
  const wantedTo = parseInstant(input.to ?? connection.liveFrom);
  if (from === undefined || wantedTo === undefined) throw new ClosehaulError('START_DATE_INVALID');
  // History ends now; a date far ahead would plan thousands of empty slices.
  const to = earlier(wantedTo, now);
  // What is read whole has no past to fill, so a backfill reads it only when it was asked for alone.
  const dated = streams.map((stream) => ({
    ...stream,
    parts: stream.parts.filter(({ isWhole }) => isWhole !== true),
  }));
  const isDated = input.kind === 'backfill' && dated.some(({ parts }) => parts.length > 0);
  const slices = (isDated ? dated : streams).flatMap((stream) =>
    historySlices(stream, { from, to }, input.to === null),
  );
  return slices.map((slice) => ({ ...slice, bookmarkOnClose: null }));
}
