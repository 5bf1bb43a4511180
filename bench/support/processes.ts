/** Programs that are measured run as processes of their own, beside the sandbox in ours. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';

const SAMPLE_MS = 50;
const KIB = 1024;

export interface Measured {
  readonly seconds: number;
  /** Memory of the processes and of all that they started, at its highest; null without /proc. */
  readonly peakBytes: number | null;
}

/** Starts a program whose trouble is shown when it ends in failure. */
export function startProgram(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): { readonly child: ChildProcess; readonly finished: Promise<void> } {
  const child = spawn(command, [...args], { stdio: ['ignore', 'ignore', 'pipe'], ...options });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000);
  });
  const finished = once(child, 'close').then(([exitCode, signal]) => {
    if (exitCode !== 0 && signal !== 'SIGTERM') {
      throw new Error(`${command} ended with ${String(exitCode ?? signal)}:\n${said}`);
    }
  });
  finished.catch(() => undefined);
  return { child, finished };
}

/** Time and memory of processes that are just started, until the last of them has ended. */
export async function measure(
  started: readonly ReturnType<typeof startProgram>[],
): Promise<Measured> {
  const startedMs = performance.now();
  const memory = watchMemory(started.map(({ child }) => child.pid ?? 0));
  try {
    await Promise.all(started.map(({ finished }) => finished));
    return { seconds: (performance.now() - startedMs) / 1000, peakBytes: memory.peakBytes() };
  } finally {
    memory.stop();
    for (const { child } of started) child.kill();
  }
}

/** Follows the memory of processes and their children. */
export function watchMemory(pids: readonly number[]): {
  readonly peakBytes: () => number | null;
  readonly stop: () => void;
} {
  let peak = 0;
  const sample = (): void => {
    const tree = pids.flatMap((pid) => [pid, ...descendants(pid)]);
    const now = tree.reduce((sum, pid) => sum + memoryOf(pid, 'VmRSS'), 0);
    // Between two samples one process may have been larger than all together are now.
    peak = Math.max(peak, now, ...tree.map((pid) => memoryOf(pid, 'VmHWM')));
  };
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    peakBytes: () => {
      sample();
      return peak === 0 ? null : peak;
    },
    stop: () => clearInterval(timer),
  };
}

function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const [, kib = '0'] =
    new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(read(`/proc/${pid}/status`)) ?? [];
  return Number(kib) * KIB;
}

function descendants(pid: number): number[] {
  return tasksOf(pid).flatMap((task) => {
    const children = read(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean);
    return children.flatMap((child) => [Number(child), ...descendants(Number(child))]);
  });
}

function tasksOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Empty when there is no such process any more, or no /proc at all. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
