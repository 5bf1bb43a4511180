import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { fileURLToPath } from 'node:url';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Worker,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import type pg from 'pg';
import { createActivities } from './activities/index.js';
import type { ActivityDeps, Probe } from './activities/deps.js';
import { remember } from './activities/remember.js';
import { createCloseClient } from './close/client.js';
import type { Warn } from './close/list-page.js';
import { createCloseSource } from './close/source.js';
import { CLOSE_STREAMS } from './close/streams.js';
import type { Config } from './config.js';
import { TASK_QUEUE } from './contract.js';
import { instantFromMillis } from './core/instant.js';
import { connectionSchema } from './core/naming.js';
import type { Lane, Source } from './core/ports.js';
import { ClosehaulError } from './errors.js';
import { serveHealth } from './health.js';
import type { Logger } from './log.js';
import { Catalog } from './postgres/catalog.js';
import { readConnection } from './postgres/connections.js';
import { migrate } from './postgres/migrate.js';
import { answers, createPool } from './postgres/pool.js';
import { createRateBudget } from './postgres/rate-budget.js';
import { VERSION } from './version.js';

/**
 * Puts a worker together: adapters → activities → Temporal. It keeps nothing that matters in memory
 * or on disk, so any number of them may run, and any may be killed.
 */
export interface WorkerOptions {
  readonly config: Pick<Config, 'keyOf' | 'closeUrl' | 'temporal' | 'healthAddress'>;
  readonly databaseUrl: string;
  readonly log: Logger;
  /** A seam for the fault tests, which kill the process at a named point. */
  readonly probe?: Probe;
  /** For benchmarks: see ActivityDeps. */
  readonly slicesAtOnce?: number;
}

export interface RunningWorker {
  /** Ends when the worker has drained; rejects when it failed. */
  readonly finished: Promise<void>;
  /** Stops polling, lets the page in hand commit, closes everything. */
  stop(): Promise<void>;
}

const BUNDLE = fileURLToPath(new URL('./workflow-bundle.js', import.meta.url));
/**
 * How long workflow code may take for one step. The SDK's 5 s are not among its public options, and
 * what takes longer does not fail: it ends the whole process, and then the next one that takes it
 * over. Some thousand signals that waited for a worker are one step, on a busy machine a long one.
 */
export const ACTIVATION_LIMIT: object = { isolateExecutionTimeout: '60s' };
/** Activities of one worker at a time. Most hold one database connection, some several: those wait. */
const ACTIVITIES_MAX = 10;
const POOL_SIZE = ACTIVITIES_MAX + 4;

/**
 * How much garbage may pile up beside what is in use, in percent of that. V8 would let four times as
 * much pile up (measured on a history: 342 MiB at most, so 258, for 5 to 10 % more CPU time).
 */
const GARBAGE_PERCENT = 100;
/**
 * Room for young objects in threads that start later, which is the one that workflows run in. They do
 * little, and V8 would keep 32 MiB for them; ours stays as it is, where a page's objects live and die.
 */
const THREAD_SEMI_SPACE_MIB = 1;

/** Throws DATABASE_…, TEMPORAL_UNREACHABLE and WORKER_NOT_BUILT. */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { config, databaseUrl, log } = options;
  setFlagsFromString(`--heap-growing-percent=${GARBAGE_PERCENT}`);
  setFlagsFromString(`--max-semi-space-size=${THREAD_SEMI_SPACE_MIB}`);
  await migrate(databaseUrl);
  const pool = createPool({
    url: databaseUrl,
    sizeMax: POOL_SIZE,
    applicationName: 'closehaul worker',
  });
  const connection = await connectWorker(config);
  const worker = await Worker.create({
    connection,
    namespace: config.temporal.namespace ?? 'default',
    taskQueue: TASK_QUEUE,
    workflowBundle: await workflowCode(),
    activities: createActivities(createDeps(options, pool)),
    identity: workerIdentity(),
    maxConcurrentActivityTaskExecutions: ACTIVITIES_MAX,
    // So that a dead worker is noticed in 30 s and a pause arrives within 5.
    maxHeartbeatThrottleInterval: '5s',
    shutdownGraceTime: '20s',
    shutdownForceTime: '25s',
    ...ACTIVATION_LIMIT,
  });
  const health = await serveHealth(config.healthAddress, async () => {
    return worker.getState() === 'RUNNING' && (await answers(pool));
  });
  const finished = worker.run().finally(async () => {
    health.close();
    await pool.end();
    await connection.close();
  });
  finished.catch(() => undefined);
  log.info({ version: VERSION }, 'worker started');
  return {
    finished,
    async stop() {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await finished;
    },
  };
}

