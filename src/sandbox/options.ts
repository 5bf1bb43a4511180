/** What a sandbox can be told, and what it assumes. */
import type { Role } from './api/rights.js';
import type { Span } from './world/lead-columns.js';
import { MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MS, parseTime } from './moment.js';

export interface SandboxOptions {
  /** 0 takes any free port. */
  readonly port?: number;
  readonly host?: string;
  /** The same seed, sizes, `from` and `until` give the same records to the byte. */
  readonly seed?: string;
  readonly leads?: number;
  readonly activities?: number;
  /** ISO date or time of the oldest data. By default one year before `until`. */
  readonly from?: string;
  /**
   * ISO date or time up to which data is laid out, and from which live changes run. By default the
   * start of the hour. Give it again on a restart to find the same account again.
   */
  readonly until?: string;
  readonly now?: () => Date;
  readonly latencyMs?: number;
  /** Requests per second for each key and endpoint group; 0 for no limit and no header. */
  readonly rateLimit?: number;
  /** The largest `_skip`; of single lists where `maxSkips` names them, as `activity/email`. */
  readonly maxSkip?: number;
  readonly maxSkips?: Readonly<Record<string, number>>;
  readonly changesPerMinute?: number;
  /** The one key that is let in; null lets any in that begins with `api_`. */
  readonly apiKey?: string | null;
  /** Whose rights a key has: those of an administrator by default; by key where `roles` names it. */
  readonly role?: Role;
  readonly roles?: Readonly<Record<string, Role>>;
  /**
   * Whether `world.versions` can tell every version of every record; true by default. Each change
   * costs memory then.
   */
  readonly keepsLedger?: boolean;
  /** Trouble to make, as `server-error=7`; the names are in `api/fault-list.ts`. */
  readonly faults?: readonly string[];
  /** A clock for the rate limit's windows, in milliseconds from any start. */
  readonly clockMs?: () => number;
}

export interface Settings {
  readonly port: number;
  readonly host: string;
  readonly seed: string;
  readonly leads: number;
  readonly activities: number;
  readonly span: Span;
  readonly now: () => Date;
  readonly latencyMs: number;
  readonly rateLimit: number;
  readonly maxSkip: number;
  readonly maxSkips: Readonly<Record<string, number>>;
  readonly changesPerMinute: number;
  readonly apiKey: string | null;
  readonly role: Role;
  readonly roles: Readonly<Record<string, Role>>;
  readonly keepsLedger: boolean;
  readonly faults: readonly string[];
  readonly clockMs: () => number;
}

/** Thrown for an option that makes no sense; the message says which and why. */
export class SandboxOptionError extends Error {
  override readonly name = 'SandboxOptionError';
}

export function settle(options: SandboxOptions): Settings {
  const now = options.now ?? ((): Date => new Date());
  const nowMicros = now().getTime() * MICROS_PER_MS;
  const until =
    readTime('until', options.until) ?? Math.floor(nowMicros / MICROS_PER_HOUR) * MICROS_PER_HOUR;
  const from = readTime('from', options.from) ?? until - 365 * MICROS_PER_DAY;
  if (from >= until)
    throw new SandboxOptionError('"from" must lie before "until" (or before now).');
  const leads = whole('leads', options.leads ?? 2_000);
  const activities = whole('activities', options.activities ?? 30_000);
  if (activities > 0 && leads === 0) {
    throw new SandboxOptionError('Activities need at least one lead.');
  }
  return {
    port: whole('port', options.port ?? 0),
    host: options.host ?? '127.0.0.1',
    seed: options.seed ?? 'closehaul',
    leads,
    activities,
    span: { from, until },
    now,
    latencyMs: whole('latencyMs', options.latencyMs ?? 0),
    rateLimit: notNegative('rateLimit', options.rateLimit ?? 160),
    // Seen for activities: "max_skip = 250000" (airbyte issue 20959).
    maxSkip: whole('maxSkip', options.maxSkip ?? 250_000),
    maxSkips: options.maxSkips ?? {},
    changesPerMinute: notNegative('changesPerMinute', options.changesPerMinute ?? 0),
    apiKey: options.apiKey ?? null,
    role: options.role ?? 'admin',
    roles: options.roles ?? {},
    keepsLedger: options.keepsLedger ?? true,
    faults: options.faults ?? [],
    clockMs: options.clockMs ?? ((): number => performance.now()),
  };
}

function readTime(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = parseTime(text);
  if (!time) throw new SandboxOptionError(`"${name}" is not an ISO date or time: ${text}`);
  return time.micros;
}

function whole(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 0) {
    throw new SandboxOptionError(`"${name}" must be a whole number, 0 or more.`);
  }
  return value;
}

function notNegative(name: string, value: number): number {
  if (!Number.isFinite(value) || value < 0) {
    throw new SandboxOptionError(`"${name}" must be a number, 0 or more.`);
  }
  return value;
}
