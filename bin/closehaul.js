#!/usr/bin/env node
// Plain JavaScript of any age: an old Node must get as far as the sentence about its version.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `closehaul: Node ${process.versions.node} is too old; it needs 20.19 or newer (22 or 24 is best).`,
  );
  process.exit(1);
}
const { existsSync } = await import('node:fs');
const build = new URL('../scripts/build.js', import.meta.url);
// In a checkout the build follows the sources; an installed package has only its build.
if (existsSync(build)) await (await import(build.href)).buildIfStale();
const { main } = await import('../dist/cli.js');
process.exitCode = await main(process.argv);
// Everything is closed by now; a library's thread that is not must not keep the process for ever.
setTimeout(() => process.exit(), 2_000).unref();
