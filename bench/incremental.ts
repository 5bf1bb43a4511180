/**
 * Figure 4: what an incremental sync costs when the warehouse holds a million records and nothing,
 * or a hundred things, changed in Close.
 *
 *   npm run bench -- incremental [--quick] [--repetitions N]
 */
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { JsonObject } from '../src/sandbox/json.js';
import type { Sandbox } from '../src/sandbox/sandbox.js';
import { benchOptions, median, publish, type Figure } from './support/figures.js';
import { multiplyRecords } from './support/multiply.js';
import { explainAll, explainedIn } from './support/plans.js';
import { benchSandbox, endReplica, replicate, type Replica } from './support/replicate.js';
import { withStack } from './support/stack.js';

const options = benchOptions();
const SIZE = { leads: 400, activities: 8_000 };
const CHANGES = 100;
/** A session that rests tells its statistics after this, and a worker has ended it. */
const REST_MS = 11_000;
/** A smaller table is read whole more quickly than by an index. */
const LARGE_ROWS = options.isQuick ? 10_000 : 100_000;

const recordsWanted = options.isQuick ? 50_000 : 1_000_000;

interface Cost {
  readonly requests: number;
  readonly seconds: number;
  readonly events: number;
  readonly records: number;
  readonly byPath: Readonly<Record<string, number>>;
}

async function costOf(sandbox: Sandbox, { connection }: Replica): Promise<Cost> {
  const before = sandbox.stats();
  const sync = await connection.incrementalSync();
  const after = sandbox.stats();
  return {
    requests: after.requests - before.requests,
    ...{ seconds: sync.seconds, events: sync.events, records: sync.result.records },
    byPath: Object.fromEntries(
      Object.entries(after.byPath).flatMap(([path, count]) => {
        const more = count - (before.byPath[path] ?? 0);
        return more > 0 ? [[path, more]] : [];
      }),
    ),
  };
}

/** Edits a hundred records, others each time, as people do in a morning: each is one change. */
function change({ world }: Sandbox, repetition: number): void {
  const edit = (
    records: Iterable<JsonObject>,
    count: number,
    apply: (id: string) => unknown,
  ): void => {
    const ids = [...records].map(({ id }) => id as string);
    const start = repetition * count;
    for (const id of ids.slice(start, start + count)) apply(id);
  };
  const text = `edited ${repetition}`;
  edit(world.activities(), CHANGES * 0.5, (id) => world.updateActivity(id, { note: text }));
  edit(world.leads(), CHANGES * 0.2, (id) => world.updateLead(id, { description: text }));
  edit(world.contacts(), CHANGES * 0.1, (id) => world.updateContact(id, { title: text }));
  edit(world.opportunities(), CHANGES * 0.1, (id) => world.updateOpportunity(id, { note: text }));
  edit(world.tasks(), CHANGES * 0.1, (id) => world.updateTask(id, { text }));
}

/** How often each large table was read from end to end so far. */
async function tableScans(pool: pg.Pool): Promise<ReadonlyMap<string, number>> {
  await delay(REST_MS);
  const { rows } = await pool.query<{ name: string; scans: number }>(
    `SELECT format('%I.%I', schemaname, relname) AS name, seq_scan AS scans
       FROM pg_stat_user_tables WHERE n_live_tup >= $1`,
    [LARGE_ROWS],
  );
  return new Map(rows.map(({ name, scans }) => [name, scans]));
}

function figuresOf(
  what: string,
  costs: readonly Cost[],
  may: { readonly requests: number; readonly seconds: number },
): Figure[] {
  const figure = (measure: string, values: readonly number[], limit: number): Figure => {
    const ours = median(values);
    return {
      ...{ measure: `incremental sync, ${what}: ${measure}`, peer: null, ours, limit },
      ...{ ratio: ours / limit, target: `≤ ${limit}`, isMet: ours <= limit },
    };
  };
  return [
    figure(
      'requests',
      costs.map(({ requests }) => requests),
      may.requests,
    ),
    figure(
      'seconds',
      costs.map(({ seconds }) => seconds),
      may.seconds,
    ),
    figure(
      'events',
      costs.map(({ events }) => events),
      25,
    ),
  ];
}

await withStack(async (stack) => {
  const sandbox = await benchSandbox(SIZE);
  const database = await stack.database();
  const replica = await replicate(stack, database, sandbox, { streams: ['all'] });
  await replica.connection.until(({ syncsCompleted }) => syncsCompleted > 0);
  const { schema } = replica.connection;
  const copies = Math.ceil(recordsWanted / replica.replication.records);
  const records = await multiplyRecords(database.pool, schema, copies);
  console.log(`  ${records.toLocaleString('en-US')} records in the warehouse`);
  await costOf(sandbox, replica);

  const scansBefore = await tableScans(database.pool);
  const none: Cost[] = [];
  const hundred: Cost[] = [];
  // First, since the events of the last minutes are read again in each sync.
  for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
    none.push(await costOf(sandbox, replica));
  }
  for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
    change(sandbox, repetition);
    hundred.push(await costOf(sandbox, replica));
  }
  const scansAfter = await tableScans(database.pool);
  const scanned = [...scansAfter].flatMap(([name, scans]) => {
    const more = scans - (scansBefore.get(name) ?? scans);
    return more > 0 ? [`${name}: ${more}`] : [];
  });
  // Apart from what is measured, since to explain takes time.
  await explainAll(stack);
  await delay(REST_MS);
  change(sandbox, options.repetitions);
  await costOf(sandbox, replica);
  const statements = explainedIn(stack.postgresLog);
  const large = [...scansAfter.keys()].map((name) => name.split('.')[1]);
  const whole = statements.filter(({ reads }) =>
    large.some((table) => reads.includes(`Seq Scan ${table}`)),
  );
  const figures = [
    ...figuresOf('no change', none, { requests: 6, seconds: 2 }),
    ...figuresOf(`${CHANGES} changes`, hundred, { requests: 20, seconds: 3 }),
    {
      measure: 'incremental syncs: large tables read from end to end',
      ...{ peer: null, ours: scanned.length, limit: 0, ratio: null },
      ...{ target: '0', isMet: scanned.length === 0 },
    },
    {
      measure: `incremental sync, ${CHANGES} changes: plans that read a large table from end to end`,
      ...{ peer: null, ours: whole.length, limit: 0, ratio: null },
      ...{ target: '0', isMet: whole.length === 0 && statements.length > 0 },
    },
  ];
  publish('incremental', options, figures, { records, none, hundred, scanned, statements });
  for (const line of scanned) console.log(`  read whole: ${line}`);
  for (const { statement } of whole) console.log(`  read whole by: ${statement}`);
  await endReplica(replica);
  await sandbox.stop();
});
