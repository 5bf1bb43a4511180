/** Temporal's time-skipping test server, in which thirty days pass in a second. For the tests. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClosehaulError } from '../errors.js';
import { fetchIntoCache } from './cache.js';
import { findOnPath, reasonOf } from './commands.js';
import { run } from './processes.js';
import type { TctlOptions } from './tctl.js';

const VERSION = '1.31.0';
const NAME = `temporal-test-server-${VERSION}`;
const ARTIFACT = { groupId: 'io.temporal', artifactId: 'temporal-test-server', version: VERSION };
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
/** Of the names and hashes of the server and all that it needs, as they were on 2026-11-24. */
const SHA256 = '92b148bbe41a9352732b46ea8cb58873640c0ac9b08612c4a4a44802f9f6c7c4';
const FETCH_TIMEOUT_MS = 10 * 60 * 1000;
const ASK_TIMEOUT_MS = 30_000;
const LAUNCHER = 'test-server';

/**
 * The path of a program that serves on the port that is its argument. Maven fetches it, from where
 * this user's settings say. Throws TEST_SERVER_UNOBTAINABLE.
 */
export async function ensureTestServer(options: TctlOptions): Promise<string> {
  const folder = join(options.cacheFolder, NAME);
  try {
    await assertJava(options.env);
    if (!isComplete(folder)) {
      options.onProgress?.(`Fetching Temporal's test server ${VERSION} with Maven, once.`);
      await fetch(options).catch((error: unknown) => {
        // Of two that fetch it at once, the second finds the folder there.
        if (!isComplete(folder)) throw error;
      });
    }
    return join(folder, LAUNCHER);
  } catch (error) {
    const reason = reasonOf(error);
    throw new ClosehaulError('TEST_SERVER_UNOBTAINABLE', { reason }, { cause: error });
  }
}

async function assertJava(env: NodeJS.ProcessEnv): Promise<void> {
  const java = findOnPath('java', env);
  if (java === undefined) throw new Error('there is no "java" on PATH');
  const { exitCode } = await run(java, ['-version'], { env, timeoutMs: ASK_TIMEOUT_MS });
  if (exitCode !== 0) throw new Error('its "java" does not run');
}

async function fetch({ cacheFolder, env }: TctlOptions): Promise<void> {
  const maven = findOnPath('mvn', env);
  if (maven === undefined) throw new Error('there is no "mvn" on PATH');
  await fetchIntoCache(cacheFolder, async (temporaryFolder) => {
    writeFileSync(join(temporaryFolder, 'pom.xml'), project());
    const file = join(temporaryFolder, NAME);
    mkdirSync(file);
    const settings = ['-DincludeScope=runtime', `-DoutputDirectory=${join(file, 'lib')}`];
    const { exitCode, stdout, stderr } = await run(maven, ['-B', '-q', COPY, ...settings], {
      env,
      timeoutMs: FETCH_TIMEOUT_MS,
      workingFolder: temporaryFolder,
    });
    if (exitCode !== 0) throw new Error(reasonOf(stdout + stderr));
    if (!isPinned(join(file, 'lib'))) throw new Error('what Maven fetched is not what was pinned');
    // The SDK waits five seconds for it, so it must not take its time to compile.
    const start = `exec java -XX:TieredStopAtLevel=1 -cp "$(dirname "$0")/lib/*"`;
    const main = 'io.temporal.testserver.TestServer "$@"';
    writeFileSync(join(file, LAUNCHER), `#!/bin/sh\n${start} ${main}\n`, { mode: 0o755 });
    return { file, name: NAME };
  });
}

function project(): string {
  const tags = (values: Readonly<Record<string, string>>): string =>
    Object.entries(values)
      .map(([tag, value]) => `<${tag}>${value}</${tag}>`)
      .join('');
  const own = { groupId: 'closehaul', artifactId: 'tools', version: '1', packaging: 'pom' };
  const dependencies = `<dependencies><dependency>${tags(ARTIFACT)}</dependency></dependencies>`;
  return `<project><modelVersion>4.0.0</modelVersion>${tags(own)}${dependencies}</project>\n`;
}

function isComplete(folder: string): boolean {
  return existsSync(join(folder, LAUNCHER)) && isPinned(join(folder, 'lib'));
}

function isPinned(folder: string): boolean {
  const sha256 = (content: Buffer | string): string =>
    createHash('sha256').update(content).digest('hex');
  if (!existsSync(folder)) return false;
  const lines = readdirSync(folder)
    .sort()
    .map((name) => `${sha256(readFileSync(join(folder, name)))}  ${name}\n`);
  return sha256(lines.join('')) === SHA256;
}
