import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHome, type Home } from '../../src/local/home.js';
import { findPostgres, startPostgres, type LocalPostgres } from '../../src/local/postgres.js';
import {
  findPostgresBinaries,
  healLinks,
  packagedNative,
} from '../../src/local/postgres-binaries.js';
import { freePort } from '../../src/local/ports.js';
import { identityOf } from '../../src/local/processes.js';
import { removeHome, temporaryHome } from '../support/tools.js';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;

let folder: string;
let home: Home;

beforeEach(() => {
  folder = temporaryHome();
  home = openHome(folder);
});
afterEach(async () => {
  await (await findPostgres(home))?.stop();
  home.release();
  removeHome(folder);
});

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows.flatMap((row) =>
      Object.values(row),
    );
  } finally {
    await client.end();
  }
}

async function start(port?: number): Promise<LocalPostgres> {
  return startPostgres({ home, port });
}

describe('the embedded PostgreSQL', () => {
  it('starts, is a UTF-8 cluster that syncs, and asks for its password', async () => {
    const postgres = await start();
    expect(postgres.attached).toBe(false);
    // It leads a process group of its own: Ctrl-C in our terminal does not reach it.
    expect(() => process.kill(-postgres.pid, 0)).not.toThrow();
    expect(
      await ask(
        postgres.adminUrl,
        `SELECT unnest(ARRAY[current_setting('server_encoding'), current_setting('fsync'),
                current_setting('listen_addresses'), current_setting('data_checksums')])`,
      ),
    ).toEqual(['UTF8', 'on', '127.0.0.1', 'on']);
    const wrong = postgres.adminUrl.replace(/:[0-9a-f]{48}@/, ':wrong@');
    expect(wrong).not.toBe(postgres.adminUrl);
    await expect(ask(wrong, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    expect(new URL(postgres.url).pathname).toBe('/closehaul');
    expect(statSync(join(folder, 'postgres', 'password')).mode & 0o077).toBe(0);
    await postgres.stop();
    expect(identityOf(postgres.pid)).toBeUndefined();
  });

  it('is found again by a second start, and by a look, and keeps its port', async () => {
    const first = await start();
    const second = await start();
    expect(second).toMatchObject({ attached: true, pid: first.pid, adminUrl: first.adminUrl });
    expect((await findPostgres(home))?.pid).toBe(first.pid);
    await second.stop();
    await first.stop();
    expect(await findPostgres(home)).toBeUndefined();
    const third = await start();
    expect(third).toMatchObject({ attached: false, adminUrl: first.adminUrl });
  });

  it('keeps its data when the server is killed with SIGKILL', async () => {
    const first = await start();
    await ask(first.adminUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    process.kill(first.pid, 'SIGKILL');
    const second = await start();
    expect(second.attached).toBe(false);
    expect(await ask(second.adminUrl, 'SELECT answer FROM kept')).toEqual([42]);
  });

  it('starts over after an interrupted first run', async () => {
    const half = join(folder, 'postgres', 'data.tmp');
    mkdirSync(half, { recursive: true });
    writeFileSync(join(half, 'PG_VERSION'), '18\n');
    await start();
    expect(existsSync(half)).toBe(false);
  });

  it('takes over the pid file of a dead server whose pid a stranger has now', async () => {
    const first = await start();
    await first.stop();
    const lines = [process.pid, 'elsewhere', 1, 1, '', '127.0.0.1', '1 1', 'ready'];
    const dataFolder = join(folder, 'postgres', 'data');
    writeFileSync(join(dataFolder, 'postmaster.pid'), lines.join('\n'));
    expect((await start()).attached).toBe(false);
  });

  it('goes to the port that was asked for, or says that it is taken', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const address = blocker.address();
    const taken = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(start(taken)).rejects.toMatchObject({ code: 'PORT_TAKEN' });
    blocker.close();
    await once(blocker, 'close');
    expect((await start(taken)).port).toBe(taken);
    const other = await freePort();
    expect(await start(other)).toMatchObject({ port: other, attached: false });
  });

  it('writes no value of a row into its log', async () => {
    const postgres = await start();
    await expect(ask(postgres.adminUrl, `SELECT 'canary-value'::integer`)).rejects.toThrow();
    await ask(postgres.adminUrl, `DO $$ BEGIN RAISE WARNING 'canary-value'; END $$`);
    await postgres.stop();
    expect(readFileSync(postgres.logFile, 'utf8')).not.toContain('canary');
  });

  it('says which version made the data when it is another one', async () => {
    await (await start()).stop();
    writeFileSync(join(folder, 'postgres', 'data', 'PG_VERSION'), '12\n');
    await expect(start()).rejects.toMatchObject({
      code: 'POSTGRES_START_FAILED',
      message: expect.stringContaining('PostgreSQL 12') as string,
    });
  });

  it('says in words from the server why it does not start', async () => {
    await (await start()).stop();
    writeFileSync(join(folder, 'postgres', 'data', 'postgresql.conf'), 'shared_buffers = never\n');
    const failure = start();
    await expect(failure).rejects.toMatchObject({ code: 'POSTGRES_START_FAILED' });
    await expect(failure).rejects.toThrow(/FATAL:.*postgresql\.conf/);
  });
});

describe('the binaries of PostgreSQL', () => {
  let copy: string;
  beforeEach(async () => {
    const native = (await packagedNative()) ?? '';
    copy = mkdtempSync(join(tmpdir(), 'closehaul-package-'));
    chmodSync(copy, 0o755);
    cpSync(join(native, '..', 'package.json'), join(copy, 'package.json'));
    cpSync(native, join(copy, 'native'), {
      recursive: true,
      filter: (path) => !lstatSync(path).isSymbolicLink(),
    });
  });
  afterEach(() => rmSync(copy, { recursive: true, force: true }));

  it('get the links back that a skipped install script did not make', async () => {
    const native = join(copy, 'native');
    const run = () => spawnSync(join(native, 'bin', 'postgres'), ['--version']).status;
    if (process.platform === 'linux') expect(run()).not.toBe(0);
    healLinks(native);
    healLinks(native);
    expect(run()).toBe(0);
    const account = isRoot ? { uid: NOBODY, gid: NOBODY } : undefined;
    const options = { env: {}, spareFolder: folder, account, native };
    const binaries = await findPostgresBinaries(options);
    expect(binaries.postgres.startsWith(copy)).toBe(true);
    expect((await startPostgres({ home, binaries })).attached).toBe(false);
  });

  // Root can write anywhere, so for root there is no such package.
  const asUser = isRoot ? (): void => undefined : it;
  asUser('are copied when their package can be neither used nor completed', async () => {
    chmodSync(join(copy, 'native', 'lib'), 0o555);
    const options = { env: {}, spareFolder: folder, account: undefined };
    const binaries = await findPostgresBinaries({ ...options, native: join(copy, 'native') });
    chmodSync(join(copy, 'native', 'lib'), 0o755);
    expect(binaries.postgres.startsWith(folder)).toBe(true);
  });

  it('are missed with every reason when there are none', async () => {
    const options = { env: {}, spareFolder: folder, account: undefined };
    rmSync(join(copy, 'native', 'bin', 'postgres'));
    const found = findPostgresBinaries({ ...options, native: join(copy, 'native') });
    // A machine with a PostgreSQL of its own falls back to that one.
    if (existsSync('/usr/lib/postgresql')) expect((await found).postgres).toContain('/usr/lib/');
    else await expect(found).rejects.toMatchObject({ code: 'POSTGRES_BINARY_MISSING' });
  });
});

// What is different for root is there for root only; the other tests hold for everybody.
const underRoot = isRoot ? describe : (): void => undefined;

underRoot('under root', () => {
  it('keeps its data outside when a folder above the home is closed, and finds it again', async () => {
    const closed = join(temporaryHome(), 'home');
    const inner = openHome(closed);
    try {
      const first = await startPostgres({ home: inner });
      await ask(first.adminUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
      await first.stop();
      const outside = realpathSync(join(closed, 'postgres'));
      expect(outside.startsWith(closed)).toBe(false);
      expect(statSync(outside).uid).not.toBe(0);
      const second = await startPostgres({ home: inner });
      expect(await ask(second.adminUrl, 'SELECT answer FROM kept')).toEqual([42]);
      await second.stop();
    } finally {
      removeHome(closed);
      removeHome(join(closed, '..'));
    }
  });

  const script = fileURLToPath(new URL('./start-and-stop-postgres.ts', import.meta.url));
  const asNobody = { uid: NOBODY, gid: NOBODY, cwd: '/', encoding: 'utf8' as const };
  const probe = ['-e', 'require("node:fs").readFileSync(process.argv[1])', script];
  const canReadUs = isRoot && spawnSync(process.execPath, probe, asNobody).status === 0;

  const asNobodyToo = canReadUs ? it : (): void => undefined;

  asNobodyToo('an ordinary user needs none of that', () => {
    const own = join(folder, 'own');
    mkdirSync(own);
    chownSync(own, NOBODY, NOBODY);
    const tsx = new URL(import.meta.resolve('tsx')).href;
    const result = spawnSync(process.execPath, ['--import', tsx, script, join(own, 'home')], {
      ...asNobody,
      env: { HOME: own, TMPDIR: own, PATH: '/usr/bin:/bin' },
    });
    expect(`${result.stdout}${result.stderr}`).toContain('started and stopped');
    expect(readdirSync(join(own, 'home')).sort()).toEqual([
      'postgres',
      'postgres.json',
      'postgres.log',
    ]);
  });
});
