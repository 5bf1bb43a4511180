import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../sandbox/main.js', import.meta.url));

/** Serves the sandbox alone, with its own options; ends with its exit code. */
export async function sandbox(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'inherit' });
  // Ctrl-C reaches it by itself; we only wait for its end.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => child.kill(name));
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 0)));
}
