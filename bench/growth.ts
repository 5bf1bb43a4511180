/**
 * Figure 3: what ten times as many records cost: time, memory, events in Temporal, room on the disk.
 *
 *   npm run bench -- growth [--quick] [--repetitions N]
 */
import { benchOptions, median, publish } from './support/figures.js';
import { makeRawCopy, RAW_COPY_SCHEMA, schemaBytes } from './support/raw-copy.js';
import {
  benchSandbox,
  endReplica,
  replicate,
  type Replication,
  type Size,
} from './support/replicate.js';
import { withStack, type Stack } from './support/stack.js';

const MIB = 1024 * 1024;

const options = benchOptions();
const small = options.isQuick ? { leads: 40, activities: 800 } : { leads: 400, activities: 8_000 };
const large = { leads: small.leads * 10, activities: small.activities * 10 };

interface Growth extends Replication {
  readonly bytes: number;
  /** The same rows, put into the same tables by COPY. */
  readonly copyBytes: number;
}

async function grow(stack: Stack, size: Size): Promise<Growth> {
  const sandbox = await benchSandbox(size);
  const database = await stack.database();
  const replica = await replicate(stack, database, sandbox, { streams: ['leads', 'activities'] });
  const events = replica.replication.events + (await replica.connection.events());
  await endReplica(replica);
  const { schema } = replica.connection;
  const copy = await makeRawCopy(database, schema);
  await copy.prepare();
  for (const statement of copy.statements) await database.pool.query(statement);
  const bytes = await schemaBytes(database.pool, schema);
  const copyBytes = await schemaBytes(database.pool, RAW_COPY_SCHEMA);
  await database.drop();
  await sandbox.stop();
  return { ...replica.replication, events, bytes, copyBytes };
}

/** Each sync has some events for itself; what grows is the rest. */
function eventsOfMillion(run: { readonly small: Growth; readonly large: Growth }): number {
  const growth = run.large.events - run.small.events;
  const records = run.large.records - run.small.records;
  return run.small.events + (growth / records) * 1_000_000;
}

await withStack(async (stack) => {
  const runs: { small: Growth; large: Growth }[] = [];
  for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
    runs.push({ small: await grow(stack, small), large: await grow(stack, large) });
  }
  const each = (value: (run: { small: Growth; large: Growth }) => number): number =>
    median(runs.map(value));
  const time = each((run) => run.large.seconds / run.small.seconds);
  const memory = each((run) => (run.large.peakBytes ?? NaN) / (run.small.peakBytes ?? NaN));
  const mebibytes = each((run) => (run.large.peakBytes ?? NaN) / MIB);
  const events = each(eventsOfMillion);
  const room = each((run) => run.large.bytes / run.large.copyBytes);
  const mebibytesOnDisk = each((run) => run.large.bytes / MIB);
  const copied = each((run) => run.large.copyBytes / MIB);
  const factor = { peer: null, limit: null, ratio: null };
  publish(
    'growth',
    options,
    [
      {
        ...{ measure: 'ten times the records: times the seconds', ...factor, ours: time },
        ...{ target: '≤ 10.5', isMet: time <= 10.5 },
      },
      {
        ...{ measure: 'ten times the records: times the peak memory', ...factor, ours: memory },
        ...{ target: '≤ 1.1', isMet: memory <= 1.1 },
      },
      {
        measure: 'ten times the records: peak memory of the worker, MiB',
        ...{ peer: null, ours: mebibytes, limit: 250, ratio: mebibytes / 250 },
        ...{ target: '≤ 250', isMet: mebibytes <= 250 },
      },
      {
        measure: 'events in Temporal for a million records',
        ...{ peer: null, ours: events, limit: 1_000, ratio: events / 1_000 },
        ...{ target: '≤ 1,000', isMet: events <= 1_000 },
      },
      {
        measure: 'room on the disk, MiB (limit: the same rows by COPY)',
        ...{ peer: null, ours: mebibytesOnDisk, limit: copied, ratio: room },
        ...{ target: '≤ 1.3 × limit', isMet: room <= 1.3 },
      },
    ],
    runs,
  );
});
