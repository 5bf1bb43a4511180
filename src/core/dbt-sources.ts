import { chooseName, TABLE_BYTES_MAX } from './naming.js';
import type { WarehouseColumn, WarehouseRelation, WarehouseSchema } from './warehouse-schema.js';

/**
 * A warehouse as a sources file of dbt, before it is written as YAML: descriptions are the comments
 * of the database, tests are what its keys promise, freshness is asked of each stream's own table.
 *
 *   leads, key id          →  id: unique, not_null
 *   activities, two rows for two versions  →  id: not_null, and unique in activities_current
 *   leads__contacts, key (id, _sdc_level_0_id)  →  both not_null
 *
 * `freshness` and `loaded_at_query` stand under `config`, where dbt has them since 1.10 (docs of dbt,
 * source properties, read 2026-11).
 */
export interface DbtSources {
  readonly version: 2;
  readonly sources: readonly [DbtSource];
}

export interface DbtOptions {
  /** Left out when undefined: then it is the database of the profile. */
  readonly database: string | undefined;
  readonly warnAfter: DbtPeriod;
  readonly errorAfter: DbtPeriod;
}

export interface DbtPeriod {
  readonly count: number;
  readonly period: 'minute' | 'hour' | 'day';
}

interface DbtSource {
  readonly name: string;
  readonly description?: string;
  readonly database?: string;
  readonly schema: string;
  readonly loader: 'closehaul';
  readonly quoting: { readonly schema: true; readonly identifier: true };
  readonly tables: readonly DbtTable[];
}

interface DbtTable {
  /** What `source()` calls it. */
  readonly name: string;
  /** What the database calls it, where that is something else. */
  readonly identifier?: string;
  readonly description?: string;
  readonly config?: DbtFreshness;
  readonly columns: readonly DbtColumn[];
}

interface DbtFreshness {
  readonly loaded_at_query: string;
  readonly freshness: { readonly warn_after: DbtPeriod; readonly error_after: DbtPeriod };
}

interface DbtColumn {
  readonly name: string;
  readonly quote?: true;
  readonly description?: string;
  readonly data_type: string;
  readonly data_tests?: readonly string[];
}

const PERIODS = { m: 'minute', h: 'hour', d: 'day' } as const;

/** `90m`, `12h`, `3d`; undefined when it is none of these. */
export function parsePeriod(text: string): DbtPeriod | undefined {
  const [, count = '', unit] = /^([1-9]\d{0,4})([mhd])$/.exec(text) ?? [];
  return unit === undefined
    ? undefined
    : { count: Number(count), period: PERIODS[unit as keyof typeof PERIODS] };
}

export function dbtSources(schema: WarehouseSchema, options: DbtOptions): DbtSources {
  const source: DbtSource = {
    name: schema.name,
    ...described(schema.comment),
    ...(options.database !== undefined && { database: options.database }),
    schema: schema.name,
    loader: 'closehaul',
    quoting: { schema: true, identifier: true },
    tables: tablesOf(schema.relations, options),
  };
  return { version: 2, sources: [source] };
}

function tablesOf(
  relations: readonly WarehouseRelation[],
  options: DbtOptions,
): readonly DbtTable[] {
  const taken = new Set(relations.map(({ name }) => name).filter((name) => PLAIN_NAME.test(name)));
  return relations.map((relation) => {
    if (PLAIN_NAME.test(relation.name)) return tableOf(relation, relation.name, options);
    const wanted = relation.name.replaceAll(/[^\p{L}\p{N}_]+/gu, '_').replace(/_+$/, '');
    const name = chooseName(wanted, relation.name, taken, TABLE_BYTES_MAX);
    taken.add(name);
    return tableOf(relation, name, options);
  });
}

/** dbt refuses a space in a name, and makes files that are called like its tests. */
const PLAIN_NAME = /^[\p{L}\p{N}_]+$/u;

function tableOf(relation: WarehouseRelation, name: string, options: DbtOptions): DbtTable {
  const { warnAfter, errorAfter } = options;
  // A subtable may rest for months while its stream is fresh, so only the stream's table is asked.
  const { syncedAtQuery } = relation;
  const freshness = { warn_after: warnAfter, error_after: errorAfter };
  const config = syncedAtQuery !== null && { loaded_at_query: syncedAtQuery, freshness };
  return {
    name,
    ...(name !== relation.name && { identifier: plain(relation.name) }),
    ...described(relation.comment),
    ...(config && { config }),
    columns: relation.columns.map((column) => columnOf(column, relation.key)),
  };
}

function columnOf(column: WarehouseColumn, key: readonly string[]): DbtColumn {
  const isKey = key.includes(column.name);
  return {
    name: plain(column.name),
    ...(column.needsQuotes && { quote: true }),
    ...described(column.comment),
    data_type: column.type,
    ...(isKey && { data_tests: key.length === 1 ? ['unique', 'not_null'] : ['not_null'] }),
  };
}

function described(comment: string | null): { readonly description?: string } {
  return comment === null ? {} : { description: plain(comment) };
}

/** dbt reads names and descriptions as Jinja; a label of Close may well hold two braces. */
function plain(text: string): string {
  return text.replace(/\{(?=[{%#])/g, "{{ '{' }}");
}
