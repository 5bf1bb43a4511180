import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addMillis } from '../../src/core/instant.js';
import {
  openConnection,
  readBookmarks,
  readConnection,
  registerStreams,
  type OpenRequest,
} from '../../src/postgres/connections.js';
import type { CustomFields } from '../../src/core/custom-fields.js';
import { keepCustomFields, readCustomFields } from '../../src/postgres/custom-fields.js';
import { migrate } from '../../src/postgres/migrate.js';
import { testDatabase, type TestDatabase } from '../support/stack.js';
import { FROM, LIVE_FROM, SCHEMA, STREAMS } from './warehouse.js';

let database: TestDatabase;
beforeEach(async () => {
  database = await testDatabase();
  await migrate(database.url);
});
afterEach(() => database.close());

const running = (): Promise<boolean> => Promise.resolve(true);
const gone = (): Promise<boolean> => Promise.resolve(false);

const request: OpenRequest = {
  ...{ schema: SCHEMA, name: 'Stitch Closeio', layout: 'stitch', organizationId: 'orga_1' },
  ...{ startDate: FROM, liveFrom: LIVE_FROM, workflowId: 'close-1', isOwnerRunning: running },
};

const open = (change: Partial<OpenRequest> = {}): ReturnType<typeof openConnection> =>
  openConnection(database.pool, { ...request, ...change });

