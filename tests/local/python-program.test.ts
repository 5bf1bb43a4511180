import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureDbt } from '../../src/local/dbt.js';
import { removeHome, temporaryHome } from '../support/tools.js';

/** That it is fetched and runs is seen in tests/postgres/dbt.test.ts; here, what it says without. */
let folder: string;
let cacheFolder: string;
beforeEach(() => {
  folder = temporaryHome();
  cacheFolder = join(folder, 'cache');
});
afterEach(() => removeHome(folder));

/** A Python that does what these shell lines say. */
function python(lines: string): NodeJS.ProcessEnv {
  const file = join(folder, 'bin', 'python3');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${lines}\n`);
  chmodSync(file, 0o755);
  return { PATH: [join(folder, 'bin'), '/bin', '/usr/bin'].join(delimiter) };
}

const KNOWS_ITSELF = 'if [ "$1" = -c ]; then echo cpython-312; exit 0; fi';

describe('without', () => {
  it.each([
    ['Python', () => ({ PATH: folder }), /no "python3" on PATH/],
    ['a new enough Python', () => python('echo too old'), /older than 3\.10/],
    [
      'pip',
      () => python(`${KNOWS_ITSELF}\necho "$0: No module named pip" >&2; exit 1`),
      /No module named pip/,
    ],
    [
      'a package registry',
      () => python(`${KNOWS_ITSELF}\necho "ERROR: No matching distribution" >&2; exit 1`),
      /No matching distribution/,
    ],
  ])('%s it says so, and what to install, and leaves nothing behind', async (_, env, reason) => {
    const refused = ensureDbt({ cacheFolder, env: env() });

    await expect(refused).rejects.toMatchObject({
      code: 'PYTHON_PROGRAM_UNOBTAINABLE',
      message: expect.stringMatching(reason) as string,
      next: expect.stringContaining('python3-pip') as string,
    });
    mkdirSync(cacheFolder, { recursive: true });
    expect(readdirSync(cacheFolder)).toEqual([]);
  });
});
