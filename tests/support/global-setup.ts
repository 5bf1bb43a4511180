import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { startPostgres } from '../../src/local/postgres.js';
import { startTemporal } from '../../src/local/temporal-server.js';
import { removeHome, temporalCliPath, temporaryHome } from './tools.js';

/**
 * One real PostgreSQL and one real Temporal for the whole run. Each test file makes databases of its
 * own, and has a Temporal namespace of its own, called like the file: all workers poll the one task
 * queue that the product has, and must not take each other's work.
 */
declare module 'vitest' {
  export interface ProvidedContext {
    readonly postgresAdminUrl: string;
    readonly temporalAddress: string;
    readonly temporalUiUrl: string;
  }
}

const TESTS = fileURLToPath(new URL('..', import.meta.url));
const WITH_TEMPORAL = ['workflows', 'e2e'];

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const extraArgs = namespaces().flatMap((name) => ['--namespace', name]);
  const cliPath = await temporalCliPath();
  const path = temporaryHome();
  const home = { path };
  const postgres = await startPostgres({ home, env: process.env });
  const temporal = await startTemporal({ home, cliPath, extraArgs }).catch(
    async (error: unknown) => {
      // Nobody calls a teardown that was never returned.
      await postgres.stop();
      removeHome(path);
      throw error;
    },
  );
  project.provide('postgresAdminUrl', postgres.adminUrl);
  project.provide('temporalAddress', temporal.address);
  project.provide('temporalUiUrl', temporal.uiUrl);
  return async () => {
    await temporal.stop();
    await postgres.stop();
    removeHome(path);
  };
}

function namespaces(): readonly string[] {
  return WITH_TEMPORAL.flatMap((folder) =>
    readdirSync(join(TESTS, folder))
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => namespaceOf(file)),
  );
}

/** `tests/workflows/pause.test.ts` → `pause`. */
export function namespaceOf(file: string): string {
  return basename(file).replace(/\.test\.ts$/, '');
}
