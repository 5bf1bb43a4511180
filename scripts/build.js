/**
 * Compiles `src` into `dist` and bundles the workflows. The command line builds by itself when a
 * source is newer than the last build: `npm start` works right after `npm ci`, the next one is quick.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'dist', '.built');

export function isStale() {
  if (!existsSync(stamp)) return true;
  const builtMs = statSync(stamp).mtimeMs;
  const sources = readdirSync(join(root, 'src'), { recursive: true }).map((name) =>
    join(root, 'src', String(name)),
  );
  return [...sources, join(root, 'package-lock.json'), join(root, 'tsconfig.json')].some(
    (file) => statSync(file).mtimeMs > builtMs,
  );
}

export async function build() {
  const startedMs = Date.now();
  // From nothing, so that a source that is gone leaves nothing behind.
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  execFileSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const { bundleWorkflowCode } = await import('@temporalio/worker');
  const silent = () => undefined;
  const logger = {
    trace: silent,
    debug: silent,
    info: silent,
    warn: console.warn,
    error: console.error,
    log: silent,
  };
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(root, 'dist', 'workflows', 'index.js'),
    payloadConverterPath: join(root, 'dist', 'workflows', 'payload-converter.js'),
    // Each worker holds the map twice; where a line came from needs no copy of the sources in it.
    webpackConfigHook: (config) => ({ ...config, devtool: 'inline-nosources-source-map' }),
    logger,
  });
  writeFileSync(join(root, 'dist', 'workflow-bundle.js'), inLatin(code));
  writeFileSync(stamp, '');
  console.error(`Built in ${((Date.now() - startedMs) / 1000).toFixed(1)} s.`);
}

/** With one letter beyond Latin 1, V8 takes twice the memory for a text. */
function inLatin(code) {
  // Behind a backslash it would be another escape.
  if (/\\[^\0-\xff]/.test(code)) throw new Error('a workflow escapes a letter beyond Latin 1');
  return code.replace(
    /[^\0-\xff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export async function buildIfStale() {
  if (isStale()) await build();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
