import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureTestServer } from '../../src/local/test-server.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'closehaul-tool-'));
  mkdirSync(join(folder, 'bin'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** With nothing in the cache, and these programs alone on PATH, each of which ends so. */
function ensure(programs: Readonly<Record<string, '/bin/true' | '/bin/false'>>): Promise<string> {
  for (const [name, target] of Object.entries(programs)) {
    symlinkSync(target, join(folder, 'bin', name));
  }
  const env = { PATH: join(folder, 'bin') };
  return ensureTestServer({ cacheFolder: join(folder, 'cache'), env });
}

describe('a machine that cannot fetch the time-skipping server', () => {
  it.each([
    ['there is no "java" on PATH', {}],
    ['its "java" does not run', { java: '/bin/false' }],
    ['there is no "mvn" on PATH', { java: '/bin/true' }],
    ['it said nothing', { java: '/bin/true', mvn: '/bin/false' }],
  ] as const)('is told: %s', async (reason, programs) => {
    await expect(ensure(programs)).rejects.toMatchObject({
      code: 'TEST_SERVER_UNOBTAINABLE',
      message: expect.stringContaining(reason) as string,
      next: expect.stringContaining('Install Java') as string,
    });
  });

  it('does not take what is not pinned', async () => {
    // This Maven says that all is well, and has copied nothing.
    await expect(ensure({ java: '/bin/true', mvn: '/bin/true' })).rejects.toThrow(/pinned/);
  });
});
