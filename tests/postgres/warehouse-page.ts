import { format, resolveConfig } from 'prettier';
import type pg from 'pg';
import { LAYOUTS, type LayoutName } from '../../src/core/layout.js';
import type { WarehouseRelation, WarehouseSchema } from '../../src/core/warehouse-schema.js';

/**
 * docs/warehouse.md is prose with two kinds of parts that a program writes: the answer below each
 * query, and the list of all tables at its end. This makes both anew from a real warehouse.
 */
export interface PageSource {
  readonly pools: Readonly<Record<LayoutName, pg.Pool>>;
  readonly schemas: Readonly<Record<LayoutName, WarehouseSchema>>;
}

const QUERY = /^```sql ?([\w-]*)\n(.*?)^```\n(?:\n```text\n.*?^```\n)?/gms;
const TABLES = '<!-- From here on, everything is written by the test. -->';

export async function renewPage(page: string, source: PageSource, path: string): Promise<string> {
  const [prose = ''] = page.split(TABLES);
  const parts: string[] = [];
  let end = 0;
  // One after the other: what one makes, the next one may use.
  for (const match of prose.matchAll(QUERY)) {
    const [whole, layout = '', sql = ''] = match;
    const name = layout === '' ? 'stitch' : layout;
    if (!isLayout(name)) throw new Error(`there is no layout ${name}`);
    const answer = await answerOf(source.pools[name], sql);
    parts.push(prose.slice(end, match.index), '```sql', layout && ` ${layout}`, `\n${sql}`);
    parts.push('```\n', answer === '' ? '' : `\n\`\`\`text\n${answer}\n\`\`\`\n`);
    end = match.index + whole.length;
  }
  const text = [...parts, prose.slice(end), TABLES, '\n\n', tablesPart(source)].join('');
  const options = await resolveConfig(path);
  return format(text, { ...options, parser: 'markdown' });
}

function isLayout(name: string): name is LayoutName {
  return Object.hasOwn(LAYOUTS, name);
}

/** As psql shows it; empty for a statement that has no rows to give. */
async function answerOf(pool: pg.Pool, sql: string): Promise<string> {
  const result = await pool.query<unknown[]>({ text: sql, rowMode: 'array' });
  // Several statements in one query have an answer each; the last one is what a reader sees.
  const last = Array.isArray(result) ? (result.at(-1) as typeof result) : result;
  if (last.fields.length === 0) return '';
  const lines = [last.fields.map(({ name }) => name), ...last.rows.map((row) => row.map(cellText))];
  const widths = last.fields.map((_, n) => Math.max(...lines.map((line) => width(line[n] ?? ''))));
  const [head = '', ...rows] = lines.map((line) =>
    line
      .map((cell, n) => cell + ' '.repeat((widths[n] ?? 0) - width(cell)))
      .join(' | ')
      .trimEnd(),
  );
  return [head, widths.map((each) => '-'.repeat(each)).join('-+-'), ...rows].join('\n');
}

function width(text: string): number {
  return [...text].length;
}

function cellText(value: unknown): string {
  if (value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function tablesPart({ schemas }: PageSource): string {
  const { stitch, jsonb } = schemas;
  const later = schemas['stitch-v2'];
  return [
    '## Every table',
    `What \`npx closehaul schema "Stitch Closeio" --count\` says of the tables that the sample records make. Another Close account has other custom fields, and each field's column comes with its first value.`,
    ...stitch.relations.flatMap((relation) => relationPart(relation, stitch.relations)),
    '## The same in layout `stitch-v2`',
    'Other names, the same rows: the key of the record is `_sdc_source_key_id`, fields of an element have no prefix.',
    ...summary(later),
    '## The same in layout `jsonb`',
    'No subtables: an array is a column.',
    ...summary(jsonb),
    ...jsonb.relations
      .filter(({ kind }) => kind === 'root')
      .map(({ name, columns }) => {
        const arrays = columns
          .filter(({ type }) => type === 'jsonb')
          .map((each) => code(each.name));
        return `Arrays in ${code(name)}: ${arrays.join(', ')}.`;
      }),
  ].join('\n\n');
}

function relationPart(
  relation: WarehouseRelation,
  all: readonly WarehouseRelation[],
): readonly string[] {
  const { name, comment, columns, rows } = relation;
  const view = all[all.indexOf(relation) + 1];
  if (relation.kind === 'view') return [];
  const facts = [
    relation.key.length > 0 && `key ${relation.key.map(code).join(', ')}`,
    ...relation.uniqueConstraints.map((unique) => `unique ${unique.map(code).join(', ')}`),
    ...relation.indexes.map((index) => `index ${code(index.name)} ${code(index.definition)}`),
    rows === 1 ? '1 row' : `${rows} rows`,
    view?.kind === 'view' && viewFact(view),
  ].filter((fact) => fact !== false);
  return [
    `### ${code(name)}`,
    ...(comment === null ? [] : [plain(comment)]),
    facts.map((fact) => `- ${fact}`).join('\n'),
    [
      '| column | type | | what it is |',
      '| --- | --- | --- | --- |',
      ...columns.map(
        (column) =>
          `| ${code(column.name)} | ${column.type} | ${column.isNotNull ? 'not null' : ''} | ${plain(column.comment ?? '')} |`,
      ),
    ].join('\n'),
  ];
}

function viewFact({ name, comment, key }: WarehouseRelation): string {
  const says = comment === null ? '' : ` ${plain(comment)}`;
  return `view ${code(name)} with the same columns, one row for each ${key.map(code).join(', ')}.${says}`;
}

function summary({ relations }: WarehouseSchema): readonly string[] {
  const lines = relations.map(
    ({ name, kind, key, rows }) =>
      `| ${code(name)} | ${kind === 'view' ? 'view' : 'table'} | ${key.map(code).join(', ')} | ${rows ?? ''} |`,
  );
  return [['| name | | key | rows |', '| --- | --- | --- | ---: |', ...lines].join('\n')];
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}

/** A comment is text: nothing in it is Markdown, although a label may look like it. */
function plain(text: string): string {
  return text
    .replace(/[\\`*[\]<>|~]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, '\\$&')
    .replaceAll('\n', ' ');
}
