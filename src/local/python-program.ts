/** Programs of Python that the tests use for real, fetched by pip into the cache. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClosehaulError } from '../errors.js';
import { fetchIntoCache } from './cache.js';
import { findOnPath, reasonOf } from './commands.js';
import { run } from './processes.js';
import type { TctlOptions } from './tctl.js';

export interface PythonProgram {
  readonly name: string;
  readonly version: string;
  readonly requirements: readonly string[];
  /** All that these need, as `package==version`, so that they are the same every time. */
  readonly constraints: string;
  /** Prints the version, once all that the program needs can be imported. */
  readonly askVersion: string;
  /** What the program does when it is called. */
  readonly main: string;
  /** Some old packages are there as sources only, and are built when they are installed. */
  readonly mayBuild?: boolean;
}

const INSTALL_TIMEOUT_MS = 10 * 60 * 1000;
const ASK_TIMEOUT_MS = 60_000;

const WHICH_PYTHON = `
import sys
print(sys.implementation.cache_tag if sys.version_info >= (3, 10) else 'too old')`;

/**
 * The path of a program that runs. It lies in a folder of its own, made by pip alone: a virtual
 * environment would be tied to the place where it was made, and Debian's Python cannot make one.
 * Throws PYTHON_PROGRAM_UNOBTAINABLE.
 */
export async function ensurePythonProgram(
  program: PythonProgram,
  options: TctlOptions,
): Promise<string> {
  const { name, version } = program;
  try {
    const python = findOnPath('python3', options.env);
    if (python === undefined) throw new Error('there is no "python3" on PATH');
    const tag = (await ask(python, WHICH_PYTHON, options.env)).trim();
    if (tag === 'too old') throw new Error('its Python is older than 3.10');
    const folderName = `${name}-${version}-${tag}`;
    const folder = join(options.cacheFolder, folderName);
    const isUsable = (): Promise<boolean> => answersAs(program, python, folder, options.env);
    if (!(await isUsable())) {
      options.onProgress?.(`Fetching ${name} ${version} with pip, once.`);
      rmSync(folder, { recursive: true, force: true });
      await install(program, python, folderName, options).catch(async (error: unknown) => {
        // Of two that fetch it at once, the second finds the folder there.
        if (!(await isUsable())) throw error;
      });
    }
    return join(folder, 'bin', name);
  } catch (error) {
    const values = { program: name, reason: reasonOf(error) };
    throw new ClosehaulError('PYTHON_PROGRAM_UNOBTAINABLE', values, { cause: error });
  }
}

async function answersAs(
  program: PythonProgram,
  python: string,
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<boolean> {
  if (!existsSync(join(folder, 'bin', program.name))) return false;
  const asked = ask(python, program.askVersion, { ...env, PYTHONPATH: folder });
  return (await asked.catch(() => '')).trim() === program.version;
}

async function install(
  program: PythonProgram,
  python: string,
  folderName: string,
  options: TctlOptions,
): Promise<void> {
  await fetchIntoCache(options.cacheFolder, async (temporaryFolder) => {
    const constraints = join(temporaryFolder, 'constraints.txt');
    writeFileSync(constraints, program.constraints.trim().replaceAll(/\s+/g, '\n'));
    const file = join(temporaryFolder, folderName);
    mkdirSync(join(file, 'bin'), { recursive: true });
    const flags = ['--no-input', '--disable-pip-version-check'];
    if (program.mayBuild !== true) flags.push('--only-binary=:all:');
    const args = [...flags, '--target', file, '--constraint', constraints, ...program.requirements];
    const { exitCode, stderr } = await run(python, ['-m', 'pip', 'install', ...args], {
      env: options.env,
      timeoutMs: INSTALL_TIMEOUT_MS,
      workingFolder: temporaryFolder,
    });
    if (exitCode !== 0) throw new Error(reasonOf(stderr));
    const launcher = join(file, 'bin', program.name);
    writeFileSync(launcher, launcherText(python, program.main), { mode: 0o755 });
    return { file, name: folderName };
  });
}

/** What pip makes itself would not find the packages beside it. */
function launcherText(python: string, main: string): string {
  return `#!/bin/sh
PYTHONPATH="$(dirname "$0")/.." exec '${python}' -c '${main}' "$@"
`;
}

async function ask(python: string, script: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { exitCode, stdout, stderr } = await run(python, ['-c', script], {
    env,
    timeoutMs: ASK_TIMEOUT_MS,
  });
  if (exitCode !== 0) throw new Error(reasonOf(stderr));
  return stdout;
}
