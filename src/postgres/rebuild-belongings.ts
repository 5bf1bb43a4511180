import type pg from 'pg';
import { REJECTED_TABLE } from './rejects.js';
import { indexName, viewName } from './statements.js';

/**
 * What others put upon the tables of a connection: views, grants, indexes, triggers, policies, and
 * what they keep in its schema. Read before the old tables step aside, with the statement that makes
 * it again on the new ones; null where no statement can.
 */
export interface Belonging {
  /** For people: `view sales.pipeline`. The same for all statements of one thing. */
  readonly what: string;
  readonly statement: string | null;
}

export interface Places {
  readonly schema: string;
  /** Where the new tables are now, and where the old ones will be. */
  readonly shadow: string;
  readonly replaced: string;
  /** Names of our own relations in the old schema. */
  readonly ours: readonly string[];
}

/** The tables and views in a schema that are ours; whatever else is there is somebody's own. */
export async function namesOfOurs(
  client: pg.PoolClient,
  schema: string,
  appendStreams: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string; stream: string }>(
    'SELECT table_name AS name, stream FROM closehaul.warehouse_tables WHERE schema_name = $1',
    [schema],
  );
  const tables = new Set(rows.map(({ name }) => name));
  const views = rows
    .filter(({ stream }) => appendStreams.includes(stream))
    .map(({ name }) => viewName(name, tables));
  return [...tables, ...views, REJECTED_TABLE];
}

/** A name that a relation of somebody's in the old schema has, and the new schema needs. */
export async function takenName(
  client: pg.PoolClient,
  places: { readonly old: string; readonly fresh: string; readonly ours: readonly string[] },
): Promise<string | undefined> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class old
      WHERE relnamespace = to_regnamespace(quote_ident($1)) AND relname <> ALL($3::text[])
        AND relkind IN ${RELATIONS}
        AND EXISTS (SELECT FROM pg_class fresh WHERE fresh.relname = old.relname
                       AND fresh.relnamespace = to_regnamespace(quote_ident($2)))
      LIMIT 1`,
    [places.old, places.fresh, places.ours],
  );
  return rows[0]?.name;
}

const RELATIONS = "('r', 'p', 'v', 'm', 'f', 'S')";

/** In the order in which to make them. */
export async function belongings(
  client: pg.PoolClient,
  places: Places,
): Promise<readonly Belonging[]> {
  const { schema, shadow, replaced, ours } = places;
  const all: Belonging[] = [];
  for (const text of [MOVES, VIEWS, INDEXES, TRIGGERS, POLICIES, ...GRANTS]) {
    const { rows } = await client.query<Belonging & Partial<FoundIndex>>(`${PLACES} ${text}`, [
      ...[schema, shadow, replaced, ours],
    ]);
    for (const { what, statement, ...index } of rows) {
      if (!isOurs(index)) all.push({ what, statement });
    }
  }
  return all;
}

/**
 * What each of the statements below looks at. `own`: our relations that are there before and after,
 * so that what hangs on the old one has a new one to hang on.
 */
const PLACES = `
WITH place AS (
  SELECT $1::text AS schema, $3::text AS replaced, to_regnamespace(quote_ident($1)) AS old,
         to_regnamespace(quote_ident($2)) AS fresh, $4::text[] AS ours
), own AS (
  SELECT c.oid, c.relname, c.relacl, c.relowner, c.relrowsecurity, c.relforcerowsecurity,
         fresh.oid AS fresh_oid, fresh.relowner AS fresh_owner,
         format('%I.%I', place.schema, c.relname) AS name
    FROM place JOIN pg_class c ON c.relnamespace = place.old AND c.relname = ANY(place.ours)
    JOIN pg_class fresh ON fresh.relnamespace = place.fresh AND fresh.relname = c.relname
   WHERE c.relkind IN ('r', 'v')
)`;

const KIND = `CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
  WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END`;

/** Relations and functions of others go along into the schema of the connection's name. */
const MOVES = `
SELECT format('%s %I.%I', lower(${KIND}), place.schema, c.relname) AS what,
       format('ALTER %s %I.%I SET SCHEMA %I', ${KIND}, place.replaced, c.relname, place.schema) AS statement
  FROM place JOIN pg_class c ON c.relnamespace = place.old AND c.relname <> ALL(place.ours)
 WHERE c.relkind IN ${RELATIONS}
   -- The sequence of a serial or identity column goes with its table.
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
UNION ALL
SELECT format('function %I.%I', place.schema, p.proname),
       format('ALTER ROUTINE %I.%I(%s) SET SCHEMA %I', place.replaced, p.proname,
              pg_get_function_identity_arguments(p.oid), place.schema)
  FROM place JOIN pg_proc p ON p.pronamespace = place.old`;

/**
 * Views are replaced in place: they keep owner, grants, comments and whatever reads them, and so no
 * order among them matters. A materialized view cannot be.
 */
const VIEWS = `
SELECT DISTINCT format('%s %I.%I', lower(${KIND}), n.nspname, c.relname) AS what,
       CASE c.relkind WHEN 'v' THEN
         format('CREATE OR REPLACE VIEW %I.%I%s AS %s', n.nspname, c.relname,
                ' WITH (' || array_to_string(c.reloptions, ', ') || ')', pg_get_viewdef(c.oid)) END AS statement
  FROM place
  JOIN pg_class t ON t.relnamespace = place.old
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
                  AND d.classid = 'pg_rewrite'::regclass
  JOIN pg_rewrite r ON r.oid = d.objid AND r.rulename = '_RETURN'
  JOIN pg_class c ON c.oid = r.ev_class AND c.oid <> t.oid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT (c.relnamespace = place.old AND c.relname = ANY(place.ours))`;

interface FoundIndex {
  readonly index: string;
  readonly table: string;
  /** The only column; null where there are more, or an expression. */
  readonly column: string | null;
}

/** Indexes of our own making come with the columns that they are for. */
function isOurs({ index, table, column }: Partial<FoundIndex>): boolean {
  if (table === undefined || column === undefined || column === null) return false;
  return index === indexName(table, column);
}

const INDEXES = `
SELECT i.relname AS index, own.relname AS table,
       (SELECT attname FROM pg_attribute WHERE attrelid = own.oid AND attnum = x.indkey[0]
                                           AND x.indnatts = 1) AS column,
       format('index %I on %s', i.relname, own.name) AS what, pg_get_indexdef(i.oid) AS statement
  FROM own JOIN pg_index x ON x.indrelid = own.oid JOIN pg_class i ON i.oid = x.indexrelid
 WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid)
   -- One of ours is there already.
   AND NOT EXISTS (SELECT FROM place JOIN pg_class f ON f.relnamespace = place.fresh
                     AND f.relname = i.relname)`;

const TRIGGERS = `
SELECT format('trigger %I on %s', g.tgname, own.name) AS what, pg_get_triggerdef(g.oid) AS statement
  FROM own JOIN pg_trigger g ON g.tgrelid = own.oid WHERE NOT g.tgisinternal`;

/** Where rows were hidden, none is shown that was not: without its policies a table shows nothing. */
const POLICIES = `
SELECT format('row security on %s', name) AS what,
       format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, %s FORCE ROW LEVEL SECURITY', name,
              CASE WHEN relforcerowsecurity THEN '' ELSE 'NO' END) AS statement
  FROM own WHERE relrowsecurity
