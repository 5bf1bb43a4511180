/** The sums over all matches that come with every page of `/opportunity/` (recorded answers, 2026). */
import { textOf, type Json, type JsonObject } from './json.js';
import { formatMoney } from './opportunity-record.js';

const PERIODS = ['one_time', 'monthly', 'annual'] as const;

export function opportunityTotals(records: readonly JsonObject[]): JsonObject {
  const counts: JsonObject = {};
  const sums: Record<string, number> = { total_value_annualized: 0, expected_value_annualized: 0 };
  for (const period of PERIODS) {
    sums[`total_value_${period}`] = 0;
    sums[`expected_value_${period}`] = 0;
  }
  const add = (name: string, value: Json | undefined): void => {
    if (typeof value === 'number') sums[name] = (sums[name] ?? 0) + value;
  };
  for (const record of records) {
    const period = textOf(record.value_period);
    const count = counts[period];
    counts[period] = (typeof count === 'number' ? count : 0) + 1;
    add(`total_value_${period}`, record.value);
    add(`expected_value_${period}`, record.expected_value);
    add('total_value_annualized', record.annualized_value);
    add('expected_value_annualized', record.annualized_expected_value);
  }
  const totals: JsonObject = { total_results: records.length, count_by_value_period: counts };
  for (const [name, sum] of Object.entries(sums)) {
    totals[name] = sum;
    totals[`${name}_formatted`] = sum === 0 ? null : formatMoney(sum);
  }
  return totals;
}
