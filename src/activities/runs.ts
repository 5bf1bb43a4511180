import type { RunInput, RunResult, SliceRef, StreamResult } from '../contract.js';
import { earlier, parseInstant, type Instant } from '../core/instant.js';
import type { SourceStream } from '../core/ports.js';
import { historySlices, isDue, liveSlice } from '../core/slice.js';
import { ClosehaulError } from '../errors.js';
import type { PlannedSlice } from '../postgres/checkpoints.js';
import {
  readBookmarks,
  readConnection,
  readSelection,
  type Bookmark,
  type StoredConnection,
} from '../postgres/connections.js';
import { takeRereads } from '../postgres/rereads.js';
import { analyzeStreams, beginRun as begin, endRun as end, markStreams } from '../postgres/runs.js';
import type { ActivityDeps } from './deps.js';

/** Plans a run and returns its open slices, in the order in which to sync them. */
export async function beginRun(
  input: RunInput,
  deps: ActivityDeps,
): Promise<{ slices: readonly SliceRef[] }> {
  const { schema } = input;
  const connection = await readConnection(deps.pool, schema);
  if (connection === undefined) throw new ClosehaulError('CONNECTION_UNKNOWN', { schema });
  // What somebody dropped by hand is noticed here, also where no new record would touch it.
  await (await deps.catalogOf(schema)).repairDamage();
  const bookmarks = await readBookmarks(deps.pool, schema);
  const selected = (await readSelection(deps.pool, schema)).streams;
  const streams = deps.streams.filter(
    ({ name }) => selected.has(name) && (input.streams?.includes(name) ?? true),
  );
  const now = deps.now();
  const slices = await begin(deps.pool, input, (open) =>
    input.kind === 'incremental'
      ? liveSlices(streams, bookmarks, now).filter(
          ({ stream, part }) => !open.has(`${stream}.${part}`),
        )
      : jobSlices(streams, connection, input, now),
  );
  const order = deps.streams.map(({ name }) => name);
  const wanted = new Set(streams.map(({ name }) => name));
  // A stream that was left out keeps its open slices, for the day it is wanted again.
  const open = slices.filter(({ stream }) => wanted.has(stream));
  const ordered = [...open].sort((a, b) => order.indexOf(a.stream) - order.indexOf(b.stream));
  const names = [...new Set(ordered.map(({ stream }) => stream))];
  await markStreams(
    deps.pool,
    schema,
    names,
    input.kind === 'incremental' ? 'Syncing' : 'Historical sync',
  );
  return { slices: ordered };
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
    parts: stream.parts.filter(({ everyMs }) => everyMs === undefined),
  }));
  const isDated = input.kind === 'backfill' && dated.some(({ parts }) => parts.length > 0);
  const slices = (isDated ? dated : streams).flatMap((stream) =>
    historySlices(stream, { from, to }, input.to === null),
  );
  return slices.map((slice) => ({ ...slice, bookmarkOnClose: null }));
}

export interface EndRunInput extends RunInput {
  /** What went wrong with which stream; empty when nothing did. */
  readonly problems: Readonly<Record<string, string>>;
}

/** Closes a run and says how each of its streams stands. */
export async function endRun(input: EndRunInput, deps: ActivityDeps): Promise<RunResult> {
  const summaries = await end(deps.pool, input, input.problems);
  const streams = summaries.map((summary): StreamResult => ({
    name: summary.stream,
    isComplete: summary.isComplete,
    records: summary.fetched,
    rows: summary.rows,
    totalRows: summary.totalRows,
    bookmark: summary.bookmark,
    error: input.problems[summary.stream] ?? null,
    note: summary.note,
    isSkipped: summary.isSkipped,
  }));
  const isComplete = streams.every((stream) => stream.isComplete && stream.error === null);
  if (input.kind !== 'incremental') {
    await analyzeStreams(
      deps.pool,
      input.schema,
      streams.map(({ name }) => name),
    );
  }
  const rereads = await takeRereads(deps.pool, input.schema, isComplete ? input.job : null);
  return {
    rereads,
    outcome: isComplete ? 'complete' : 'incomplete',
    records: streams.reduce((sum, { records }) => sum + records, 0),
    rows: streams.reduce((sum, { rows }) => sum + rows, 0),
    streams,
  };
}
