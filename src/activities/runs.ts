import type { RereadWish, RunInput, RunResult, SliceRef, StreamResult } from '../contract.js';
import { ClosehaulError } from '../errors.js';
import { readConnection, readSelection } from '../postgres/connections.js';
import { forgetCensuses, readReconciliation, takeGap } from '../postgres/reconciliations.js';
import { takeRereads } from '../postgres/rereads.js';
import { analyzeStreams, beginRun as begin, endRun as end, markStreams } from '../postgres/runs.js';
import type { ActivityDeps } from './deps.js';
import { planRun } from './run-plan.js';

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
  const selected = (await readSelection(deps.pool, schema)).streams;
  const streams = deps.streams.filter(
    ({ name }) => selected.has(name) && (input.streams?.includes(name) ?? true),
  );
  const plan = await planRun(input, { streams, connection, now: deps.now(), pool: deps.pool });
  if (input.kind === 'reconcile') await forgetCensuses(deps.pool, schema, input.job);
  const slices = await begin(deps.pool, input, plan);
  const order = deps.streams.map(({ name }) => name);
  const wanted = new Set(streams.map(({ name }) => name));
  // A stream that was left out keeps its open slices, for the day it is wanted again.
  const open = slices.filter(({ stream }) => wanted.has(stream));
  const ordered = [...open].sort((a, b) => order.indexOf(a.stream) - order.indexOf(b.stream));
  // A reconciliation goes on beside the syncs, which say what a stream does.
  if (input.kind !== 'reconcile') {
    const names = [...new Set(ordered.map(({ stream }) => stream))];
    const status = input.kind === 'incremental' ? 'Syncing' : 'Historical sync';
    await markStreams(deps.pool, schema, names, status);
  }
  return { slices: ordered };
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
  if (input.kind !== 'incremental' && input.kind !== 'reconcile') {
    await analyzeStreams(
      deps.pool,
      input.schema,
      streams.map(({ name }) => name),
    );
  }
  const isReconciled = input.kind === 'reconcile' && isComplete;
  const gap = await takeGap(deps.pool, input.schema, isReconciled ? input.run : null);
  const rereads = await takeRereads(deps.pool, input.schema, isComplete ? input.job : null);
  return {
    gap,
    rereads: gap === null ? rereads : [...rereads, ...(await holders(input, gap, deps))],
    ...(input.kind === 'reconcile' && {
      reconciled: await readReconciliation(deps.pool, input.schema, input.job),
    }),
    outcome: isComplete ? 'complete' : 'incomplete',
    records: streams.reduce((sum, { records }) => sum + records, 0),
    rows: streams.reduce((sum, { rows }) => sum + rows, 0),
    streams,
  };
}

/**
 * What forgotten events told of copies inside other records: no clock shows that these are old, and a
 * reconciliation compares clocks. So all that hold copies are read again.
 */
async function holders(
  { schema }: RunInput,
  gap: string,
  { pool, streams }: ActivityDeps,
): Promise<readonly RereadWish[]> {
  const connection = await readConnection(pool, schema);
  const selected = (await readSelection(pool, schema)).streams;
  const names = streams
    .filter(({ name, parts }) => selected.has(name) && parts.some((part) => part.holdsCopies))
    .map(({ name }) => name);
  if (connection === undefined || names.length === 0) return [];
  return [{ id: `copies-${gap}`, streams: names, from: connection.startDate }];
}
