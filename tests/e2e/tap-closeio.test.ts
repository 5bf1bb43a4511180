import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureTapCloseio } from '../../src/local/tap-closeio.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import type { RunningWorker } from '../../src/worker.js';
import { isSettled, startConnection, untilStatus } from '../support/e2e-connection.js';
import { endProcesses, startProcess } from '../support/e2e-process.js';
import {
  testClient,
  testDatabase,
  testSandbox,
  testWorker,
  type TestDatabase,
} from '../support/stack.js';
import { ask } from '../support/sandbox-client.js';
import { removeHome, temporaryHome, toolCacheFolder } from '../support/tools.js';

/**
 * Stitch's own tap and we read one sandbox. It keeps the sandbox honest, which we also wrote: the
 * tap was written against Close itself. Whatever the two differ in is explained here.
 */
const START_DATE = '2026-01-01T00:00:00Z';
const SCHEMA = 'stitch_closeio';
const DATED = ['leads', 'activities', 'tasks', 'event_log'];
const LISTS = ['users', 'custom_fields'];

let folder: string;
let database: TestDatabase;
let sandbox: Sandbox;
let worker: RunningWorker;
let tapped: ReadonlyMap<string, ReadonlyMap<string, TapRecord>>;

interface TapRecord {
  readonly id: string;
  readonly date_updated: string;
  readonly date_created: string;
  readonly name?: string;
  readonly contacts?: readonly unknown[];
  readonly opportunities?: readonly unknown[];
}

beforeAll(async () => {
  folder = temporaryHome();
  database = await testDatabase();
  // Up to this hour, since Close forgets its events after 30 days.
  sandbox = await testSandbox({ until: `${new Date().toISOString().slice(0, 13)}:00:00Z` });
  worker = await testWorker(database.url, sandbox.url);
  const client = await testClient();
  const handle = await startConnection(client, {
    ...{ name: 'Stitch Closeio', startDate: START_DATE },
    streams: [...DATED, ...LISTS],
  });
  await untilStatus(handle, 'all is read', isSettled, 120_000);
  // It leaves out what did not change since its start date, of small lists too.
  tapped = new Map([
    ...(await runTap(DATED, START_DATE)),
    ...(await runTap(LISTS, '2010-01-01T00:00:00Z')),
  ]);
}, 300_000);

afterAll(async () => {
  await endProcesses();
  await worker?.stop();
  await sandbox?.stop();
  await database?.close();
  removeHome(folder);
});

/** A whole sync of the tap: by stream, the last version of each record that it wrote. */
async function runTap(
  names: readonly string[],
  startDate: string,
): Promise<ReadonlyMap<string, ReadonlyMap<string, TapRecord>>> {
  const tap = await ensureTapCloseio({ cacheFolder: toolCacheFolder(), env: process.env });
  const config = join(folder, 'config.json');
  writeFileSync(config, JSON.stringify({ start_date: startDate, api_key: 'api_tap' }));
  const run = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, TAP_CLOSEIO_URL: sandbox.url };
    const ended = await startProcess(tap, ['--config', config, ...args], { env }).finished;
    expect(ended.exitCode, ended.stderr.slice(-2_000)).toBe(0);
    return ended.stdout;
  };
  const catalog = JSON.parse(await run('--discover')) as {
    streams: { stream: string; schema: Record<string, unknown> }[];
  };
  for (const { stream, schema } of catalog.streams) schema['selected'] = names.includes(stream);
  const file = join(folder, 'catalog.json');
  writeFileSync(file, JSON.stringify(catalog));
  const streams = new Map<string, Map<string, TapRecord>>();
  for (const line of (await run('--catalog', file)).split('\n').filter(Boolean)) {
    const message = JSON.parse(line) as { type: string; stream: string; record: TapRecord };
    if (message.type !== 'RECORD') continue;
    const records = streams.get(message.stream) ?? new Map<string, TapRecord>();
    streams.set(message.stream, records.set(message.record.id, message.record));
  }
  return streams;
}

async function ours(text: string): Promise<Record<string, unknown>[]> {
  return (await database.pool.query<Record<string, unknown>>(text, [])).rows;
}

/** To the second: the tap writes fractions in its own form. */
function second(time: unknown): string {
  return new Date(String(time)).toISOString().slice(0, 19);
}

