/**
 * Processes by identity. A process id alone is no identity: ids are used again, and after a crash
 * the id in a file may belong to a stranger. Id and start time together are.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; equal only for the same process of the same boot of the machine. */
  readonly startTime: string;
}

const isLinux = process.platform === 'linux';
const POLL_MS = isLinux ? 15 : 100;
const LOG_LIMIT_BYTES = 8 * 1024 * 1024;

/** Undefined when there is no such process, or when it has ended and waits only to be reaped. */
export function processStartTime(pid: number): string | undefined {
  if (!signal(pid, 0)) return undefined;
  try {
    return isLinux ? startTimeFromProc(pid) : startTimeFromPs(pid);
  } catch {
    return undefined;
  }
}

export function identityOf(pid: number): ProcessIdentity | undefined {
  const startTime = processStartTime(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return processStartTime(identity.pid) === identity.startTime;
}

/** The words of a process's command line joined by spaces; empty when it cannot be read. */
export function processCommand(pid: number): string {
  try {
    if (isLinux) return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

/** Sends a signal (0 only asks); false when there is no such process. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  // Zero and negative numbers mean groups of processes, our own among them.
  if (pid <= 0) return false;
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** True when the process has ended within the time. */
export async function waitForExit(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  return waitUntil(() => !isAlive(identity), timeoutMs);
}

export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (await condition()) return true;
    if (Date.now() >= deadline) return false;
    await delay(POLL_MS);
  }
}

export interface DetachedOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly workingFolder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/**
 * Starts a server in a session of its own: Ctrl-C in our terminal reaches us alone, so that we can
 * drain before we stop the server. It may outlive us.
 */
export async function spawnDetached(options: DetachedOptions): Promise<ProcessIdentity> {
  const log = openLog(options.logFile);
  try {
    const child = spawn(options.command, options.args, {
      cwd: options.workingFolder,
      env: options.env,
      detached: true,
      stdio: ['ignore', log, log],
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const pid = child.pid ?? 0;
    // A child that ended at once has no start time any more; an empty one reads as "not alive".
    return { pid, startTime: processStartTime(pid) ?? '' };
  } finally {
    closeSync(log);
  }
}

export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
  readonly workingFolder?: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Ends the program at once. */
  readonly cancel?: AbortSignal;
}

/** Runs a program to its end; a program that cannot be started, or takes too long, rejects. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const settings = {
      env: options.env,
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: 64 * 1024 * 1024,
      encoding: 'utf8' as const,
      ...(options.cancel === undefined ? {} : { signal: options.cancel }),
      ...(options.workingFolder === undefined ? {} : { cwd: options.workingFolder }),
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    };
    const child = execFile(command, [...args], settings, (error, stdout, stderr) => {
      if (error === null) return resolve({ exitCode: 0, stdout, stderr });
      if (typeof error.code === 'number') {
        return resolve({ exitCode: error.code, stdout, stderr });
      }
      if (error.killed === true) {
        return reject(new Error(`it took longer than ${Math.round(options.timeoutMs / 1000)} s`));
      }
      if (error.name === 'AbortError') return reject(new Error('it made no progress'));
      return reject(new Error(error.message, { cause: error }));
    });
    child.stdin?.end();
  });
}

function startTimeFromProc(pid: number): string | undefined {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The program's name stands in brackets and may hold spaces and brackets itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, threads, startedAt] = [fields[0], Number(fields[17]), fields[19]];
  // The first thread may be a zombie while others still end and hold ports and files open.
  const hasEnded = state === 'X' || (state === 'Z' && threads <= 1);
  return hasEnded ? undefined : `${bootId()}:${startedAt}`;
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function startTimeFromPs(pid: number): string | undefined {
  const text = execFileSync('ps', ['-o', 'stat=', '-o', 'lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC' },
  }).trim();
  const [state, ...started] = text.split(/\s+/);
  return state === undefined || state.startsWith('Z') ? undefined : started.join(' ');
}

function openLog(path: string): number {
  try {
    if (statSync(path).size > LOG_LIMIT_BYTES) renameSync(path, `${path}.1`);
  } catch {
    // There is no log yet.
  }
  return openSync(path, 'a', 0o600);
}
