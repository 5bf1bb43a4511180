import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConnection } from '../../src/postgres/connections.js';
import { createPool, inTransaction } from '../../src/postgres/pool.js';
import { dropReplaced } from '../../src/postgres/rebuild.js';
import { lead, openRebuilding, REPLACED, SHADOW, type Rebuilding } from './rebuilding.js';
import { ACTIVITIES, at, LEADS, SCHEMA } from './warehouse.js';

let warehouse: Rebuilding;
beforeEach(async () => {
  warehouse = await openRebuilding();
});
afterEach(() => warehouse.close());

const run = (text: string): Promise<Record<string, unknown>[]> => warehouse.rows(text);

async function newRole(): Promise<string> {
  const role = `reader_${randomBytes(4).toString('hex')}`;
  await run(`CREATE ROLE ${role}`);
  return role;
}

/** What `work` gives when `role` asks. */
const as = <T>(role: string, text: string): Promise<T[]> =>
  inTransaction(warehouse.pool, async (client) => {
    await client.query(`SET LOCAL ROLE ${role}`);
    return (await client.query(text)).rows as T[];
  });

describe('views of users', () => {
  it('read the new tables: on tables, on our views, on each other, in our schema and elsewhere', async () => {
    await run('CREATE SCHEMA sales');
    await run(`CREATE VIEW sales.all AS SELECT id, name FROM ${SCHEMA}.leads`);
    await run('CREATE VIEW sales.count AS SELECT count(*) AS name FROM sales.all');
    await run(`CREATE VIEW ${SCHEMA}.mine AS SELECT name, id FROM ${SCHEMA}.leads`);
    await run(`CREATE VIEW ${SCHEMA}.mine_too AS SELECT m.name, l.id FROM ${SCHEMA}.mine m
                 JOIN ${SCHEMA}.leads l USING (id)`);
    await run(`CREATE VIEW sales.calls AS SELECT id AS name FROM ${SCHEMA}.activities_current`);
    await run(`CREATE MATERIALIZED VIEW sales.kept AS SELECT name FROM sales.all`);
    await warehouse.rebuilt();

    expect(await warehouse.swap()).toEqual([]);

    expect(await warehouse.names('sales.all')).toEqual(['after', 'after']);
    expect(await warehouse.names('sales.count')).toEqual([2]);
    expect(await warehouse.names(`${SCHEMA}.mine`)).toEqual(['after', 'after']);
    expect(await warehouse.names(`${SCHEMA}.mine_too`)).toEqual(['after', 'after']);
    expect(await warehouse.names('sales.calls')).toEqual(['acti_2']);
    await run('REFRESH MATERIALIZED VIEW sales.kept');
    expect(await warehouse.names('sales.kept')).toEqual(['after', 'after']);
    expect(await dropReplaced(warehouse.pool, SCHEMA)).toEqual([]);
  });

  it('keep their owner, their grants, their options and their comment', async () => {
    const [owner, reader] = [await newRole(), await newRole()];
    await run(`CREATE SCHEMA sales`);
    await run(`CREATE VIEW sales.all WITH (security_barrier) AS SELECT name FROM ${SCHEMA}.leads`);
    await run(`COMMENT ON VIEW sales.all IS 'of sales'`);
    await run(`ALTER VIEW sales.all OWNER TO ${owner}; GRANT SELECT ON sales.all TO ${reader};
               GRANT USAGE ON SCHEMA sales, ${SCHEMA} TO ${owner}, ${reader};
               GRANT SELECT ON ${SCHEMA}.leads TO ${owner}`);
    const look = (): Promise<Record<string, unknown>[]> =>
      run(`SELECT pg_get_userbyid(relowner) AS owner, relacl::text, reloptions,
                  obj_description(oid) AS comment FROM pg_class WHERE oid = 'sales.all'::regclass`);
    const before = await look();
    await warehouse.rebuilt();
    expect(await warehouse.swap()).toEqual([]);
    expect(await look()).toEqual(before);
    expect(before).toMatchObject([{ owner, reloptions: ['security_barrier=true'] }]);
    expect(await as(reader, 'SELECT DISTINCT name FROM sales.all')).toEqual([{ name: 'after' }]);
  });

  it('that the new layout has nothing for are named, and keep the old tables', async () => {
    await run(`CREATE VIEW public.contacts AS SELECT items__name AS name
                 FROM ${SCHEMA}.leads__contacts`);
    await run(`CREATE VIEW public.leads AS SELECT name FROM ${SCHEMA}.leads`);
    await run(`CREATE MATERIALIZED VIEW public.kept AS SELECT name FROM ${SCHEMA}.leads`);
    await warehouse.rebuilt('jsonb');

    const left = await warehouse.swap();

    expect([...left].sort()).toEqual(['materialized view public.kept', 'view public.contacts']);
    expect(await warehouse.names('public.contacts')).toEqual([
      "before's contact",
      "before's contact",
    ]);
    expect(await warehouse.names('public.leads')).toEqual(['after', 'after']);
    const readers = await dropReplaced(warehouse.pool, SCHEMA);
    expect(readers).toEqual(['materialized view public.kept', 'view public.contacts']);
    expect(await warehouse.schemas()).toEqual([SCHEMA, REPLACED]);
  });

  it('that somebody is reading are waited for, and nothing has changed meanwhile', async () => {
    await run(`CREATE VIEW public.report AS SELECT name FROM ${SCHEMA}.leads`);
    await warehouse.rebuilt();
    const other = createPool({ url: warehouse.url, sizeMax: 1, applicationName: 'reader' });
    await inTransaction(other, async (client) => {
      await client.query('SELECT FROM public.report');
      await expect(warehouse.swap()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    });
    expect(await warehouse.names('public.report')).toEqual(['before', 'before']);
    expect(await readConnection(warehouse.pool, SHADOW)).toBeDefined();
    expect(await warehouse.swap()).toEqual([]);
    await inTransaction(other, async (client) => {
      await client.query(`SELECT FROM ${REPLACED}.leads`);
      await expect(dropReplaced(warehouse.pool, SCHEMA)).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
      });
    });
    await other.end();
    expect(await dropReplaced(warehouse.pool, SCHEMA)).toEqual([]);
  });
});

