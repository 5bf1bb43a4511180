import type pg from 'pg';
import { closeClockAheadMs } from '../close/clock.js';
import type { Config } from '../config.js';
import { MINUTE_MS, SECOND_MS } from '../core/instant.js';
import { ClosehaulError } from '../errors.js';
import { inspectDatabase } from '../postgres/report.js';
import { connectClient, temporalOf } from './client.js';
import { checkOptions } from './connection-options.js';
import { withPool } from './database.js';
import { finding, report, type Finding, type Look } from './findings.js';
import { identifyKey, withSource } from './identify.js';
import type { Output } from './output.js';
import { readRights } from './rights.js';

/**
 * Tries all that a sync needs: the key and what it may read, the database, Temporal, the clock; and
 * says of each what is wrong with it. False when something would stop a sync.
 */
export async function check(config: Config, name: string, output: Output): Promise<boolean> {
  return report(await checkFindings(config, name), output);
}

export async function checkFindings(config: Config, name: string): Promise<readonly Finding[]> {
  const { schema } = checkOptions({ name });
  const close = await finding('Close', () => checkKey(config, schema));
  const isIn = close.verdict === 'ok';
  return [
    close,
    ...(isIn ? [await finding('Streams', () => checkRights(config, schema))] : []),
    await finding('PostgreSQL', () => withPool(config, checkDatabase)),
    await finding('Temporal', () => checkTemporal(config)),
    await finding('Clock', () => checkClock(config, schema)),
  ];
}

async function checkKey(config: Config, schema: string): Promise<string | Look> {
  const isEmbedded = config.databaseUrl === undefined && config.temporalAddress === undefined;
  if (!config.hasKey && isEmbedded) {
    const says = 'There is no key, so "start" runs the sandbox. Set CLOSE_API_KEY for your own.';
    return { says, isWarning: true };
  }
  const { organizationId } = await identifyKey(config, schema);
  return `the key is good, for organization ${organizationId}`;
}

const RIGHTS_TIMEOUT_MS = 2 * MINUTE_MS;

async function checkRights(config: Config, schema: string): Promise<Look> {
  const signal = AbortSignal.timeout(RIGHTS_TIMEOUT_MS);
  const rights = await withSource(config, schema, (source) =>
    readRights(source, Date.now(), signal),
  );
  const refused = rights.filter((right) => right.rights !== 'yes');
  const told = refused.map(({ stream, note }) => `${stream} (${note ?? 'refused'})`);
  const all = `the key reads ${rights.length - refused.length} of ${rights.length} streams`;
  if (refused.length === 0) return { says: all };
  const hasEvents = refused.every(({ tellsOfOthers }) => !tellsOfOthers);
  const loss = hasEvents ? '' : ' Without the event log no delete is seen.';
  return { says: `${all}; not: ${told.join('; ')}${loss}`, isWarning: true };
}

const TESTED_MAJORS = { min: 14, max: 18 };

async function checkDatabase(pool: pg.Pool): Promise<Look> {
  const { version, encoding, mayCreate, database } = await inspectDatabase(pool);
  if (encoding !== 'UTF8') throw new ClosehaulError('DATABASE_ENCODING', { encoding });
  if (!mayCreate)
    throw new ClosehaulError('DATABASE_RIGHT_MISSING', { sqlstate: '42501', place: database });
  const says = `version ${version}, database ${database}, schemas may be made`;
  const major = Number.parseInt(version, 10);
  if (major >= TESTED_MAJORS.min && major <= TESTED_MAJORS.max) return { says };
  const { min, max } = TESTED_MAJORS;
  return { says: `${says}. Closehaul knows versions ${min} to ${max}.`, isWarning: true };
}

async function checkTemporal(config: Config): Promise<string> {
  const temporal = temporalOf(config);
  const client = await connectClient(temporal);
  await client.connection.close();
  return `answers at ${temporal.connectionOptions.address ?? 'localhost:7233'}`;
}

/** Bookmarks are times of our clock, and a sync reads again from five minutes before them. */
const CLOCK_TOLERANCE_MS = MINUTE_MS;

async function checkClock(config: Config, schema: string): Promise<string> {
  const isSandbox = !config.hasKey;
  const close = isSandbox ? undefined : await closeClockAheadMs(config.closeUrl, schema, Date.now);
  const database = await withPool(config, databaseClockAheadMs).catch(() => undefined);
  const told = Object.entries({ Close: close, PostgreSQL: database }).flatMap(
    ([server, aheadMs]) => (aheadMs === undefined ? [] : [{ server, aheadMs }]),
  );
  for (const { server, aheadMs } of told) {
    if (Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS) continue;
    const seconds = Math.round(Math.abs(aheadMs) / SECOND_MS);
    const side = aheadMs > 0 ? 'behind' : 'ahead of';
    throw new ClosehaulError('CLOCK_WRONG', { seconds, side, server });
  }
  if (told.length === 0) return 'nothing answered that it could be compared with';
  return `as that of ${told.map(({ server }) => server).join(' and ')}`;
}

async function databaseClockAheadMs(pool: pg.Pool): Promise<number> {
  await inspectDatabase(pool);
  const beforeMs = Date.now();
  const { nowMs } = await inspectDatabase(pool);
  return nowMs - (beforeMs + Date.now()) / 2;
}
