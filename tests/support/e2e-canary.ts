/** Looks for a text, such as the test key, in everything that the product wrote. */
import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type pg from 'pg';
import { writtenByProcesses } from './e2e-process.js';
import { TEST_KEY } from './stack.js';

/** Where a key was found, as it is or as the Basic header sends it; must be empty. */
export async function canarySightings(
  client: Client,
  pools: readonly pg.Pool[],
  keys: readonly string[] = [TEST_KEY],
): Promise<readonly string[]> {
  const headers = keys.map((key) =>
    Buffer.from(`${key}:`).toString('base64').replace(/=+$/, '').slice(0, -2),
  );
  return sightings([...keys, ...headers], client, pools);
}

/** Where any of the texts was found. */
export async function sightings(
  texts: readonly string[],
  client: Client,
  pools: readonly pg.Pool[],
): Promise<readonly string[]> {
  const found: string[] = [];
  const look = (place: string, content: string): void => {
    if (texts.some((text) => content.includes(text))) found.push(place);
  };
  look('output of a process', writtenByProcesses());
  for await (const { workflowId, runId, type } of client.workflow.list()) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    look(`history of ${type} ${workflowId}`, decodedHistory(historyToJSON(history)));
  }
  for (const pool of pools) {
    for (const table of await tablesOf(pool)) {
      const { rows } = await pool.query<{ content: string }>(
        `SELECT to_jsonb(r)::text AS content FROM ${table} r`,
      );
      look(`table ${table}`, rows.map(({ content }) => content).join('\n'));
    }
  }
  return found;
}

/** The history as JSON with each payload beside it as text, since payloads are Base64 there. */
function decodedHistory(json: string): string {
  const payloads = [...json.matchAll(/"data":\s*"([A-Za-z0-9+/=]+)"/g)];
  const decoded = payloads.map(([, data = '']) => Buffer.from(data, 'base64').toString('utf8'));
  return `${json}\n${decoded.join('\n')}`;
}

/** Our own tables, and what was rejected; the loaded rows are Close's own. */
async function tablesOf(pool: pg.Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
      WHERE table_type = 'BASE TABLE' AND (table_schema = 'closehaul' OR table_name = '_sdc_rejected')`,
  );
  return rows.map(({ name }) => name);
}
