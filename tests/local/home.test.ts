import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClosehaulError } from '../../src/errors.js';
import { homeHolder, openHome } from '../../src/local/home.js';
import { identityOf } from '../../src/local/processes.js';
import { removeHome, temporaryHome } from '../support/tools.js';

let folder: string;
const holders: ChildProcess[] = [];

beforeEach(() => {
  folder = temporaryHome();
});
afterEach(async () => {
  for (const holder of holders.splice(0)) {
    if (holder.exitCode !== null || holder.signalCode !== null) continue;
    const ended = once(holder, 'exit');
    holder.kill('SIGKILL');
    await ended;
  }
  removeHome(folder);
});

/** Another process that tries to take the home; answers what it says. */
async function holdElsewhere(path: string): Promise<{ child: ChildProcess; said: string }> {
  const script = fileURLToPath(new URL('./hold-home.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  holders.push(child);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, said: said.toString().trim() };
}

function errorOf(action: () => unknown): ClosehaulError {
  try {
    action();
  } catch (error) {
    if (error instanceof ClosehaulError) return error;
    throw error;
  }
  throw new Error('It was expected to fail.');
}

describe('the home folder', () => {
  it('is made with its parents, closed to other users', () => {
    const home = openHome(join(folder, 'a', 'b'));
    expect(statSync(home.path).mode & 0o077).toBe(process.getuid?.() === 0 ? 0o011 : 0);
    home.release();
    expect(readdirSync(home.path)).toEqual([]);
  });

  it('is refused where a part of the path is a file', () => {
    writeFileSync(join(folder, 'file'), '');
    for (const path of [join(folder, 'file'), join(folder, 'file', 'home')]) {
      const error = errorOf(() => openHome(path));
      expect(error.code).toBe('HOME_NOT_WRITABLE');
      expect(error.message).toContain(path);
      expect(error.message).toContain('a file');
    }
  });

  it('is refused while this process has it, and given again after the release', () => {
    const home = openHome(folder);
    const error = errorOf(() => openHome(folder));
    expect(error.code).toBe('HOME_IN_USE');
    expect(error.message).toContain(String(process.pid));
    expect(homeHolder(folder)?.pid).toBe(process.pid);
    home.release();
    home.release();
    expect(homeHolder(folder)).toBeUndefined();
    openHome(folder).release();
  });

  it('is refused while another process has it, and taken over when that one was killed', async () => {
    const { child, said } = await holdElsewhere(folder);
    expect(said).toBe('taken');
    expect(errorOf(() => openHome(folder)).message).toContain(String(child.pid));
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    expect(existsSync(join(folder, 'lock.json'))).toBe(true);
    openHome(folder).release();
  });

  it('is taken over when the pid of the dead holder belongs to somebody else by now', () => {
    const stranger = identityOf(process.ppid);
    expect(stranger).toBeDefined();
    const stale = { pid: process.ppid, startTime: 'another time' };
    writeFileSync(join(folder, 'lock.json'), JSON.stringify(stale));
    openHome(folder).release();
    writeFileSync(join(folder, 'lock.json'), JSON.stringify(stranger));
    expect(errorOf(() => openHome(folder)).code).toBe('HOME_IN_USE');
  });

  it('is taken over when the lock is unreadable', () => {
    writeFileSync(join(folder, 'lock.json'), '{"pid":');
    openHome(folder).release();
  });

  it('goes to exactly one of several that find the same stale lock at once', async () => {
    const { pid } = spawnSync('true');
    writeFileSync(join(folder, 'lock.json'), JSON.stringify({ pid, startTime: 'long ago' }));
    const answers = await Promise.all([1, 2, 3, 4].map(() => holdElsewhere(folder)));
    expect(answers.map(({ said }) => said).sort()).toEqual([
      'HOME_IN_USE',
      'HOME_IN_USE',
      'HOME_IN_USE',
      'taken',
    ]);
  });
});
