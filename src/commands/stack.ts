import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawn } from 'node:child_process';
import type { ClientConnectConfig } from '@temporalio/envconfig';
import { z } from 'zod';
import type { Config } from '../config.js';
import { ClosehaulError } from '../errors.js';
import type { Home } from '../local/home.js';
import { startPostgres } from '../local/postgres.js';
import { resolveTemporalCli } from '../local/temporal-cli.js';
import { isTemporalServing, startTemporal } from '../local/temporal-server.js';
import { createDatabase } from '../postgres/migrate.js';

/**
 * The parts that a connection needs: PostgreSQL, Temporal, Close. Each is the user's own where the
 * environment names one, else an embedded one that is started here and stopped at the end.
 */
export interface Part {
  readonly name: string;
  stop(): Promise<void>;
}

export interface DatabasePart {
  readonly url: string;
  readonly isEmbedded: boolean;
}

export interface TemporalPart {
  readonly connect: ClientConnectConfig;
  readonly address: string;
  /** Address of the Web UI when we started it. */
  readonly uiUrl: string | null;
  readonly cliPath: string | null;
  readonly isEmbedded: boolean;
}

export type Say = (line: string) => void;

export async function databasePart(
  config: Config,
  home: Home,
  parts: Part[],
  say: Say,
): Promise<DatabasePart> {
  if (config.databaseUrl !== undefined) {
    return { url: config.databaseUrl.reveal(), isEmbedded: false };
  }
  const postgres = await startPostgres({ home, env: config.env, onLog: say });
  parts.push({ name: 'PostgreSQL', stop: () => postgres.stop() });
  await createDatabase(postgres.adminUrl, 'closehaul');
  return { url: postgres.url, isEmbedded: true };
}

export async function temporalPart(
  config: Config,
  home: Home,
  parts: Part[],
  say: Say,
): Promise<TemporalPart> {
  const { address } = config.temporal.connectionOptions;
  const namespace = config.temporal.namespace ?? 'default';
  if (address !== undefined) {
    const isLocal = config.temporal.connectionOptions.tls === undefined;
    if (isLocal && !(await isTemporalServing(address, namespace))) {
      throw new ClosehaulError('TEMPORAL_UNREACHABLE', { address });
    }
    return { connect: config.temporal, address, uiUrl: null, cliPath: null, isEmbedded: false };
  }
  const { cacheFolder, env, temporalCliPath: cliPath } = config;
  const cli = await resolveTemporalCli({ cliPath, cacheFolder, env, onProgress: say });
  const temporal = await startTemporal({ home, cliPath: cli.path, namespace, onLog: say });
  parts.push({ name: 'Temporal', stop: () => temporal.stop() });
  const connectionOptions = { ...config.temporal.connectionOptions, address: temporal.address };
  return {
    connect: { ...config.temporal, namespace, connectionOptions },
    address: temporal.address,
    uiUrl: temporal.uiUrl,
    cliPath: cli.path,
    isEmbedded: true,
  };
}

const SANDBOX = fileURLToPath(new URL('../sandbox/main.js', import.meta.url));
/** Any text that looks like a key; the sandbox lets it in. */
export const SANDBOX_KEY = 'api_sandbox';
const sandboxState = z.object({ seed: z.string(), until: z.string() });

/**
 * Starts the sandbox as a process of its own. Its seed and dates are kept, so that a second start
 * finds the same account.
 */
export async function sandboxPart(home: Home, parts: Part[]): Promise<string> {
  const file = join(home.path, 'sandbox.json');
  if (!existsSync(file)) {
    const until = new Date().toISOString();
    writeFileSync(file, JSON.stringify({ seed: 'closehaul', until }));
  }
  const { seed, until } = sandboxState.parse(JSON.parse(readFileSync(file, 'utf8')));
  const args = [SANDBOX, '--port', '0', '--seed', seed, '--until', until];
  const child = spawn(
    process.execPath,
    [...args, '--changes-per-minute', '30', '--end-with-input'],
    {
      // Of its own process group, so that Ctrl-C reaches us first and we stop it last; should we be
      // killed, the pipe to it closes and it ends by itself.
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  parts.push({
    name: 'sandbox',
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  });
  const line = await Promise.race([firstLine(child.stdout), exited.then(() => '')]);
  if (line === '') throw new ClosehaulError('SANDBOX_START_FAILED');
  return z.object({ url: z.string() }).parse(JSON.parse(line)).url;
}

async function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    const end = text.indexOf('\n');
    if (end >= 0) return text.slice(0, end);
  }
  return text;
}

/** Stops what was started, the last first; tells what would not stop. */
export async function stopParts(parts: Part[], say: Say): Promise<void> {
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    try {
      await part.stop();
    } catch {
      say(`${part.name} did not stop in time; "npx closehaul stop" tries again.`);
    }
  }
}
