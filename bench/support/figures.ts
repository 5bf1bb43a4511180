/** What a benchmark prints, and keeps as JSON for the table in docs/performance.md. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';

export interface Figure {
  /** What was measured, with its unit. */
  readonly measure: string;
  readonly peer: number | null;
  readonly ours: number;
  /** What the machine, or the target, allows. */
  readonly limit: number | null;
  readonly ratio: number | null;
  readonly target: string;
  readonly isMet: boolean;
}

export interface Report {
  readonly bench: string;
  readonly isQuick: boolean;
  readonly machine: string;
  readonly figures: readonly Figure[];
  /** Whatever else was measured on the way. */
  readonly details: unknown;
}

const RESULTS = fileURLToPath(new URL('../results', import.meta.url));

function fileOf(bench: string): string {
  return join(RESULTS, `${bench}.json`);
}

export interface BenchOptions {
  readonly isQuick: boolean;
  readonly repetitions: number;
}

/** `--quick` for a small size, `--repetitions N` for other than the usual three. */
export function benchOptions(): BenchOptions {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean' }, repetitions: { type: 'string' } },
    // Some benchmarks take more.
    strict: false,
  });
  const isQuick = values['quick'] === true;
  const repetitions = Number(values['repetitions'] ?? (isQuick ? 1 : 3));
  if (!Number.isInteger(repetitions) || repetitions < 1) {
    throw new Error(`--repetitions must be a whole number from 1 on.`);
  }
  return { isQuick, repetitions };
}

export function publish(
  bench: string,
  { isQuick }: BenchOptions,
  figures: readonly Figure[],
  details: unknown = null,
): void {
  const report: Report = { bench, isQuick, machine: machine(), figures, details };
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(fileOf(bench), `${JSON.stringify(report, null, 2)}\n`);
  console.log(`\n${report.bench}${isQuick ? ' (quick)' : ''} on ${report.machine}`);
  console.log(textTable(figures));
}

/** Of the results that are there: all figures, for a terminal or as Markdown for the documents. */
export function printTable(benches: readonly string[], asMarkdown: boolean): void {
  const reports = benches.flatMap((bench): Report[] => {
    const file = fileOf(bench);
    return existsSync(file) ? [JSON.parse(readFileSync(file, 'utf8')) as Report] : [];
  });
  const figures = reports.flatMap((report) => report.figures);
  if (!asMarkdown) {
    console.log(`\nAll figures\n${textTable(figures)}`);
    return;
  }
  const lines = [HEADS, HEADS.map(() => '---'), ...figures.map(cells)];
  console.log(lines.map((line) => `| ${line.join(' | ')} |`).join('\n'));
  console.log(`\n${[...new Set(reports.map((report) => report.machine))].join('\n')}`);
}

const HEADS = ['measure', 'peer', 'ours', 'limit', 'ratio', 'target', 'met'];

function textTable(figures: readonly Figure[]): string {
  const table = new Table({ head: HEADS, style: { head: [], border: [], compact: true } });
  for (const figure of figures) table.push(cells(figure));
  return table.toString();
}

function cells({ measure, peer, ours, limit, ratio, target, isMet }: Figure): string[] {
  const numbers = [peer, ours, limit].map((value) => (value === null ? '' : shown(value)));
  const ratioText = ratio === null ? '' : ratio.toFixed(ratio < 10 ? 2 : 1);
  return [measure, ...numbers, ratioText, target, isMet ? 'yes' : 'NO'];
}

function shown(value: number): string {
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}

function machine(): string {
  const [first] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${first?.model.trim() ?? 'unknown'}, ${gib} GiB, Node ${process.versions.node}`;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = NaN, high = NaN] = [
    sorted[sorted.length % 2 === 0 ? middle - 1 : middle],
    sorted[middle],
  ];
  return (low + high) / 2;
}

/** The value below which `share` of all lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}
