/** The real command line as child processes; whatever a test starts here ends with it. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { identityOf, type ProcessIdentity } from '../../src/local/processes.js';

const BIN = fileURLToPath(new URL('../../bin/closehaul.js', import.meta.url));
const BUILD = fileURLToPath(new URL('../../scripts/build.js', import.meta.url));

export interface Finished {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TestProcess {
  readonly pid: number;
  readonly finished: Promise<Finished>;
  readonly isRunning: () => boolean;
  /** What it has written so far, both streams in the order in which they came. */
  readonly output: () => string;
  readonly signal: (name: NodeJS.Signals) => void;
  /** SIGKILL, and waits until it is gone. */
  readonly kill: () => Promise<void>;
}

export interface ProcessOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly workingFolder?: string;
  /** Given to Node before the script. */
  readonly nodeArgs?: readonly string[];
}

const running = new Set<TestProcess>();
let allOutput = '';

/** `closehaul <args>` as a user would run it. */
export function closehaul(args: readonly string[], options: ProcessOptions): TestProcess {
  return startProcess(process.execPath, [...(options.nodeArgs ?? []), BIN, ...args], options);
}

export function startProcess(
  command: string,
  args: readonly string[],
  options: ProcessOptions,
): TestProcess {
  const child = spawn(command, args, {
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.workingFolder !== undefined && { cwd: options.workingFolder }),
  });
  const texts = { stdout: '', stderr: '', both: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
      texts.both += text;
      allOutput += text;
    });
  }
  const finished = once(child, 'close').then(([exitCode]): Finished => {
    running.delete(started);
    return { exitCode: exitCode as number | null, stdout: texts.stdout, stderr: texts.stderr };
  });
  const started: TestProcess = {
    pid: child.pid ?? 0,
    finished,
    isRunning: () => running.has(started),
    output: () => texts.both,
    signal: (name) => void child.kill(name),
    kill: async () => {
      child.kill('SIGKILL');
      await finished;
    },
  };
  running.add(started);
  return started;
}

/** Runs `closehaul <args>` to its end. */
export function runClosehaul(args: readonly string[], options: ProcessOptions): Promise<Finished> {
  return closehaul(args, options).finished;
}

/** For `afterEach`: ends what a failed test left running. */
export async function endProcesses(): Promise<void> {
  await Promise.all([...running].map((process) => process.kill()));
}

/** All that the processes of this test file have written. */
export function writtenByProcesses(): string {
  return allOutput;
}

/** For `beforeAll`, so that no test pays for the build, and no two processes build at once. */
export async function buildOnce(): Promise<void> {
  const script = `import(${JSON.stringify(BUILD)}).then((module) => module.buildIfStale())`;
  const build = startProcess(process.execPath, ['-e', script], { env: process.env });
  const { exitCode, stdout, stderr } = await build.finished;
  if (exitCode !== 0) throw new Error(`the build failed:\n${stdout}${stderr}`);
}

/** The processes that `pid` has started and that run now, those in sessions of their own too. */
export function childrenOf(pid: number): readonly ProcessIdentity[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const [child, parent] = line.trim().split(/\s+/).map(Number);
    return parent === pid ? (identityOf(child ?? 0) ?? []) : [];
  });
}
