import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { inspect } from 'node:util';
import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import { z } from 'zod';
import { ClosehaulError } from './errors.js';

/**
 * The only reader of the environment. Everything is checked once, at the start, and all that is
 * wrong is told together.
 */
export interface Config {
  /** Key of a connection, by its schema; undefined when there is none. */
  readonly keyOf: (schema: string) => ApiKey;
  readonly hasKey: boolean;
  readonly closeUrl: string;
  readonly databaseUrl: Secret | undefined;
  readonly temporal: ClientConnectConfig;
  readonly temporalAddress: string | undefined;
  readonly temporalCliPath: string | undefined;
  readonly home: string;
  readonly cacheFolder: string;
  readonly name: string;
  readonly startDate: string | undefined;
  readonly every: string | undefined;
  readonly layout: string | undefined;
  readonly streams: readonly string[] | undefined;
  readonly logLevel: LogLevel;
  readonly metricsAddress: string | undefined;
  readonly healthAddress: string | undefined;
  /** For the programs that we start, and for looking programs up on PATH. */
  readonly env: NodeJS.ProcessEnv;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface ApiKey {
  readonly key: Secret | undefined;
  /** The variable that the key is, or would be, read from. */
  readonly variable: string;
}

/** A value that no logger, error or inspector can print. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

/** Variables of ours; a name of this kind that is not here is a mistake worth telling. */
export const VARIABLES = [
  'CLOSE_API_KEY',
  'CLOSE_API_KEY_FILE',
  'CLOSE_API_URL',
  'CLOSEHAUL_HOME',
  'CLOSEHAUL_NAME',
  'CLOSEHAUL_START_DATE',
  'CLOSEHAUL_EVERY',
  'CLOSEHAUL_LAYOUT',
  'CLOSEHAUL_STREAMS',
] as const;
const OURS = /^(?:CLOSEHAUL_|CLOSE_API_)/;
const KEY_OF_CONNECTION = /^CLOSE_API_KEY_[A-Z0-9_]+$/;

const schema = z.object({
  CLOSE_API_URL: z.url({ protocol: /^https?$/ }).default('https://api.close.com/api/v1'),
  CLOSEHAUL_HOME: z.string().min(1).default('.closehaul'),
  CLOSEHAUL_NAME: z.string().min(1).default('Stitch Closeio'),
  CLOSEHAUL_START_DATE: z.string().min(1).optional(),
  CLOSEHAUL_EVERY: z.string().min(1).optional(),
  CLOSEHAUL_LAYOUT: z.string().min(1).optional(),
  CLOSEHAUL_STREAMS: z.string().min(1).optional(),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  METRICS_ADDRESS: z.string().regex(/:\d+$/).optional(),
  HEALTH_ADDRESS: z.string().regex(/:\d+$/).optional(),
  TEMPORAL_CLI_PATH: z.string().min(1).optional(),
});

/** Throws CONFIG_INVALID, which names every variable that is wrong, and KEY_EMPTY, KEY_MALFORMED. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const wrong = Object.keys(env).filter(
    (name) =>
      OURS.test(name) &&
      !(VARIABLES as readonly string[]).includes(name) &&
      !KEY_OF_CONNECTION.test(name),
  );
  const parsed = schema.safeParse(env);
  const invalid = parsed.success ? [] : parsed.error.issues.map((issue) => String(issue.path[0]));
  if (!parsed.success || wrong.length > 0) {
    const names = [...wrong.map((name) => `${name} (unknown)`), ...new Set(invalid)];
    throw new ClosehaulError('CONFIG_INVALID', { names: names.join(', ') });
  }
  const values = parsed.data;
  const databaseUrl = readSecret(env, 'DATABASE_URL');
  if (databaseUrl !== undefined && !/^postgres(?:ql)?:\/\//.test(databaseUrl)) {
    throw new ClosehaulError('CONFIG_INVALID', { names: 'DATABASE_URL (not a postgres:// URL)' });
  }
  return {
    keyOf: (connection) => readKey(env, connection),
    hasKey: hasAnyKey(env),
    closeUrl: values.CLOSE_API_URL,
    databaseUrl: databaseUrl === undefined ? undefined : new Secret(databaseUrl),
    temporal: readTemporal(env),
    temporalAddress: env['TEMPORAL_ADDRESS'],
    temporalCliPath: values.TEMPORAL_CLI_PATH,
    home: resolve(values.CLOSEHAUL_HOME),
    cacheFolder: join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'closehaul'),
    name: values.CLOSEHAUL_NAME,
    startDate: values.CLOSEHAUL_START_DATE,
    every: values.CLOSEHAUL_EVERY,
    layout: values.CLOSEHAUL_LAYOUT,
    streams: values.CLOSEHAUL_STREAMS?.split(','),
    logLevel: values.LOG_LEVEL,
    metricsAddress: values.METRICS_ADDRESS,
    healthAddress: values.HEALTH_ADDRESS,
    env,
  };
}

function readTemporal(env: NodeJS.ProcessEnv): ClientConnectConfig {
  try {
    return loadClientConnectConfig({ overrideEnvVars: stringsOf(env) });
  } catch (error) {
    throw new ClosehaulError(
      'CONFIG_INVALID',
      { names: 'TEMPORAL_* (profile or TLS)' },
      { cause: error },
    );
  }
}

function stringsOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function hasAnyKey(env: NodeJS.ProcessEnv): boolean {
  return Object.keys(env).some(
    (name) =>
      name === 'CLOSE_API_KEY' || name === 'CLOSE_API_KEY_FILE' || KEY_OF_CONNECTION.test(name),
  );
}

/** `CLOSE_API_KEY_<CONNECTION>` first, then `CLOSE_API_KEY`; each may be a file by its `_FILE` twin. */
function readKey(env: NodeJS.ProcessEnv, connection: string): ApiKey {
  const own = `CLOSE_API_KEY_${connection.toUpperCase()}`;
  for (const variable of [own, 'CLOSE_API_KEY']) {
    const text = readSecret(env, variable);
    if (text !== undefined) return { key: checkKey(text, variable), variable };
  }
  return { key: undefined, variable: own };
}

function checkKey(text: string, variable: string): Secret {
  if (text === '') throw new ClosehaulError('KEY_EMPTY', { variable });
  // What cannot stand in a Basic header as a user name cannot be a key either.
  if (!/^[\x21-\x39\x3b-\x7e]+$/.test(text))
    throw new ClosehaulError('KEY_MALFORMED', { variable });
  return new Secret(text);
}

/** The value of a variable, or of the file that its `_FILE` twin names; undefined when neither is set. */
function readSecret(env: NodeJS.ProcessEnv, variable: string): string | undefined {
  const value = env[variable];
  if (value !== undefined) return value.trim();
  const file = env[`${variable}_FILE`];
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new ClosehaulError(
      'SECRET_FILE_UNREADABLE',
      { variable: `${variable}_FILE` },
      { cause: error },
    );
  }
}