describe('the tap and we have the same', () => {
  it('leads, each in its last version with all that nests in it', async () => {
    const rows = await ours(
      `SELECT l.id, l.date_updated,
              (SELECT count(*) FROM ${SCHEMA}.leads__contacts c WHERE c.id = l.id) AS contacts,
              (SELECT count(*) FROM ${SCHEMA}.leads__opportunities o WHERE o.id = l.id) AS opportunities
         FROM ${SCHEMA}.leads l ORDER BY l.id`,
    );
    const theirs = [...(tapped.get('leads')?.values() ?? [])].map((lead) => ({
      ...{ id: lead.id, date_updated: second(lead.date_updated) },
      contacts: lead.contacts?.length ?? 0,
      opportunities: lead.opportunities?.length ?? 0,
    }));
    expect(rows.length).toBeGreaterThan(100);
    expect(rows.map((row) => ({ ...row, date_updated: second(row['date_updated']) }))).toEqual(
      theirs.sort((a, b) => (a.id < b.id ? -1 : 1)),
    );
  });

  it('activities, but for those that the tap cannot see', async () => {
    const rows = await ours(
      `SELECT id, _type AS type, date_created, date_updated FROM ${SCHEMA}.activities_current ORDER BY id`,
    );
    const activities = tapped.get('activities') ?? new Map<string, TapRecord>();
    const missing = rows.filter(({ id }) => !activities.has(String(id)));
    // It has no e-mail threads: `/activity/` leaves them out, and it reads no other list.
    const unexplained = missing.filter(({ type }) => type !== 'EmailThread');
    // Its windows of 15 days leave out both of their edges.
    const edges = new Set<string>();
    for (let at = Date.parse(START_DATE) - DAY_MS; at < Date.now() + 15 * DAY_MS; at += 15 * DAY_MS)
      edges.add(second(new Date(at).toISOString()));
    // Its last window ends within 15 days of now: a meeting is dated by its start, which may lie ahead.
    const isAhead = (at: unknown): boolean => Date.parse(String(at)) > Date.now();
    expect(
      unexplained.filter(({ date_created: at }) => !edges.has(second(at)) && !isAhead(at)),
      'activities that only we have',
    ).toEqual([]);
    const known = new Map(rows.map((row) => [String(row['id']), row]));
    // It looks back a day before the start date.
    const theirs = [...activities.values()].filter((each) => each.date_created >= START_DATE);
    expect(theirs.filter(({ id }) => !known.has(id))).toEqual([]);
    expect(theirs.length).toBeGreaterThan(1_000);
    for (const { id, date_updated: at } of theirs) {
      expect(second(known.get(id)?.['date_updated'])).toBe(second(at));
    }
  });

  it('tasks of people: it does not ask for those that Close makes by itself', async () => {
    const rows = await ours(
      `SELECT id, _type AS type, date_updated FROM ${SCHEMA}.tasks ORDER BY id`,
    );
    const tasks = [...(tapped.get('tasks')?.values() ?? [])].sort((a, b) => (a.id < b.id ? -1 : 1));
    const ofPeople = rows.filter(({ type }) => type === 'lead');
    expect(ofPeople.length).toBeGreaterThan(100);
    expect(ofPeople.map(({ id, date_updated: at }) => [id, second(at)])).toEqual(
      tasks.map(({ id, date_updated: at }) => [id, second(at)]),
    );
    expect(rows.length).toBeGreaterThan(ofPeople.length);
  });

  it('users, but for those who left: they are in no list that it reads', async () => {
    const rows = await ours(`SELECT id FROM ${SCHEMA}.users ORDER BY id`);
    const users = tapped.get('users') ?? new Map<string, TapRecord>();
    const known = rows.map(({ id }) => String(id));
    expect([...users.keys()].filter((id) => !known.includes(id))).toEqual([]);
    const organization = sandbox.world.data.organization.id;
    const { body } = await ask(sandbox.url, `/organization/${organization}/`, {
      _fields: 'inactive_memberships',
    });
    const left = (body.inactive_memberships as { user_id: string }[]).map((each) => each.user_id);
    expect(known.filter((id) => !users.has(id))).toEqual(left.sort());
  });

  it('custom fields of leads: it reads no others', async () => {
    const rows = await ours(`SELECT id, name FROM ${SCHEMA}.custom_fields`);
    const names = new Map(rows.map(({ id, name }) => [id, name]));
    const fields = [...(tapped.get('custom_fields')?.values() ?? [])];
    expect(fields.length).toBeGreaterThan(5);
    for (const { id, name } of fields) expect(names.get(id)).toBe(name);
  });

  it('events, all of them', async () => {
    const rows = await ours(`SELECT id FROM ${SCHEMA}.event_log_current ORDER BY id`);
    const events = [...(tapped.get('event_log')?.keys() ?? [])].sort();
    expect(events.length).toBeGreaterThan(5);
    expect(rows.map(({ id }) => id)).toEqual(events);
  });
});

const DAY_MS = 24 * 60 * 60 * 1000;
