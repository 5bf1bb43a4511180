import { isGrpcServiceError, type Client } from '@temporalio/client';
import type pg from 'pg';
import { registerAttributes, registeredAttributes } from '../activities/search-attributes.js';
import type { Config } from '../config.js';
import { SEARCH_ATTRIBUTES, TASK_QUEUE, type StatusAnswer } from '../contract.js';
import { ClosehaulError } from '../errors.js';
import { pendingMigrations } from '../postgres/migrate.js';
import { listConnections, type ConnectionLine } from '../postgres/report.js';
import { VERSION } from '../version.js';
import { checkFindings } from './check.js';
import { withClient } from './client.js';
import { readStatus } from './connection.js';
import { withPool } from './database.js';
import { finding, report, type Finding, type Look } from './findings.js';
import type { Output } from './output.js';

/**
 * Looks at the whole installation: what a sync needs, the servers, the workers, each connection; and
 * says of each what to do. `isToRegister` makes the search attributes first. False when something
 * stops a sync.
 */
export async function doctor(
  config: Config,
  name: string,
  isToRegister: boolean,
  output: Output,
): Promise<boolean> {
  const findings = [...(await checkFindings(config, name))];
  const isWell = (what: string): boolean =>
    findings.some((found) => found.what === what && found.ok);
  const own = await finding('Closehaul', () => Promise.resolve(describeOwn()));
  if (isWell('Temporal')) {
    findings.push(...(await withClient(config, (client) => lookAtTemporal(client, isToRegister))));
  }
  if (isWell('PostgreSQL')) {
    findings.push(await finding('Tables', () => withPool(config, lookAtTables)));
    // Without a worker nobody would answer for a connection.
    if (isWell('Workers')) findings.push(...(await lookAtConnections(config)));
  }
  return report([own, ...findings], output);
}

const NODE_TESTED = /^v(?:20|22|24)\./;

function describeOwn(): Look {
  const { version, platform, arch } = process;
  const says = `version ${VERSION}, Node ${version.slice(1)}, ${platform} ${arch}`;
  return NODE_TESTED.test(version)
    ? { says }
    : { says: `${says}. It is tested with Node 20, 22 and 24.`, isWarning: true };
}

async function lookAtTemporal(client: Client, isToRegister: boolean): Promise<readonly Finding[]> {
  const namespace = await finding('Namespace', () => lookAtNamespace(client));
  if (!namespace.ok) return [namespace];
  return [
    namespace,
    await finding('Workers', () => lookAtWorkers(client)),
    await finding('Search', () => lookAtSearchAttributes(client, isToRegister)),
  ];
}

/** gRPC's code for what is not there. */
const NOT_FOUND = 5;

async function lookAtNamespace({ connection, options }: Client): Promise<string> {
  const { namespace } = options;
  const { serverVersion } = await connection.workflowService.getSystemInfo({});
  try {
    await connection.workflowService.describeNamespace({ namespace });
  } catch (error) {
    if (!isGrpcServiceError(error) || Number(error.code) !== NOT_FOUND) throw error;
    throw new ClosehaulError('TEMPORAL_NAMESPACE_MISSING', { namespace });
  }
  return `${namespace}, on a server of version ${serverVersion || 'unknown'}`;
}

/** Temporal's number for the queue of workflow tasks. */
const WORKFLOW_QUEUE = 1;

async function lookAtWorkers({ connection, options }: Client): Promise<Look> {
  const { namespace } = options;
  const { pollers } = await connection.workflowService.describeTaskQueue({
    ...{ namespace, taskQueue: { name: TASK_QUEUE }, taskQueueType: WORKFLOW_QUEUE },
  });
  const workers = [...new Set((pollers ?? []).map(({ identity }) => identity ?? ''))];
  if (workers.length === 0) {
    throw new ClosehaulError('WORKERS_ABSENT', { taskQueue: TASK_QUEUE, namespace });
  }
  const says = `${workers.length} in the last minutes: ${workers.join(', ')}`;
  const others = workers.filter((worker) => !worker.startsWith(`closehaul-${VERSION}@`));
  if (others.length === 0) return { says };
  return { says: `${says}. Update them all to one version, ${VERSION} as here.`, isWarning: true };
}

async function lookAtSearchAttributes(
  { connection, options }: Client,
  isToRegister: boolean,
): Promise<Look> {
  const { namespace } = options;
  if (isToRegister) {
    const made = await registerAttributes(connection, namespace).catch((error: unknown) => {
      const reason = isGrpcServiceError(error) ? error.details : 'it did not say why';
      throw new ClosehaulError('SEARCH_ATTRIBUTES_REFUSED', { reason }, { cause: error });
    });
    const says = made.length === 0 ? 'were registered already' : `registered ${made.join(', ')}`;
    return { says: `${says}. A connection that runs takes them up when it is resumed.` };
  }
  const known = await registeredAttributes(connection, namespace).catch(() => undefined);
  if (known === undefined) return { says: 'the server does not say what can be searched by' };
  const missing = Object.keys(SEARCH_ATTRIBUTES).filter((name) => !known.some((k) => k === name));
  if (missing.length === 0) return { says: known.join(', ') };
  const says = `${missing.join(', ')} are not registered; "closehaul doctor --register" does it`;
  return { says, isWarning: true };
}

async function lookAtTables(pool: pg.Pool): Promise<Look> {
  const pending = await pendingMigrations(pool);
  if (pending.length === 0) return { says: 'schema closehaul is as this version needs it' };
  const says = `schema closehaul lacks ${pending.join(', ')}: the next worker that starts makes them`;
  return { says, isWarning: true };
}

async function lookAtConnections(config: Config): Promise<readonly Finding[]> {
  const connections = await withPool(config, listConnections).catch(() => []);
  return withClient(config, async (client) => {
    const findings: Finding[] = [];
    for (const connection of connections) {
      const what = `"${connection.name}"`;
      findings.push(await finding(what, () => lookAtConnection(client, connection)));
    }
    return findings;
  });
}

const NEEDS_ATTENTION: readonly StatusAnswer['status'][] = ['Blocked', 'Incomplete', 'Paused'];

async function lookAtConnection(client: Client, { name }: ConnectionLine): Promise<Look> {
  const answer = await readStatus(client, name).catch((error: unknown) => {
    // Somebody may have ended it on purpose; only the others are needed.
    if (error instanceof ClosehaulError && error.code === 'CONNECTION_NOT_RUNNING') return error;
    throw error;
  });
  if (answer instanceof ClosehaulError) {
    return { says: `${answer.message} ${answer.next}`, isWarning: true };
  }
  const { status, problem, syncedThrough } = answer;
  const through = syncedThrough === null ? '' : `, complete up to ${syncedThrough.slice(0, 19)}Z`;
  const trouble = problem === null ? '' : `: ${problem}`;
  const isWarning = problem !== null || NEEDS_ATTENTION.includes(status);
  return { says: `${status}${through}${trouble}`, isWarning };
}
