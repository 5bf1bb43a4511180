import Table from 'cli-table3';
import type pg from 'pg';
import { connectionWorkflowId, TASK_QUEUE } from '../contract.js';
import { number } from '../core/words.js';
import { countTables } from '../postgres/report.js';
import type { Screen } from './screen.js';
import type { DatabasePart, TemporalPart } from './stack.js';

export interface ReportSource {
  readonly schema: string;
  readonly pool: pg.Pool;
  readonly database: DatabasePart;
  readonly temporal: TemporalPart;
}

/** What is there now and where: the tables, and the lines to try next. */
export async function finalReport(
  source: ReportSource,
  { name }: { readonly name: string },
  screen: Screen,
): Promise<void> {
  const { schema, temporal } = source;
  const counts = await countTables(source.pool, schema);
  screen.settle();
  screen.say('');
  screen.say(countsTable(schema, counts));
  screen.say('');
  const workflow = connectionWorkflowId(schema);
  const { namespace = 'default' } = temporal.connect;
  // What is each tool's default is left out, so that the lines stay short.
  const temporalFlags =
    (temporal.address === 'localhost:7233' ? '' : ` --address ${temporal.address}`) +
    (namespace === 'default' ? '' : ` --namespace ${namespace}`);
  const lines: [string, string][] = [
    [
      'Look at it',
      `psql '${shownUrl(source)}' -c 'SELECT name, status_label FROM ${schema}.leads LIMIT 5'`,
    ],
    ...(temporal.uiUrl === null
      ? []
      : ([['Web UI', `${temporal.uiUrl}/namespaces/${namespace}/workflows/${workflow}`]] as [
          string,
          string,
        ][])),
    ['Status', `npx closehaul status '${name}'`],
    ['tctl', `tctl${temporalFlags} workflow query --workflow_id ${workflow} --query_type status`],
    [
      '',
      `tctl${temporalFlags} workflow signal --workflow_id ${workflow} --name backfill --input '"2024-01-01"'`,
    ],
    ['temporal', `temporal workflow query${temporalFlags} --workflow-id ${workflow} --name status`],
    ['', `temporal workflow signal${temporalFlags} --workflow-id ${workflow} --name syncNow`],
  ];
  for (const [label, line] of lines) screen.say(`${label.padEnd(11)} ${line}`);
  screen.say(`${'Task queue'.padEnd(11)} ${TASK_QUEUE}`);
  screen.say('');
}

export function countsTable(
  schema: string,
  counts: readonly { table: string; rows: number }[],
): string {
  const table = new Table({
    head: [`${schema}.`, 'rows'],
    colAligns: ['left', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const { table: name, rows } of counts) table.push([name, number(rows)]);
  return table.toString();
}

/** With its password only where it is ours, made for this machine alone; a user's is theirs to know. */
function shownUrl({ database }: ReportSource): string {
  if (database.isEmbedded) return database.url;
  const url = new URL(database.url);
  url.password = '';
  for (const name of ['password', 'sslpassword']) url.searchParams.delete(name);
  return url.href;
}
