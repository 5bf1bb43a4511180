import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { faultKinds } from '../../src/sandbox/api/fault-list.js';
import { startSandbox } from '../../src/sandbox/sandbox.js';
import { ask } from '../support/sandbox-client.js';

const main = fileURLToPath(new URL('../../src/sandbox/main.ts', import.meta.url));

function run(words: readonly string[]): {
  readonly child: ReturnType<typeof spawn>;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
} {
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...words]);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => ({
    code: code as number | null,
    stdout,
    stderr,
  }));
  return { child, ended };
}

it('prints one line when it listens, serves, and ends on SIGTERM', async () => {
  const { child, ended } = run(['--leads', '3', '--activities', '12', '--seed', 'process']);
  const [line] = (await once(child.stdout ?? process.stdin, 'data')) as [Buffer];
  const { url } = JSON.parse(line.toString()) as { url: string };
  expect((await ask(url, '/lead/')).body.total_results).toBe(3);
  child.kill('SIGTERM');
  const { code, stdout } = await ended;
  expect(code).toBe(0);
  expect(stdout).toBe(`${JSON.stringify({ url })}\n`);
});

it('ends with whoever started it, when asked to', async () => {
  const { child, ended } = run(['--leads', '1', '--activities', '0', '--end-with-input']);
  await once(child.stdout ?? process.stdin, 'data');
  child.stdin?.destroy();
  expect((await ended).code).toBe(0);
});

it.each([
  [['--nonsense'], /nonsense/],
  [['--leads', 'many'], /"leads" must be a number/],
  [['--leads', '1.5'], /"leads" must be a whole number/],
  [['--from', 'yesterday'], /"from" is not an ISO date/],
  [['--fault', 'earthquake'], /Unknown fault "earthquake"/],
  [['--fault', 'forbidden=activity'], /"forbidden" needs a path, as "\/activity\/"/],
  [['--port', '99999'], /99999/],
  [['--role', 'king'], /"role" must be one of admin, user, restricteduser/],
  [['--max-skip', 'lead=far'], /"max-skip" must be a number/],
])('answers %j with a clear message and exit code 2', async (words, message) => {
  const { code, stderr, stdout } = await run(words).ended;
  expect(stderr).toMatch(message);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect([code, stdout]).toEqual([2, '']);
});

it('tells of every fault when asked for help', async () => {
  const { code, stdout } = await run(['--help']).ended;
  expect(code).toBe(0);
  for (const name of [...Object.keys(faultKinds), 'chaos']) expect(stdout).toContain(`\n  ${name}`);
});

it('takes the rights, the caps and the faults that it is told', async () => {
  const words = ['--role', 'user', '--max-skip', 'lead=2', '--fault', 'long-pages=1:/user/'];
  const { child, ended } = run(['--leads', '1', '--activities', '0', ...words]);
  const [line] = (await once(child.stdout ?? process.stdin, 'data')) as [Buffer];
  const { url } = JSON.parse(line.toString()) as { url: string };
  expect((await ask(url, '/webhook/')).status).toBe(403);
  expect((await ask(url, '/lead/', { _skip: 3 })).status).toBe(400);
  expect((await ask(url, '/contact/', { _skip: 3 })).status).toBe(200);
  expect((await ask(url, '/user/', { _limit: 1 })).body.data).toHaveLength(8);
  child.kill('SIGTERM');
  await ended;
});

it('says that the port is taken, with exit code 1', async () => {
  const holder = await startSandbox({ leads: 1, activities: 0 });
  const { code, stderr } = await run([
    '--port',
    String(holder.port),
    '--leads',
    '1',
    '--activities',
    '0',
  ]).ended;
  expect(stderr).toMatch(/port is already taken/);
  expect(code).toBe(1);
  await holder.stop();
});
