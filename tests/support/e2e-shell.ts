/** Operators' command lines, run by a shell exactly as a person would paste them. */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { testNamespace } from './stack.js';
import { startProcess, type Finished, type TestProcess } from './e2e-process.js';

export interface Shell {
  readonly folder: string;
  /** Runs the line to its end, whatever that is. */
  readonly run: (line: string) => Promise<Finished>;
  /** Runs the line and gives what it printed; throws when it failed. */
  readonly read: (line: string) => Promise<string>;
  /** Starts a line that does not end by itself. */
  readonly start: (line: string) => TestProcess;
  readonly close: () => void;
}

/**
 * A shell that finds each program under its name and talks to the test file's Temporal namespace. Its
 * working folder is a new one.
 */
export function openShell(
  programs: Readonly<Record<string, string>>,
  more: NodeJS.ProcessEnv = {},
): Shell {
  const folder = mkdtempSync(join(tmpdir(), 'closehaul-shell-'));
  for (const [name, program] of Object.entries(programs)) symlinkSync(program, join(folder, name));
  const env = {
    ...more,
    PATH: `${folder}:/usr/bin:/bin`,
    HOME: folder,
    // The one is read by tctl, the other by temporal.
    TEMPORAL_CLI_ADDRESS: inject('temporalAddress'),
    TEMPORAL_CLI_NAMESPACE: testNamespace(),
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    TEMPORAL_NAMESPACE: testNamespace(),
  };
  const run = (line: string): Promise<Finished> =>
    startProcess('/bin/sh', ['-c', line], { env, workingFolder: folder }).finished;
  return {
    ...{ folder, run },
    start: (line) =>
      startProcess('/bin/sh', ['-c', `exec ${line}`], { env, workingFolder: folder }),
    async read(line) {
      const { exitCode, stdout, stderr } = await run(line);
      if (exitCode !== 0) throw new Error(`"${line}" ended with ${exitCode}: ${stdout}${stderr}`);
      return stdout;
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
