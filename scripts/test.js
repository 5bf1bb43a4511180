/**
 * The whole test suite: formatting, lint, types, then every test against real servers. Ends with
 * one line, `N passed, N failed`, in which each of the first three steps counts as one.
 *
 * Arguments go to vitest: `npm test -- tests/core` runs those tests, and the three steps still.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const counts = { passed: 0, failed: 0, skipped: 0 };

/** The script behind a package's command, so that no shell and no PATH is needed. */
function binOf(packageName, command) {
  const file = findPackageFile(packageName);
  const { bin } = JSON.parse(readFileSync(file, 'utf8'));
  return join(dirname(file), typeof bin === 'string' ? bin : bin[command]);
}

function findPackageFile(packageName) {
  for (const folder of require.resolve.paths(packageName) ?? []) {
    const file = join(folder, packageName, 'package.json');
    if (existsSync(file)) return file;
  }
  throw new Error(`${packageName} is not installed; run npm ci`);
}

function run(name, args, env = {}) {
  const startedMs = Date.now();
  console.log(`\n== ${name}`);
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  console.log(
    `== ${name}: ${status === 0 ? 'ok' : 'FAILED'}, ${((Date.now() - startedMs) / 1000).toFixed(1)} s`,
  );
  return status === 0;
}

function step(name, args) {
  if (run(name, args)) counts.passed += 1;
  else counts.failed += 1;
}

step('formatting', [binOf('prettier', 'prettier'), '--check', '--log-level', 'warn', '.']);
step('lint', [binOf('eslint', 'eslint'), '.', '--max-warnings', '0']);
step('types', [binOf('typescript', 'tsc'), '--noEmit']);

// The tests start the built program as their users do.
const isBuilt = run('build', ['scripts/build.js']);
if (isBuilt) {
  // A tool that cannot be had fails the tests that need it, and no others.
  if (!run('tools', ['scripts/tools.js'])) counts.failed += 1;
  runTests();
} else counts.failed += 1;

function runTests() {
  const folder = mkdtempSync(join(tmpdir(), 'closehaul-results-'));
  const file = join(folder, 'counts.json');
  const vitest = [binOf('vitest', 'vitest'), 'run', ...process.argv.slice(2)];
  const isGreen = run('tests', vitest, { TEST_COUNTS_FILE: file });
  if (existsSync(file)) {
    const { passed, failed, skipped } = JSON.parse(readFileSync(file, 'utf8'));
    counts.passed += passed;
    counts.failed += failed;
    counts.skipped += skipped;
  }
  // A run that broke down before it could count is a failure too.
  if (!isGreen && counts.failed === 0) counts.failed += 1;
  rmSync(folder, { recursive: true, force: true });
}

const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
console.log(`\n${counts.passed} passed, ${counts.failed} failed${skipped}`);
process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