/** What the Web UI and `closehaul doctor` show of a worker: version, machine, process. */
function workerIdentity(): string {
  return `closehaul-${VERSION}@${hostname()}:${process.pid}`;
}

async function connectWorker(config: WorkerOptions['config']): Promise<NativeConnection> {
  const { connectionOptions } = config.temporal;
  try {
    return await NativeConnection.connect(connectionOptions);
  } catch (error) {
    const address = connectionOptions.address ?? 'localhost:7233';
    throw new ClosehaulError('TEMPORAL_UNREACHABLE', { address }, { cause: error });
  }
}

/** The bundle that `npm run build` made; from source (tests, development) it is made on the spot. */
async function workflowCode(): Promise<WorkflowBundleOption> {
  if (existsSync(BUNDLE)) return { codePath: BUNDLE };
  const source = (name: string): string =>
    fileURLToPath(new URL(`./workflows/${name}.ts`, import.meta.url));
  if (!existsSync(source('index'))) throw new ClosehaulError('WORKER_NOT_BUILT');
  return bundleWorkflowCode({
    workflowsPath: source('index'),
    payloadConverterPath: source('payload-converter'),
    logger: new DefaultLogger('WARN'),
  });
}

function createDeps(options: WorkerOptions, pool: pg.Pool): ActivityDeps {
  const catalogs = new Map<string, Promise<Catalog>>();
  const customFieldsBySchema: ActivityDeps['customFieldsBySchema'] = new Map();
  const sources = new Sources(options, pool);
  return {
    pool,
    streams: CLOSE_STREAMS,
    customFieldsBySchema,
    sourceOf: (schema) => sources.of(schema, 'live'),
    provenSourceOf: (schema, lane, signal) => sources.proven(schema, lane, signal),
    catalogOf: (schema) =>
      catalogs.get(schema) ?? remember(catalogs, schema, openCatalog(schema, pool)),
    forget() {
      catalogs.clear();
      customFieldsBySchema.clear();
    },
    now: () => instantFromMillis(Date.now()),
    nowMs: () => Date.now(),
    probe: options.probe ?? (() => undefined),
    slicesAtOnce: options.slicesAtOnce,
  };
}

/**
 * The sources of this worker, one for each connection, key and lane. The tables that are made anew for a
 * connection are read with its key, and only here does anybody ask whose a schema is.
 */
class Sources {
  private readonly entries = new Map<string, SourceEntry>();

  constructor(
    private readonly options: WorkerOptions,
    private readonly pool: pg.Pool,
  ) {}

  /** With the key as it is now: a key file that was rotated is taken up without a restart. */
  of(schema: string, lane: Lane): Source {
    return this.entry(schema, lane).source;
  }

  /** Throws ORGANIZATION_CHANGED where the key reads another organization than the tables hold. */
  async proven(schema: string, lane: Lane, signal: AbortSignal): Promise<Source> {
    const entry = this.entry(schema, lane);
    if (entry.isProven) return entry.source;
    const connection = await readConnection(this.pool, entry.connection);
    const { organizationId } = await entry.source.identify(signal);
    if (connection !== undefined && connection.organizationId !== organizationId) {
      throw new ClosehaulError('ORGANIZATION_CHANGED', { schema });
    }
    entry.isProven = true;
    return entry.source;
  }

  private entry(schemaToFill: string, lane: Lane): SourceEntry {
    const schema = connectionSchema(schemaToFill);
    const { config, log } = this.options;
    const { key, variable } = config.keyOf(schema);
    if (key === undefined)
      throw new ClosehaulError('KEY_MISSING', { connection: schema, variable });
    const apiKey = key.reveal();
    const known = this.entries.get(`${schema} ${lane}`);
    if (known?.apiKey === apiKey) return known;
    const client = createCloseClient({
      ...{ connection: schema, keyVariable: variable, apiKey, baseUrl: config.closeUrl },
      version: VERSION,
      budget: createRateBudget(this.pool, apiKey),
      lane,
    });
    const warn: Warn = ({ code, message }) => log.warn({ schema, code }, message);
    const source = createCloseSource({ client, warn });
    const entry = { connection: schema, apiKey, source, isProven: false };
    this.entries.set(`${schema} ${lane}`, entry);
    return entry;
  }
}

interface SourceEntry {
  /** Schema of the connection whose key it is. */
  readonly connection: string;
  readonly apiKey: string;
  readonly source: Source;
  isProven: boolean;
}

async function openCatalog(schema: string, pool: pg.Pool): Promise<Catalog> {
  const connection = await readConnection(pool, schema);
  if (connection === undefined) throw new ClosehaulError('CONNECTION_UNKNOWN', { schema });
  return Catalog.open(pool, schema, connection.layout, CLOSE_STREAMS);
}
