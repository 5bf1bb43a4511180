import { Context } from '@temporalio/activity';
import type { RebuildTask, SwapResult } from '../contract.js';
import { isLayout } from '../core/layout.js';
import { ClosehaulError } from '../errors.js';
import * as rebuild from '../postgres/rebuild.js';
import { readStreamCounts } from '../postgres/report.js';
import type { ActivityDeps } from './deps.js';

const HEARTBEAT_MS = 5_000;

/** Makes ready the schema in which a connection's tables are made anew, or finds it as it was left. */
export async function openRebuild(task: RebuildTask, deps: ActivityDeps): Promise<void> {
  const { schema, layout } = task;
  if (!isLayout(layout)) throw new ClosehaulError('LAYOUT_UNKNOWN');
  const streams = deps.streams.filter(({ name }) => task.streams.includes(name));
  // Only the first time counts: where the live lane will go on is fixed before the first page.
  await rebuild.openRebuild(deps.pool, { schema, layout, streams, liveFrom: deps.now() });
}

/** Puts the new tables in the place of the old ones; asked again, it only says how it went. */
export async function swapRebuild(schema: string, deps: ActivityDeps): Promise<SwapResult> {
  const { pool, streams } = deps;
  const appendStreams = streams.filter(({ loading }) => loading === 'append');
  const context = Context.current();
  const ticker = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  try {
    await deps.probe('swap-begun');
    const left = await rebuild.swapRebuild(
      pool,
      schema,
      appendStreams.map(({ name }) => name),
    );
    await deps.probe('swap-committed');
    deps.forget();
    return { left, streams: await readStreamCounts(pool, schema) };
  } finally {
    clearInterval(ticker);
  }
}

/** Drops the old tables; returns the names of what still needs one, and then they stay. */
export async function dropReplaced(schema: string, deps: ActivityDeps): Promise<readonly string[]> {
  return rebuild.dropReplaced(deps.pool, schema);
}
