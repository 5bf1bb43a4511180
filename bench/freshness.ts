/**
 * Figure 5: how long after a change in Close it can be queried when a connection replicates every
 * ten seconds, and how many requests that takes.
 *
 *   npm run bench -- freshness [--quick]
 */
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Sandbox } from '../src/sandbox/sandbox.js';
import { benchOptions, publish, quantile } from './support/figures.js';
import { benchSandbox, endReplica, replicate } from './support/replicate.js';
import { withStack } from './support/stack.js';

const options = benchOptions();
const SECONDS = options.isQuick ? 60 : 180;
/** Thirty changes a minute: a busy organization. */
const CHANGE_EVERY_MS = 2_000;
const LOOK_EVERY_MS = 100;
/** The last changes are waited for so long at most. */
const PATIENCE_MS = 60_000;

interface Change {
  readonly table: 'leads' | 'activities';
  readonly id: string;
  readonly madeMs: number;
  /** Stands in a field of the record, so that the row that has it is the changed one. */
  readonly mark: string;
}

/** A lead and an activity by turns; each is changed once. */
class Changes {
  private count = 0;
  private readonly leads: string[];
  private readonly activities: string[];

  constructor(private readonly sandbox: Sandbox) {
    this.leads = [...sandbox.world.leads()].map(({ id }) => id as string);
    this.activities = [...sandbox.world.activities()].map(({ id }) => id as string);
  }

  next(): Change {
    const { world } = this.sandbox;
    this.count += 1;
    const mark = `change ${this.count}`;
    const table = this.count % 2 === 0 ? 'leads' : 'activities';
    const id = this[table][this.count] ?? '';
    if (table === 'leads') world.updateLead(id, { description: mark });
    else world.updateActivity(id, { note: mark });
    return { table, id, mark, madeMs: performance.now() };
  }
}

async function arrived(
  pool: pg.Pool,
  schema: string,
  changes: ReadonlySet<Change>,
): Promise<readonly Change[]> {
  const ids = [...changes].map(({ id }) => id);
  const { rows } = await pool.query<{ mark: string }>(
    `SELECT description AS mark FROM "${schema}".leads WHERE id = ANY($1)
      UNION ALL SELECT note FROM "${schema}".activities WHERE id = ANY($1)`,
    [ids],
  );
  const marks = new Set(rows.map(({ mark }) => mark));
  return [...changes].filter(({ mark }) => marks.has(mark));
}

await withStack(async (stack) => {
  const sandbox = await benchSandbox({ leads: 400, activities: 8_000 });
  const database = await stack.database();
  const replica = await replicate(stack, database, sandbox, { streams: ['all'], every: '10s' });
  const { connection } = replica;
  await connection.until(({ syncsCompleted }) => syncsCompleted > 1);

  const made = new Changes(sandbox);
  const waiting = new Set<Change>();
  const delaysMs: number[] = [];
  const startedMs = performance.now();
  const requestsBefore = sandbox.stats().requests;
  let requests = 0;
  let nextMs = startedMs;
  for (;;) {
    const nowMs = performance.now();
    const isOver = nowMs - startedMs >= SECONDS * 1000;
    if (isOver && requests === 0) requests = sandbox.stats().requests - requestsBefore;
    if (isOver && (waiting.size === 0 || nowMs - startedMs > SECONDS * 1000 + PATIENCE_MS)) break;
    if (!isOver && nowMs >= nextMs) {
      waiting.add(made.next());
      nextMs += CHANGE_EVERY_MS;
    }
    for (const change of await arrived(database.pool, connection.schema, waiting)) {
      waiting.delete(change);
      delaysMs.push(performance.now() - change.madeMs);
    }
    await delay(LOOK_EVERY_MS);
  }
  await endReplica(replica);
  await sandbox.stop();
  if (waiting.size > 0) throw new Error(`${waiting.size} changes never came`);

  const slow = quantile(delaysMs, 0.95) / 1000;
  const rate = requests / SECONDS;
  publish(
    'freshness',
    options,
    [
      {
        measure: `--every 10s, 30 changes a minute: seconds until 95 % of ${delaysMs.length} could be queried`,
        ...{ peer: null, ours: slow, limit: 12, ratio: slow / 12 },
        ...{ target: '≤ 12 s', isMet: slow <= 12 },
      },
      {
        measure: '--every 10s, 30 changes a minute: requests a second',
        ...{ peer: null, ours: rate, limit: 1, ratio: rate },
        ...{ target: '≤ 1', isMet: rate <= 1 },
      },
    ],
    { delaysMs, medianSeconds: quantile(delaysMs, 0.5) / 1000 },
  );
});
