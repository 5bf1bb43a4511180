import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonRecord } from '../../src/core/record.js';
import { ACTIVITIES, at, counts, openWarehouse, SCHEMA, type Warehouse } from './warehouse.js';

let warehouse: Warehouse;
beforeAll(async () => {
  warehouse = await openWarehouse();
});
afterAll(() => warehouse.close());

function activity(id: string, second: number, fields: JsonRecord = {}): JsonRecord {
  return { id, date_updated: at(second), _type: 'Email', ...fields };
}

async function versions(id: string): Promise<unknown[]> {
  return warehouse.rows(
    `SELECT a.subject, array_agg(t.value ORDER BY t._sdc_level_0_id) FILTER (WHERE t.id IS NOT NULL) AS "to"
       FROM ${SCHEMA}.activities a
       LEFT JOIN ${SCHEMA}.activities__to t ON t.id = a.id AND t._sdc_sequence = a._sdc_sequence
      WHERE a.id = $1 GROUP BY a.subject, a._sdc_sequence ORDER BY a._sdc_sequence`,
    [id],
  );
}

describe('an append-only record', () => {
  it('adds nothing when it is read again, in any order of its keys', async () => {
    const record = activity('acti_1', 1, {
      subject: 's',
      to: ['a', 'b'],
      envelope: { x: 1, y: 2 },
    });
    await warehouse.load(ACTIVITIES, [record]);
    const reordered = Object.fromEntries(Object.entries(record).reverse());
    const again = { ...reordered, envelope: { y: 2, x: 1 } };
    const loaded = await warehouse.load(ACTIVITIES, [again, record]);
    expect(loaded).toEqual(counts({ fetched: 2, unchanged: 2 }));
    expect(await versions('acti_1')).toEqual([{ subject: 's', to: ['a', 'b'] }]);
  });

  it('adds one row and its subtable rows with each new version', async () => {
    await warehouse.load(ACTIVITIES, [activity('acti_2', 1, { subject: 'one', to: ['a', 'b'] })]);
    const loaded = await warehouse.load(ACTIVITIES, [
      activity('acti_2', 2, { subject: 'two', to: ['c'] }),
    ]);
    expect(loaded).toEqual(counts({ fetched: 1, inserted: 1, rows: 2 }));
    expect(await versions('acti_2')).toEqual([
      { subject: 'one', to: ['a', 'b'] },
      { subject: 'two', to: ['c'] },
    ]);
  });

  it('adds none when only a volatile field changed', async () => {
    await warehouse.load(ACTIVITIES, [activity('acti_3', 1, { user_name: 'before' })]);
    const loaded = await warehouse.load(ACTIVITIES, [
      activity('acti_3', 1, { user_name: 'after' }),
    ]);
    expect(loaded.unchanged).toBe(1);
    expect(await versions('acti_3')).toHaveLength(1);
  });

  it('comes in several versions and copies in one page and each version is there once', async () => {
    const page = [2, 1, 2, 3].map((second) =>
      activity('acti_4', second, { subject: `s${second}`, to: [`t${second}`] }),
    );
    const loaded = await warehouse.load(ACTIVITIES, page);
    expect(loaded).toEqual(counts({ fetched: 4, inserted: 3, unchanged: 1, rows: 6 }));
    expect(await versions('acti_4')).toHaveLength(3);
  });

  it('is inserted once when two lanes load the same version at once', async () => {
    const record = activity('acti_5', 1, { to: ['a'] });
    const other = await warehouse.otherCatalog();
    const loads = await Promise.all([
      warehouse.load(ACTIVITIES, [record]),
      warehouse.load(ACTIVITIES, [record], { catalog: other }),
    ]);
    expect(loads.map(({ inserted }) => inserted).sort()).toEqual([0, 1]);
    expect(await versions('acti_5')).toHaveLength(1);
  });
});

describe('the views of latest versions', () => {
  it('show the newest version and its subtable rows, not the last one that arrived', async () => {
    await warehouse.load(ACTIVITIES, [activity('acti_6', 9, { subject: 'newest', to: ['n'] })]);
    await warehouse.load(ACTIVITIES, [activity('acti_6', 8, { subject: 'older', to: ['o', 'p'] })]);
    expect(
      await warehouse.rows(`SELECT subject FROM ${SCHEMA}.activities_current WHERE id = 'acti_6'`),
    ).toEqual([{ subject: 'newest' }]);
    expect(
      await warehouse.rows(
        `SELECT value FROM ${SCHEMA}.activities__to_current WHERE id = 'acti_6'`,
      ),
    ).toEqual([{ value: 'n' }]);
  });

  it('leave out what is deleted at Close', async () => {
    await warehouse.load(ACTIVITIES, [activity('acti_7', 1, { to: ['x'] })]);
    await warehouse.rows(
      `UPDATE ${SCHEMA}.activities SET _sdc_deleted_at = now() WHERE id = 'acti_7'`,
    );
    for (const view of ['activities_current', 'activities__to_current']) {
      const text = `SELECT 1 FROM ${SCHEMA}.${view} WHERE id = 'acti_7'`;
      expect(await warehouse.rows(text), view).toEqual([]);
    }
  });

  it('get the columns that come later', async () => {
    await warehouse.load(ACTIVITIES, [activity('acti_8', 1, { to: ['x'], note: 'n' })]);
    await warehouse.rows(`CREATE VIEW public.mine AS SELECT id FROM ${SCHEMA}.activities_current`);
    await warehouse.load(ACTIVITIES, [
      activity('acti_8', 2, { came_later: 1, attachments: [{ size: 1 }] }),
    ]);
    const loaded = activity('acti_8', 3, { attachments: [{ size: 1, kind: 'k' }], came_later: 2 });
    await warehouse.load(ACTIVITIES, [loaded]);
    const text = `SELECT c.came_later, s.items__kind FROM ${SCHEMA}.activities_current c
                    JOIN ${SCHEMA}.activities__attachments_current s USING (id) WHERE id = 'acti_8'`;
    expect(await warehouse.rows(text)).toEqual([{ came_later: 2, items__kind: 'k' }]);
  });

  it('have a name of 63 bytes at most, that none of the tables has', async () => {
    const long = 'x'.repeat(48);
    const fields = {
      [`${long}_1`]: ['a'],
      [`${long}_2`]: ['b'],
      wish: ['c'],
      wish_current: ['d'],
    };
    await warehouse.load(ACTIVITIES, [activity('acti_9', 1, fields)]);
    // The other way round: the table is there before the view that would like its name.
    await warehouse.load(ACTIVITIES, [activity('acti_9', 2, { late_current: ['e'] })]);
    await warehouse.load(ACTIVITIES, [activity('acti_9', 3, { ...fields, late: ['f'] })]);
    const views = await warehouse.rows(
      'SELECT table_name AS name FROM information_schema.views WHERE table_schema = $1',
      [SCHEMA],
    );
    const values: unknown[] = [];
    for (const { name } of views) {
      const text = `SELECT to_jsonb(v)->>'value' AS value FROM ${SCHEMA}."${String(name)}" v WHERE id = 'acti_9'`;
      values.push(...(await warehouse.rows(text)).map(({ value }) => value));
    }
    expect(views.every(({ name }) => String(name).endsWith('_current'))).toBe(true);
    expect(values.filter((value) => value !== null).sort()).toEqual(['a', 'b', 'c', 'd', 'f']);
    const tables = await warehouse.table('activities__late_current', 'value');
    expect(tables).toEqual([{ value: 'e' }]);
  });
});
