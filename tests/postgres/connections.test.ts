import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addMillis } from '../../src/core/instant.js';
import {
  openConnection,
  readBookmarks,
  readConnection,
  registerStreams,
  type OpenRequest,
} from '../../src/postgres/connections.js';
import { keepCustomFieldLabels, readCustomFieldLabels } from '../../src/postgres/custom-fields.js';
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
    expect(bookmarks).toContainEqual({ stream: 'leads', part: 'lead', bookmark: LIVE_FROM });
  });
});

describe('labels of custom fields', () => {
  const keep = (
    ...fields: { id: string; label: string; family?: string }[]
  ): ReturnType<typeof keepCustomFieldLabels> =>
    keepCustomFieldLabels(
      database.pool,
      SCHEMA,
      fields.map((field) => ({ family: 'lead', ...field })),
    );
  beforeEach(() => open());

  it('are the ones that the fields had first; a renamed field keeps its old one', async () => {
    await keep({ id: 'cf_1', label: 'Industry' });
    const kept = await keep({ id: 'cf_1', label: 'Branch' }, { id: 'cf_2', label: 'Size' });
    expect([...kept]).toEqual([
      ['cf_1', 'Industry'],
      ['cf_2', 'Size'],
    ]);
    expect(await readCustomFieldLabels(database.pool, SCHEMA)).toEqual(kept);
  });

  it('tell two fields of one label apart, whether they come together or not', async () => {
    const together = await keep({ id: 'cf_1', label: 'Same' }, { id: 'cf_2', label: 'Same' });
    expect([...together.values()].sort()).toEqual(['Same', 'Same cf_2']);
    const later = await keep({ id: 'cf_3', label: 'Same' });
    expect(later.get('cf_3')).toBe('Same cf_3');
    const other = await keep({ id: 'cf_4', label: 'Same', family: 'contact' });
    expect(other.get('cf_4')).toBe('Same');
  });

  it('are one for each field when twenty workers see them at once', async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        keep({ id: 'cf_1', label: `Label ${n}` }, { id: 'cf_2', label: `Label ${n + 1}` }),
      ),
    );
    const stored = await readCustomFieldLabels(database.pool, SCHEMA);
    for (const seen of all) expect(seen).toEqual(stored);
    expect(new Set(stored.values()).size).toBe(2);
  });
});
