/**
 * All benchmarks one after the other, or those that are named, and one table of what they say.
 *
 *   npm run bench [-- [NAME…] [--quick] [--repetitions N]]
 *   npm run bench -- --table       the table of the results that are there, as Markdown
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { printTable } from './support/figures.js';

/** Those with figures, in the order of the table; the others are run by their names. */
const BENCHES = [
  'history',
  'rate-limit',
  'growth',
  'incremental',
  'freshness',
  'scale-out',
  'start',
];

const words = process.argv.slice(2);
const firstFlag = words.findIndex((word) => word.startsWith('--'));
const names = firstFlag < 0 ? words : words.slice(0, firstFlag);
const flags = words.slice(names.length);

for (const name of names) {
  if (existsSync(fileOf(name))) continue;
  const known = readdirSync(fileURLToPath(new URL('.', import.meta.url)))
    .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
    .map((file) => file.slice(0, -3));
  console.error(`There is no benchmark "${name}"; there are ${known.join(', ')}.`);
  process.exit(2);
}

if (!flags.includes('--table')) {
  const build = (await import(new URL('../scripts/build.js', import.meta.url).href)) as {
    buildIfStale(): Promise<void>;
  };
  await build.buildIfStale();
  for (const name of names.length > 0 ? names : BENCHES) run(name);
}
printTable(BENCHES, flags.includes('--table'));

function run(name: string): void {
  const args = ['--import', 'tsx', fileOf(name), ...flags];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}

function fileOf(name: string): string {
  return fileURLToPath(new URL(`${name}.ts`, import.meta.url));
}
