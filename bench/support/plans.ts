/** How PostgreSQL read its tables: what EXPLAIN says of each statement, by its own `auto_explain`. */
import { readFileSync } from 'node:fs';
import type { Stack } from './stack.js';

export interface ExplainedStatement {
  readonly statement: string;
  /** `Index Scan leads leads_pkey`: kind, table, index, from the top of the plan down. */
  readonly reads: readonly string[];
}

/** From now on the plans of all statements of new sessions are in the server's log, without their values. */
export function explainAll(stack: Pick<Stack, 'setServer'>): Promise<void> {
  return stack.setServer({
    session_preload_libraries: 'auto_explain',
    'auto_explain.log_min_duration': '0',
    'auto_explain.log_format': 'json',
    'auto_explain.log_parameter_max_length': '0',
  });
}

/** What was explained; each kind of statement once. */
export function explainedIn(logFile: string): readonly ExplainedStatement[] {
  const log = readFileSync(logFile, 'utf8');
  const statements = new Map<string, ExplainedStatement>();
  // Lines that go on begin with a tab.
  for (const [, json = ''] of log.matchAll(/ plan:\n((?:\t.*\n)+)/g)) {
    const { 'Query Text': text, Plan: plan } = JSON.parse(json) as Explained;
    const reads = readsOf(plan);
    if (reads.length === 0) continue;
    const statement = text.replace(/\s+/g, ' ');
    statements.set(`${statement} ${reads.join()}`, { statement, reads });
  }
  return [...statements.values()];
}

interface Explained {
  readonly 'Query Text': string;
  readonly Plan: Plan;
}

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly Plans?: readonly Plan[];
}

function readsOf(plan: Plan): string[] {
  const { 'Node Type': kind, 'Relation Name': table, 'Index Name': index } = plan;
  const isRead = kind.includes('Scan') && (table !== undefined || index !== undefined);
  const own = isRead ? [[kind, table, index].filter(Boolean).join(' ')] : [];
  return [...own, ...(plan.Plans ?? []).flatMap(readsOf)];
}
