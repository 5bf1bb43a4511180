import Table from 'cli-table3';
import type pg from 'pg';
import { parseExactJson } from '../close/exact-json.js';
import { CLOSE_STREAMS } from '../close/streams.js';
import type { Config } from '../config.js';
import { foldCustomFields } from '../core/custom-fields.js';
import { denestPage } from '../core/denest.js';
import { addMillis, instantFromMillis, type Instant } from '../core/instant.js';
import type { SourceStream } from '../core/ports.js';
import type { JsonRecord } from '../core/record.js';
import { number } from '../core/words.js';
import { ClosehaulError } from '../errors.js';
import { Catalog } from '../postgres/catalog.js';
import type { Counts, SliceRef } from '../postgres/checkpoints.js';
import { readConnection, type StoredConnection } from '../postgres/connections.js';
import { readCustomFields } from '../postgres/custom-fields.js';
import { loadPage } from '../postgres/load.js';
import { loadable, type RecordBatch } from '../postgres/loadable.js';
import { countRejects, readRejects, type KeptReject } from '../postgres/rejects.js';
import { beginRun, endRun, type RunRef } from '../postgres/runs.js';
import { checkOptions } from './connection-options.js';
import { withPool } from './database.js';
import { answer, type Output } from './output.js';

/** What was rejected and why; with `isRetry`, tries to load it again first. */
export async function rejected(
  config: Config,
  name: string,
  isRetry: boolean,
  output: Output,
): Promise<void> {
  const { schema } = checkOptions({ name });
  await withPool(config, async (pool) => {
    const connection = await readConnection(pool, schema);
    if (connection === undefined) throw new ClosehaulError('CONNECTION_UNKNOWN', { schema });
    const retried = isRetry ? await retryRejects(pool, connection, CLOSE_STREAMS) : null;
    const left = await countRejects(pool, schema);
    const lines = [
      ...(retried === null ? [] : [retriedText(retried)]),
      left.length === 0 ? 'No record is rejected.' : leftTable(left),
    ];
    answer(output, { retried, rejected: left }, lines.join('\n'));
  });
}

function retriedText({ tried, rejected: again }: Retried): string {
  return `Tried ${number(tried)} again: ${number(tried - again)} loaded, ${number(again)} rejected.`;
}

function leftTable(left: Awaited<ReturnType<typeof countRejects>>): string {
  const table = new Table({
    head: ['table', 'records', 'first', 'last', 'reason'],
    colAligns: ['left', 'right', 'left', 'left', 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const { table: name, count, firstAt, lastAt, reason } of left) {
    table.push([name, number(count), firstAt.slice(0, 19), lastAt.slice(0, 19), reason]);
  }
  return table.toString();
}

export interface Retried {
  readonly tried: number;
  readonly rejected: number;
}

/** Records of one page: as many as one of Close's has. */
const PAGE_RECORDS = 100;

/**
 * Loads rejected records again, as a run of its own: after a column of the warehouse, a constraint
 * of the users' or a rule of ours has changed. What is rejected again is kept with its new reason.
 */
export async function retryRejects(
  pool: pg.Pool,
  connection: StoredConnection,
  streams: readonly SourceStream[],
): Promise<Retried> {
  const { schema } = connection;
  const now = instantFromMillis(Date.now());
  const job = `rejected/${now}`;
  const run: RunRef = { schema, job, run: `${schema}/${job}`, kind: 'retry' };
  const slices = await beginRun(pool, run, () =>
    streams.map(({ name }) => ({
      ...{ stream: name, part: 'rejected', from: now, to: addMillis(now, 1) },
      bookmarkOnClose: null,
    })),
  );
  const catalog = await Catalog.open(pool, schema, connection.layout, streams);
  let total: Retried = { tried: 0, rejected: 0 };
  for (const ref of slices) {
    const stream = streams.find(({ name }) => name === ref.stream) as SourceStream;
    const counts = await retryStream({ pool, catalog, stream, ref, now });
    total = { tried: total.tried + counts.tried, rejected: total.rejected + counts.rejected };
  }
  await endRun(pool, run, {});
  return total;
}

interface StreamRetry {
  readonly pool: pg.Pool;
  readonly catalog: Catalog;
  readonly stream: SourceStream;
  readonly ref: SliceRef;
  readonly now: Instant;
}

async function retryStream({ pool, catalog, stream, ref, now }: StreamRetry): Promise<Retried> {
  let after: string | null = null;
  let rejectedAgain = 0;
  for (let version = 0, tried = 0; ; version += 1) {
    const retried: readonly KeptReject[] = await readRejects(pool, ref.schema, {
      ...{ stream: stream.name, after, before: now, limit: PAGE_RECORDS },
    });
    after = retried.at(-1)?.place ?? null;
    const counts: Counts = await loadPage(
      {
        ...(await denestRejects(pool, retried, stream, catalog)),
        ...{ ref, version, retried, receivedAt: now, totalRecords: null, requests: 0 },
        next: after === null ? null : { after },
      },
      { pool, catalog, probe: () => undefined },
    );
    tried += retried.length;
    rejectedAgain += counts.rejected;
    if (after === null) return { tried, rejected: rejectedAgain };
  }
}

async function denestRejects(
  pool: pg.Pool,
  rejects: readonly KeptReject[],
  stream: SourceStream,
  catalog: Catalog,
): Promise<RecordBatch> {
  const { customFields: families } = stream;
  const { fields } = await readCustomFields(pool, catalog.name);
  const asSent = rejects.map(({ record }) => parseExactJson(record) as JsonRecord);
  const folded = asSent.map((record) =>
    families === null ? record : foldCustomFields(record, families, fields),
  );
  return loadable(denestPage(folded, stream, catalog.layout, asSent));
}
