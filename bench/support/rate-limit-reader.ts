/** One worker of bench/rate-limit.ts: reads all activities into a schema, through the real activities. */
import { MockActivityEnvironment } from '@temporalio/testing';
import type { ActivityDeps } from '../../src/activities/deps.js';
import { beginRun } from '../../src/activities/runs.js';
import { syncSlices } from '../../src/activities/sync-slice.js';
import { createCloseClient } from '../../src/close/client.js';
import { createCloseSource } from '../../src/close/source.js';
import { CLOSE_STREAMS } from '../../src/close/streams.js';
import type { SlicesProgress } from '../../src/contract.js';
import { instantFromMillis } from '../../src/core/instant.js';
import { Catalog } from '../../src/postgres/catalog.js';
import { openConnection, registerStreams } from '../../src/postgres/connections.js';
import { createPool } from '../../src/postgres/pool.js';
import { createRateBudget } from '../../src/postgres/rate-budget.js';

const [baseUrl = '', databaseUrl = '', apiKey = '', schema = '', pageSize] = process.argv.slice(2);
const now = () => instantFromMillis(Date.now());

const pool = createPool({ url: databaseUrl, sizeMax: 14, applicationName: 'closehaul bench' });
const client = createCloseClient({
  ...{ connection: schema, keyVariable: 'CLOSE_API_KEY', apiKey, baseUrl, version: 'bench' },
  ...{ budget: createRateBudget(pool, apiKey), lane: 'history' },
});
const source = createCloseSource({
  ...{ client, pageSize: Number(pageSize) },
  warn: ({ message }) => console.error(message),
});
await openConnection(pool, {
  ...{ schema, name: schema, layout: 'stitch', organizationId: 'orga_bench', workflowId: schema },
  ...{ startDate: instantFromMillis(Date.parse('2025-11-01')), liveFrom: now() },
  isOwnerRunning: () => Promise.resolve(false),
});
const streams = CLOSE_STREAMS.filter(({ name }) => name === 'activities');
await registerStreams(pool, schema, streams, now());
const catalog = await Catalog.open(pool, schema, 'stitch', CLOSE_STREAMS);
const deps: ActivityDeps = {
  ...{ pool, streams: CLOSE_STREAMS, customFieldsBySchema: new Map(), now, nowMs: Date.now },
  ...{ sourceOf: () => source, provenSourceOf: () => Promise.resolve(source) },
  ...{ catalogOf: () => Promise.resolve(catalog), probe: () => undefined, forget: () => undefined },
};

let { slices: open } = await beginRun(
  {
    ...{ schema, job: 'initial', run: schema, kind: 'initial' as const },
    ...{ streams: null, from: null, to: null },
  },
  deps,
);
while (open.length > 0) {
  const refs = open.slice(0, 64);
  const environment = new MockActivityEnvironment();
  const { done } = await environment.run<[], SlicesProgress, () => Promise<SlicesProgress>>(() =>
    syncSlices(refs, deps),
  );
  open = open.filter((ref) => !done.some((index) => refs[index] === ref));
}
client.close();
await pool.end();
