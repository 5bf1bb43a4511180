import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { median, quantile } from '../bench/support/figures.js';
import { readProject, ROOT } from './architecture-facts.js';

/** Benchmarks measure and are no tests; that each can be named and begins is all that is asked here. */
const NAMES = readdirSync(join(ROOT, 'bench'))
  .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
  .map((file) => file.slice(0, -3));

function bench(...args: readonly string[]): Promise<{ exitCode: number; output: string }> {
  const command = ['--import', 'tsx', join(ROOT, 'bench', 'run.ts'), ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: ROOT }, (error, stdout, stderr) => {
      resolve({ exitCode: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
}

describe('npm run bench', () => {
  it('tells which benchmarks there are when it knows none of the name', async () => {
    const { exitCode, output } = await bench('nonsense');
    expect(exitCode).toBe(2);
    for (const name of NAMES) expect(output).toContain(name);
  });

  it('prints the figures that were measured as a table of Markdown', async () => {
    const { exitCode, output } = await bench('--table');
    expect([exitCode, output.split('\n')[0]]).toEqual([
      0,
      '| measure | peer | ours | limit | ratio | target | met |',
    ]);
  });

  it.each(NAMES)('%s is in docs/performance.md', (name) => {
    expect(readProject('docs/performance.md')).toContain(`\`${name}\``);
  });
});

describe('what is made of several repetitions', () => {
  it.each([
    [[3], 3],
    [[1, 9, 2], 2],
    [[4, 1, 2, 3], 2.5],
  ])('the median of %j is %d', (values, middle) => {
    expect(median(values)).toBe(middle);
  });

  it('95 % of twenty values lie at or below the nineteenth', () => {
    const values = Array.from({ length: 20 }, (_, index) => 20 - index);
    expect(quantile(values, 0.95)).toBe(19);
  });
});
