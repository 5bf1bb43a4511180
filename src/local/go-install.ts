import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { findOnPath, reasonOf } from './commands.js';
import { run } from './processes.js';

const BUILD_TIMEOUT_MS = 20 * 60 * 1000;

export interface GoInstallOptions {
  /** With its version: `example.org/tool@v1.2.3`. The Go checksum database vouches for it. */
  readonly module: string;
  readonly temporaryFolder: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Builds a program from its published source; answers the folder that holds it. */
export async function goInstall(options: GoInstallOptions): Promise<string> {
  const go = findOnPath('go', options.env);
  if (go === undefined) throw new Error('there is no "go" on PATH');
  const binFolder = join(options.temporaryFolder, 'bin');
  mkdirSync(binFolder);
  const env: NodeJS.ProcessEnv = {
    ...options.env,
    GOBIN: binFolder,
    GOFLAGS: `${options.env['GOFLAGS'] ?? ''} -mod=mod`.trim(),
  };
  // Go refuses GOBIN while it is told to build for another machine.
  delete env['GOOS'];
  delete env['GOARCH'];
  const result = await run(go, ['install', '-trimpath', '-ldflags=-s -w', options.module], {
    env,
    timeoutMs: BUILD_TIMEOUT_MS,
    workingFolder: options.temporaryFolder,
  });
  if (result.exitCode !== 0) throw new Error(reasonOf(result.stderr));
  return binFolder;
}
