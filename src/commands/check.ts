import type { Config } from '../config.js';
import { ClosehaulError } from '../errors.js';
import { createPool } from '../postgres/pool.js';
import { inspectDatabase } from '../postgres/report.js';
import { connectClient, temporalOf } from './client.js';
import { checkOptions } from './connection-options.js';
import { databaseUrlOf } from './database.js';
import { identifyKey } from './identify.js';
import type { Output } from './output.js';

interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly says: string;
}

/** Tries the key, the database and Temporal, and says of each whether a sync could work. */
export async function check(config: Config, name: string, output: Output): Promise<boolean> {
  const { schema } = checkOptions({ name });
  const findings = [
    await finding('Close', () => checkClose(config, schema)),
    await finding('PostgreSQL', () => checkDatabase(config)),
    await finding('Temporal', () => checkTemporal(config)),
  ];
  if (output.isJson) output.print(JSON.stringify(findings, null, 2));
  else
    for (const { what, ok, says } of findings)
      output.print(`${ok ? 'ok    ' : 'FAILED'} ${what}: ${says}`);
  return findings.every(({ ok }) => ok);
}

async function finding(what: string, look: () => Promise<string>): Promise<Finding> {
  try {
    return { what, ok: true, says: await look() };
  } catch (error) {
    const says =
      error instanceof ClosehaulError ? `${error.message} ${error.next}` : 'unexpected failure';
    return { what, ok: false, says };
  }
}

async function checkClose(config: Config, schema: string): Promise<string> {
  const { organizationId } = await identifyKey(config, schema);
  return `the key is good, for organization ${organizationId}`;
}

async function checkDatabase(config: Config): Promise<string> {
  const url = await databaseUrlOf(config);
  const pool = createPool({ url, sizeMax: 1, applicationName: 'closehaul check' });
  try {
    const { version, encoding, mayCreate, database } = await inspectDatabase(pool);
    if (encoding !== 'UTF8') throw new ClosehaulError('DATABASE_ENCODING', { encoding });
    if (!mayCreate)
      throw new ClosehaulError('DATABASE_RIGHT_MISSING', { sqlstate: '42501', place: database });
    return `version ${version}, database ${database}, schemas may be made`;
  } finally {
    await pool.end();
  }
}

async function checkTemporal(config: Config): Promise<string> {
  const temporal = temporalOf(config);
  const client = await connectClient(temporal);
  await client.connection.close();
  return `answers at ${temporal.connectionOptions.address ?? 'localhost:7233'}`;
}
