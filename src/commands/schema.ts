import Table from 'cli-table3';
import { stringify } from 'yaml';
import type { Config } from '../config.js';
import { dbtSources, parsePeriod, type DbtPeriod, type DbtSources } from '../core/dbt-sources.js';
import type { WarehouseRelation, WarehouseSchema } from '../core/warehouse-schema.js';
import { number } from '../core/words.js';
import { ClosehaulError } from '../errors.js';
import { describeWarehouse } from '../postgres/describe.js';
import { checkOptions } from './connection-options.js';
import { withPool } from './database.js';
import { answer, type Output } from './output.js';

export interface SchemaFlags {
  readonly count: boolean;
  readonly dbt: boolean;
  readonly database?: string;
  readonly warnAfter: string;
  readonly errorAfter: string;
}

/** What a connection's warehouse holds, for people, for programs, for dbt. Throws USAGE. */
export async function schema(
  config: Config,
  name: string,
  flags: SchemaFlags,
  output: Output,
): Promise<void> {
  const options = {
    database: flags.database,
    warnAfter: periodOf('--warn-after', flags.warnAfter),
    errorAfter: periodOf('--error-after', flags.errorAfter),
  };
  const checked = checkOptions({ name });
  const described = await withPool(config, (pool) =>
    describeWarehouse(pool, checked.schema, { isCounted: flags.count }),
  );
  if (flags.dbt) {
    const sources = dbtSources(described, options);
    answer(output, sources, sourcesFile(sources, name));
  } else {
    answer(output, described, schemaText(described, flags.count));
  }
}

function periodOf(flag: string, text: string): DbtPeriod {
  const period = parsePeriod(text);
  if (period !== undefined) return period;
  throw new ClosehaulError('USAGE', { detail: `${flag} is a number with m, h or d, such as 12h.` });
}

function sourcesFile(sources: DbtSources, name: string): string {
  // dbt reads YAML 1.1, where a column called `on` or `yes` would be a boolean without its quotes.
  const yaml = stringify(sources, {
    version: '1.1',
    lineWidth: 0,
    aliasDuplicateObjects: false,
  }).trimEnd();
  const command = `closehaul schema ${JSON.stringify(name)} --dbt`;
  return `# Written by: ${command}\n# Made anew by it when columns were added; for dbt 1.10 or newer.\n${yaml}`;
}

function schemaText(described: WarehouseSchema, isCounted: boolean): string {
  const parts = described.relations.map((relation) => relationText(relation, isCounted));
  return [`Schema ${described.name}`, ...parts].join('\n\n');
}

function relationText(relation: WarehouseRelation, isCounted: boolean): string {
  const { rows, comment, key, uniqueConstraints, indexes } = relation;
  const amount =
    rows === null
      ? ''
      : `, ${isCounted ? '' : 'about '}${number(rows)} row${rows === 1 ? '' : 's'}`;
  const lines = [`${relation.name} (${relation.kind === 'view' ? 'view' : 'table'}${amount})`];
  if (comment !== null) lines.push(comment);
  if (key.length > 0) lines.push(`  key    ${key.join(', ')}`);
  for (const columns of uniqueConstraints) lines.push(`  unique ${columns.join(', ')}`);
  for (const { name, definition } of indexes) lines.push(`  index  ${name} ${definition}`);
  const table = new Table({
    head: ['column', 'type', 'null', 'what it is'],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, type, isNotNull, comment: what } of relation.columns) {
    table.push([name, type, isNotNull ? 'not null' : '', what ?? '']);
  }
  return [...lines, table.toString()].join('\n');
}