describe('opening a connection', () => {
  it('makes the schema and keeps what was fixed at first, also when it is opened again', async () => {
    const first = await open();
    const again = await open({ liveFrom: addMillis(LIVE_FROM, 5_000) });
    expect(again).toEqual(first);
    expect(first).toMatchObject({ liveFrom: LIVE_FROM, workflowId: 'close-1' });
    const { rows } = await database.pool.query('SELECT to_regclass($1) AS name', [
      `${SCHEMA}._sdc_rejected`,
    ]);
    expect(rows).toEqual([{ name: `${SCHEMA}._sdc_rejected` }]);
  });

  it.each([
    ['NAME_TAKEN', { name: 'Stitch: Closeio' }],
    ['LAYOUT_FIXED', { layout: 'jsonb' }],
    ['ORGANIZATION_CHANGED', { organizationId: 'orga_2' }],
    ['CONNECTION_TAKEN', { workflowId: 'close-2' }],
  ] as const)('is refused with %s and changes nothing', async (code, change) => {
    const first = await open();
    await expect(open(change)).rejects.toMatchObject({ code });
    expect(await readConnection(database.pool, SCHEMA)).toEqual(first);
  });

  it('without a layout takes the one that its tables have, or the default', async () => {
    expect((await open({ layout: null })).layout).toBe('stitch');
    await database.pool.query(`UPDATE closehaul.connections SET layout = 'jsonb'`);
    expect((await open({ layout: null })).layout).toBe('jsonb');
    await expect(open()).rejects.toMatchObject({ code: 'LAYOUT_FIXED' });
  });

  it('takes over from a workflow that does not run any more', async () => {
    await open();
    const taken = await open({ workflowId: 'close-2', isOwnerRunning: gone });
    expect(taken.workflowId).toBe('close-2');
    await expect(open()).rejects.toMatchObject({ code: 'CONNECTION_TAKEN' });
  });

  it('at once by two workflows succeeds for one', async () => {
    const both = await Promise.allSettled([open(), open({ workflowId: 'close-2' })]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('at once by two that both find the owner gone succeeds for one', async () => {
    await open();
    let asked = 0;
    let release = (): void => undefined;
    const bothAsked = new Promise<void>((resolve) => (release = resolve));
    const isOwnerRunning = async (): Promise<boolean> => {
      asked += 1;
      if (asked === 2) release();
      await bothAsked;
      return false;
    };
    const both = await Promise.allSettled([
      open({ workflowId: 'close-2', isOwnerRunning }),
      open({ workflowId: 'close-3', isOwnerRunning }),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const winner = both.find((result) => result.status === 'fulfilled');
    const stored = await readConnection(database.pool, SCHEMA);
    expect(stored?.workflowId).toBe(winner?.value.workflowId);
  });

  it('twenty times at once by its own workflow is no error', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => open()));
    expect(new Set(all.map(({ workflowId }) => workflowId))).toEqual(new Set(['close-1']));
  });

  it('with an earlier start date moves it back, a later one does not move it', async () => {
    await open();
    await open({ startDate: addMillis(FROM, 1000) });
    expect((await readConnection(database.pool, SCHEMA))?.startDate).toBe(FROM);
    await open({ startDate: addMillis(FROM, -1000) });
    expect((await readConnection(database.pool, SCHEMA))?.startDate).toBe(addMillis(FROM, -1000));
  });

  it('registers each stream once and never moves a bookmark', async () => {
    await open();
    await registerStreams(database.pool, SCHEMA, STREAMS.slice(0, 1), LIVE_FROM);
    await registerStreams(database.pool, SCHEMA, STREAMS, addMillis(LIVE_FROM, 1000));
    const bookmarks = await readBookmarks(database.pool, SCHEMA);
    expect(bookmarks).toHaveLength(2);
    const [leads] = bookmarks.filter(({ stream }) => stream === 'leads');
    expect(leads).toMatchObject({ part: 'lead', bookmark: LIVE_FROM });
  });
});

describe('custom fields', () => {
  const READ_AT = addMillis(LIVE_FROM, 5000);
  async function keep(...fields: { id: string; name: string; family?: string }[]) {
    const families = new Set(fields.map(({ family = 'lead' }) => family));
    const reads = [...families].map((family) => ({
      family,
      definitions: fields
        .filter((each) => (each.family ?? 'lead') === family)
        .map(({ id, name }) => ({ id, name, type: 'text' })),
      seen: new Set<string>(),
    }));
    return keepCustomFields(database.pool, SCHEMA, reads, READ_AT);
  }
  const labelsOf = ({ fields }: { fields: CustomFields }, family = 'lead') =>
    [...(fields.get(family)?.values() ?? [])].map(({ id, label }) => `${id} ${label}`).sort();
  beforeEach(() => open());

  it('keep the label that they had first, and tell what changed and when it was read', async () => {
    expect(await readCustomFields(database.pool, SCHEMA)).toEqual({
      fields: new Map(),
      readAt: null,
    });
    await keep({ id: 'cf_1', name: 'Industry' });
    const renamed = await keep({ id: 'cf_1', name: 'Branch' }, { id: 'cf_2', name: 'Size' });
    expect(renamed).toMatchObject({ hasChanged: true, readAt: READ_AT });
    expect(labelsOf(renamed)).toEqual(['cf_1 Industry', 'cf_2 Size']);
    expect(renamed.fields.get('lead')?.get('cf_1')?.currentName).toBe('Branch');
    const { hasChanged, ...again } = await keep(
      { id: 'cf_1', name: 'Branch' },
      { id: 'cf_2', name: 'Size' },
    );
    expect(hasChanged).toBe(false);
    expect(await readCustomFields(database.pool, SCHEMA)).toEqual(again);
  });

  it('of one name are told apart in their family, and only there', async () => {
    const shared = { id: 'cf_0', name: 'Same' };
    await keep(shared, { ...shared, family: 'contact' });
    const kept = await keep(
      ...[shared, { id: 'cf_4', name: 'Other' }],
      ...[shared, { id: 'cf_3', name: 'Same' }].map((each) => ({ ...each, family: 'contact' })),
    );
    expect(labelsOf(kept)).toEqual(['cf_0 Same', 'cf_4 Other']);
    expect(labelsOf(kept, 'contact')).toEqual(['cf_0 Same', 'cf_3 Same cf_3']);
  });

  it('have one label each when twenty workers see them at once', async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        keep({ id: 'cf_1', name: `Name ${n}` }, { id: 'cf_2', name: `Name ${n + 1}` }),
      ),
    );
    const stored = labelsOf(await readCustomFields(database.pool, SCHEMA));
    expect(stored).toHaveLength(2);
    for (const seen of all) expect(labelsOf(seen)).toEqual(stored);
    expect(new Set(stored.map((text) => text.slice(5))).size).toBe(2);
  });
});
