import Table from 'cli-table3';
import type { Config } from '../config.js';
import { number } from '../core/words.js';
import { listRuns } from '../postgres/report.js';
import { checkOptions } from './connection-options.js';
import { withPool } from './database.js';
import { answer, type Output } from './output.js';

/** What each sync read and wrote, the newest first. */
export async function runs(
  config: Config,
  name: string,
  limit: number,
  output: Output,
): Promise<void> {
  const { schema } = checkOptions({ name });
  const lines = await withPool(config, (pool) => listRuns(pool, schema, limit));
  const table = new Table({
    head: [
      'started',
      'kind',
      'outcome',
      'stream',
      'read',
      'new',
      'updated',
      'same',
      'stale',
      'rejected',
      'rows',
      'requests',
    ],
    style: { head: [], border: [], compact: true },
  });
  for (const line of lines) {
    const counts = [
      line.fetched,
      line.inserted,
      line.updated,
      line.unchanged,
      line.stale,
      line.rejected,
      line.rows,
      line.requests,
    ];
    table.push([
      line.startedAt.slice(0, 19),
      line.kind,
      line.outcome ?? 'running',
      line.stream ?? '',
      ...counts.map((count) => (count === null ? '' : number(count))),
    ]);
  }
  answer(output, lines, lines.length === 0 ? 'No run yet.' : table.toString());
}