UNION ALL
SELECT format('policy %I on %s', p.policyname, own.name),
       format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.policyname, own.name, p.permissive, p.cmd,
              (SELECT string_agg(CASE role WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(role) END, ', ')
                 FROM unnest(p.roles) role))
         || coalesce(' USING (' || p.qual || ')', '') || coalesce(' WITH CHECK (' || p.with_check || ')', '')
  FROM place JOIN pg_policies p ON p.schemaname = place.schema
  JOIN own ON own.relname = p.tablename`;

const TO = `CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
  || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END`;

/** On the schema and for what is made in it later, on tables and views, on columns. */
const GRANTS = [
  `SELECT format('grants on schema %I', place.schema) AS what,
          format('GRANT %s ON SCHEMA %I TO %s', a.privilege_type, place.schema, ${TO}) AS statement
     FROM place JOIN pg_namespace n ON n.oid = place.old, aclexplode(n.nspacl) a
    WHERE a.grantee <> n.nspowner`,
  `SELECT format('default privileges in schema %I', place.schema) AS what,
          format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT %s ON %s TO %s',
                 pg_get_userbyid(f.defaclrole), place.schema, a.privilege_type,
                 CASE f.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES'
                                      WHEN 'f' THEN 'FUNCTIONS' ELSE 'TYPES' END, ${TO}) AS statement
     FROM place JOIN pg_default_acl f ON f.defaclnamespace = place.old, aclexplode(f.defaclacl) a
    WHERE a.grantee <> f.defaclrole`,
  // A table that only the new layout has gets what any new table in this schema gets.
  `SELECT format('grants on %I.%I', place.schema, c.relname) AS what,
          format('GRANT %s ON %I.%I TO %s', a.privilege_type, place.schema, c.relname, ${TO}) AS statement
     FROM place JOIN pg_class c ON c.relnamespace = place.fresh AND c.relkind IN ('r', 'v')
     JOIN pg_default_acl f ON f.defaclnamespace = place.old AND f.defaclobjtype = 'r'
                          AND f.defaclrole = c.relowner, aclexplode(f.defaclacl) a
    WHERE a.grantee <> c.relowner AND NOT EXISTS (SELECT FROM own WHERE own.fresh_oid = c.oid)`,
  `SELECT format('grants on %s', own.name) AS what,
          format('GRANT %s ON %s TO %s', a.privilege_type, own.name, ${TO}) AS statement
     FROM own, aclexplode(coalesce(own.relacl, acldefault('r', own.relowner))) a
    WHERE a.grantee <> own.fresh_owner`,
  `SELECT format('grants on %s', own.name) AS what,
          format('GRANT %s (%I) ON %s TO %s', a.privilege_type, old.attname, own.name, ${TO}) AS statement
     FROM own JOIN pg_attribute old ON old.attrelid = own.oid AND NOT old.attisdropped
     JOIN pg_attribute fresh ON fresh.attrelid = own.fresh_oid AND fresh.attname = old.attname
          AND NOT fresh.attisdropped, aclexplode(old.attacl) a`,
];

/** What of somebody else needs a relation of the schema, and would go with it. */
export async function readersOf(client: pg.PoolClient, schema: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ what: string }>(
    `WITH relation AS (
       SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($1))
     )
     SELECT DISTINCT coalesce(pg_describe_object('pg_class'::regclass, r.ev_class, 0),
                              pg_describe_object(d.classid, d.objid, 0)) AS what
       FROM relation
       JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = relation.oid
                       AND d.deptype = 'n'
       LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
       LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
       LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
      WHERE coalesce(r.ev_class, k.conrelid, p.polrelid, 0) NOT IN (SELECT oid FROM relation)
      ORDER BY 1`,
    [schema],
  );
  return rows.map(({ what }) => what);
}
