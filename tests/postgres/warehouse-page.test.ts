import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLOSE_STREAMS } from '../../src/close/streams.js';
import { describeWarehouse } from '../../src/postgres/describe.js';
import { readProject, ROOT } from '../architecture-facts.js';
import { documentedWarehouse } from './documented-warehouse.js';
import { renewPage } from './warehouse-page.js';
import { at, SCHEMA, type Warehouse } from './warehouse.js';

/**
 * docs/warehouse.md says what a real warehouse says: `UPDATE_DOCS=1 npx vitest run
 * tests/postgres/warehouse-page.test.ts` writes its answers and its tables anew.
 */
const PAGE = 'docs/warehouse.md';
const opened: Warehouse[] = [];
let renewed: string;

beforeAll(async () => {
  const stitch = await documentedWarehouse('stitch');
  const later = await documentedWarehouse('stitch-v2');
  const jsonb = await documentedWarehouse('jsonb');
  opened.push(stitch, later, jsonb);
  const describeOne = ({ pool }: Warehouse) => describeWarehouse(pool, SCHEMA, { isCounted: true });
  const schemas = {
    ...{ stitch: await describeOne(stitch), 'stitch-v2': await describeOne(later) },
    jsonb: await describeOne(jsonb),
  };
  const pools = { stitch: stitch.pool, 'stitch-v2': later.pool, jsonb: jsonb.pool };
  renewed = await renewPage(readProject(PAGE), { pools, schemas }, join(ROOT, PAGE));
});

afterAll(async () => {
  for (const warehouse of opened) await warehouse.close();
});

describe('docs/warehouse.md', () => {
  it('has the answers and the tables of a real warehouse (UPDATE_DOCS=1 writes them anew)', () => {
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(join(ROOT, PAGE), renewed);

    expect(readProject(PAGE)).toBe(renewed);
  });

  it('shows a query for every layout, and none that finds nothing', () => {
    const page = readProject(PAGE);
    const layouts = [...page.matchAll(/^```sql ?([\w-]*)$/gm)].map(([, layout]) => layout);
    const answers = [...page.matchAll(/^```text\n(.*?)\n```$/gms)].map(([, text = '']) => text);

    expect(new Set(layouts)).toEqual(new Set(['', 'stitch-v2', 'jsonb']));
    expect(answers.filter((text) => text.split('\n').length < 3)).toEqual([]);
  });

  it('leaves the tables as they are loaded, whatever it advised to make', async () => {
    for (const warehouse of opened) {
      const [leads, activities] = CLOSE_STREAMS;
      if (leads === undefined || activities === undefined) throw new Error('there are no streams');
      const next = {
        id: 'lead_next',
        date_updated: at(5),
        new_field: 'x',
        contacts: [{ id: 'c' }],
      };
      const version = { id: 'acti_call', date_updated: at(55), new_field: 'x', to: ['a'] };

      expect(await warehouse.load(leads, [next])).toMatchObject({ inserted: 1, rejected: 0 });
      expect(await warehouse.load(activities, [version])).toMatchObject({
        inserted: 1,
        rejected: 0,
      });
    }
  });
});