describe('what else belongs to users', () => {
  it('is granted on the new tables as on the old: schema, tables, columns, and what comes later', async () => {
    const [reader, clerk] = [await newRole(), await newRole()];
    await run(`GRANT USAGE ON SCHEMA ${SCHEMA} TO ${reader}, ${clerk};
               GRANT SELECT ON ${SCHEMA}.leads, ${SCHEMA}.activities_current TO ${reader};
               GRANT SELECT (id) ON ${SCHEMA}.leads TO ${clerk};
               ALTER DEFAULT PRIVILEGES IN SCHEMA ${SCHEMA} GRANT SELECT ON TABLES TO ${reader}`);
    await warehouse.openRebuild();
    const catalog = await warehouse.newCatalog();
    await warehouse.loadNew(
      LEADS,
      [{ ...lead('new', 'after'), tasks: [{ text: 'call' }] }],
      catalog,
    );
    await warehouse.loadNew(ACTIVITIES, [{ id: 'acti_2', date_updated: at(2) }], catalog);

    expect(await warehouse.swap()).toEqual([]);

    expect(await as(reader, `SELECT name FROM ${SCHEMA}.leads`)).toEqual([{ name: 'after' }]);
    expect(await as(reader, `SELECT id FROM ${SCHEMA}.activities_current`)).toHaveLength(1);
    expect(await as(reader, `SELECT id FROM ${SCHEMA}.leads__tasks`)).toHaveLength(1);
    expect(await as(clerk, `SELECT id FROM ${SCHEMA}.leads`)).toEqual([{ id: 'lead_new' }]);
    await expect(as(clerk, `SELECT name FROM ${SCHEMA}.leads`)).rejects.toThrow(/denied/);
    await run(`CREATE TABLE ${SCHEMA}.later (name text)`);
    expect(await as(reader, `SELECT name FROM ${SCHEMA}.later`)).toEqual([]);
  });

  it('stays hidden: row security goes along', async () => {
    const reader = await newRole();
    await run(`GRANT USAGE ON SCHEMA ${SCHEMA} TO ${reader}; GRANT SELECT ON ${SCHEMA}.leads TO ${reader};
               ALTER TABLE ${SCHEMA}.leads ENABLE ROW LEVEL SECURITY;
               CREATE POLICY own ON ${SCHEMA}.leads FOR SELECT TO ${reader} USING (id = 'lead_new')`);
    await warehouse.rebuilt();
    expect(await warehouse.swap()).toEqual([]);
    expect(await as(reader, `SELECT id FROM ${SCHEMA}.leads`)).toEqual([{ id: 'lead_new' }]);
    expect(await dropReplaced(warehouse.pool, SCHEMA)).toEqual([]);
  });

  it('is on the new tables too: indexes and triggers', async () => {
    await run(`CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RETURN NULL; END $$`);
    await run(`CREATE TRIGGER noted AFTER INSERT ON ${SCHEMA}.leads
               FOR EACH ROW EXECUTE FUNCTION public.note()`);
    await run(`CREATE INDEX by_name ON ${SCHEMA}.leads (lower(name)) WHERE name IS NOT NULL`);
    const look = (): Promise<Record<string, unknown>[]> =>
      run(`SELECT pg_get_indexdef(indexrelid) AS is FROM pg_index WHERE indrelid = '${SCHEMA}.leads'::regclass
           UNION SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = '${SCHEMA}.leads'::regclass
           ORDER BY 1`);
    const before = await look();
    await warehouse.rebuilt();
    expect(await warehouse.swap()).toEqual([]);
    expect(before.length).toBeGreaterThanOrEqual(3);
    expect(await look()).toEqual(before);
  });

  it('is no index of ours: one whose column the new tables do not have keeps no old table', async () => {
    await warehouse.load(ACTIVITIES, [{ id: 'acti_3', date_updated: at(3), lead_id: 'lead_old' }]);
    const [own] = await run(`SELECT to_regclass('${SCHEMA}.activities_lead_id_idx')::text AS name`);
    await warehouse.rebuilt();
    expect(own?.['name'], 'the index that this test is about').toMatch(/activities_lead_id_idx/);
    expect(await warehouse.swap()).toEqual([]);
  });

  it('is still there: tables and functions in the schema of the connection', async () => {
    await run(`CREATE TABLE ${SCHEMA}.notes (id serial PRIMARY KEY, name text)`);
    await run(`INSERT INTO ${SCHEMA}.notes (name) VALUES ('mine')`);
    await run(
      `CREATE FUNCTION ${SCHEMA}.one(n integer) RETURNS text LANGUAGE sql AS $$ SELECT 'one' $$`,
    );
    await warehouse.rebuilt();
    expect(await warehouse.swap()).toEqual([]);
    expect(await dropReplaced(warehouse.pool, SCHEMA)).toEqual([]);
    await run(`INSERT INTO ${SCHEMA}.notes (name) VALUES ('too')`);
    expect(await warehouse.names(`${SCHEMA}.notes`)).toEqual(['mine', 'too']);
    expect(await run(`SELECT ${SCHEMA}.one(1) AS one`)).toEqual([{ one: 'one' }]);
  });

  it('is never dropped along: what refers to an old table keeps it, and is named', async () => {
    await run(`CREATE TABLE public.notes (lead text REFERENCES ${SCHEMA}.leads)`);
    await warehouse.rebuilt();
    await warehouse.swap();
    const [reader, ...more] = await dropReplaced(warehouse.pool, SCHEMA);
    expect(reader).toMatch(/^constraint notes_lead_fkey on table (public\.)?notes$/);
    expect(more).toEqual([]);
    expect(await warehouse.schemas()).toEqual([SCHEMA, REPLACED]);
  });

  it('stops the swap when it has a name that the new tables need', async () => {
    await run(`CREATE TABLE ${SCHEMA}.leads__tasks (name text)`);
    await warehouse.openRebuild();
    const catalog = await warehouse.newCatalog();
    await warehouse.loadNew(
      LEADS,
      [{ ...lead('new', 'after'), tasks: [{ text: 'call' }] }],
      catalog,
    );
    await expect(warehouse.swap()).rejects.toMatchObject({
      code: 'REBUILD_NAME_TAKEN',
      message: expect.stringContaining('leads__tasks') as string,
    });
    await run(`DROP TABLE ${SCHEMA}.leads__tasks`);
    expect(await warehouse.swap()).toEqual([]);
  });
});
