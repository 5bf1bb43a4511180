import type { RunInput, RunResult, SliceRef, StreamResult } from '../contract.js';
import { earlier, parseInstant, type Instant } from '../core/instant.js';
import type { SourceStream } from '../core/ports.js';
import { historySlices, liveSlice } from '../core/slice.js';
import { ClosehaulError } from '../errors.js';
import type { PlannedSlice } from '../postgres/checkpoints.js';
import { readBookmarks, readConnection, type StoredConnection } from '../postgres/connections.js';
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
  const registered = new Set(bookmarks.map(({ stream }) => stream));
  const streams = deps.streams.filter(
    ({ name }) => registered.has(name) && (input.streams?.includes(name) ?? true),
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
  bookmarks: readonly { stream: string; part: string; bookmark: Instant }[],
  now: Instant,
): PlannedSlice[] {
  return streams.flatMap((stream) =>
    stream.parts.map((part) => {
      const kept = bookmarks.find((b) => b.stream === stream.name && b.part === part.name);
      // Opening gives each part its first bookmark; without one, what lies before would be lost.
      if (kept === undefined) throw new TypeError(`part ${part.name} has no bookmark`);
      const slice = liveSlice(stream, part, kept.bookmark, now);
      return { ...slice, bookmarkOnClose: now };
    }),
  );
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
  const slices = streams.flatMap((stream) =>
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
