/** Trouble on demand, named as `server-error=7`; `chaos=SEED` makes some of everything. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { MiddlewareHandler } from 'hono';
import { hashText, Random } from '../random.js';
import type { World } from '../world/world.js';
import type { Env, Lag } from './context.js';
import {
  FaultSettingError,
  type Fault,
  type FaultKind,
  type Refusal,
  type Strike,
} from './fault-kinds.js';
import { faultKinds, passingFaults } from './fault-list.js';
import { limitBody, limitHeaders, type LimitForms } from './rate-limit.js';

const CHAOS_SHARE = 0.1;
/** What a 429 of a fault tells: of this limit, and that the window has this long to go. */
const STORM = { limit: 100, resetSeconds: 0.595956 };

/** Thrown for a fault that does not exist or has no proper setting. */
export class UnknownFaultError extends Error {
  override readonly name = 'UnknownFaultError';
}

interface NamedFault extends Fault {
  readonly name: string;
}
interface NamedStrike extends Strike {
  readonly name: string;
}

export class Faults {
  private active: readonly NamedFault[] = [];
  private requests = 0;
  private struckRequests = 0;
  /** How often each fault struck, by its name. */
  readonly byName: Record<string, number> = {};
  readonly forms: LimitForms = { headers: 'structured', body: 'object', reset: undefined };
  readonly lag: Lag = {
    eventMs: (number) => hashText(String(number)) % ((this.largest('eventLagMs') ?? 0) + 1),
    searchMs: () => this.largest('searchLagMs') ?? 0,
  };

  constructor(
    texts: readonly string[],
    private readonly basePath: string,
    private readonly world: World,
  ) {
    this.set(texts);
  }

  /** Requests that were refused, cut or altered. */
  get struck(): number {
    return this.struckRequests;
  }

  /** Takes the place of the faults before, and counts requests from 1 again. */
  set(texts: readonly string[]): void {
    this.active = texts.map(readFault);
    this.requests = 0;
    Object.assign(this.forms, { headers: 'structured', body: 'object', reset: undefined });
    for (const { forms } of this.active) Object.assign(this.forms, forms);
  }

  private largest(name: 'eventLagMs' | 'searchLagMs'): number | undefined {
    return this.active.map((fault) => fault[name]).find((value) => value !== undefined);
  }

  /** Keeps every request waiting for `latencyMs`, and does to it what the faults want. */
  striking(latencyMs: number): MiddlewareHandler<Env> {
    return async (c, next) => {
      const strikes = this.draw(c.req.path);
      for (const { name } of strikes) this.byName[name] = (this.byName[name] ?? 0) + 1;
      const delayMs = strikes.reduce((sum, strike) => sum + (strike.delayMs ?? 0), latencyMs);
      if (delayMs > 0) await sleep(delayMs);
      for (const { act } of strikes) act?.(this.world);
      const serious = strikes.filter(({ delayMs: only }) => only === undefined);
      if (serious.length > 0) this.struckRequests++;
      const silence = strikes.find((strike) => strike.silence !== undefined)?.silence;
      if (silence === 'reset') c.env.outgoing.destroy();
      if (silence !== undefined) return RESPONSE_ALREADY_SENT;
      const refusal = strikes.find((strike) => strike.refuse)?.refuse;
      if (refusal) return this.refusal(refusal);
      c.set(
        'alterations',
        serious.flatMap(({ alter }) => alter ?? []),
      );
      c.set(
        'extraRows',
        serious.reduce((sum, { extraRows }) => sum + (extraRows ?? 0), 0),
      );
      c.set(
        'ignored',
        serious.flatMap(({ ignored }) => ignored ?? []),
      );
      return next();
    };
  }

  private refusal({ status, headers, body, remaining }: Refusal): Response {
    if (remaining === undefined) return new Response(body, { status, headers });
    const state = { ...STORM, remaining };
    const told = limitBody(state, this.forms);
    return new Response(told.body, {
      status,
      headers: { ...limitHeaders(state, this.forms, true), 'content-type': told.type },
    });
  }

  private draw(path: string): NamedStrike[] {
    this.requests++;
    const below = path.startsWith(this.basePath) ? path.slice(this.basePath.length) : path;
    return this.active.flatMap(({ name, strike }) => {
      const struck = strike?.(this.requests, below);
      return struck ? [{ name, ...struck }] : [];
    });
  }
}

function readFault(text: string): NamedFault {
  const place = text.indexOf('=');
  const name = place < 0 ? text : text.slice(0, place);
  const setting = place < 0 ? undefined : text.slice(place + 1);
  const kind = Object.hasOwn(allKinds, name) ? allKinds[name] : undefined;
  if (!kind) {
    const known = Object.keys(allKinds).join(', ');
    throw new UnknownFaultError(`Unknown fault "${name}". Known: ${known}.`);
  }
  try {
    return { name, ...kind.make(setting) };
  } catch (error) {
    if (!(error instanceof FaultSettingError)) throw error;
    throw new UnknownFaultError(`The fault "${name}" ${error.message}.`);
  }
}

const chaos: FaultKind = {
  setting: '=SEED',
  summary: 'each tenth request, drawn by the seed, meets one of the faults that pass',
  make: (seed = '') => {
    if (seed === '') throw new FaultSettingError('needs a seed, as "one"');
    const faults = passingFaults.map((name) => readFault(`${name}=1`));
    return {
      strike: (request, path) => {
        const random = new Random(hashText(seed), 141, request);
        if (!random.chance(CHAOS_SHARE)) return undefined;
        return random.pick(faults).strike?.(request, path);
      },
    };
  },
};

const allKinds: Readonly<Record<string, FaultKind>> = { ...faultKinds, chaos };

/** One line for each fault: its name, its setting, what it does. */
export function faultHelp(): string {
  const lines = Object.entries(allKinds).map(([name, { setting, summary }]) => [
    `${name}${setting}`,
    summary,
  ]);
  const width = Math.max(...lines.map(([usage = '']) => Math.min(40, usage.length)));
  return lines
    .map(([usage = '', summary]) => `  ${usage.padEnd(width)}  ${summary ?? ''}`)
    .join('\n');
}
