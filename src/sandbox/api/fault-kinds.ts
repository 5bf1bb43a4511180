/** The forms that trouble takes, and how their settings are read. */
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { World } from '../world/world.js';
import type { Alteration } from './answer.js';
import { JSON_TYPE } from './context.js';
import type { LimitForms } from './rate-limit.js';

/** What is done to one request. */
export interface Strike {
  /** Answered in place of the handlers. */
  readonly refuse?: Refusal;
  readonly alter?: Alteration;
  readonly delayMs?: number;
  /** No answer at all: the connection is broken, or kept open for ever. */
  readonly silence?: 'reset' | 'hang';
  /** Rows more (or less) than were asked for. */
  readonly extraRows?: number;
  /** Parameters that the server pretends not to know. */
  readonly ignored?: readonly string[];
  /** Happens to the account before the request is answered. */
  readonly act?: (world: World) => void;
}
export interface Refusal {
  readonly status: ContentfulStatusCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Of a 429, whose headers and body are in the form of the day: what it says to remain. */
  readonly remaining?: number;
}

/** What a fault sets once, for all requests. */
export interface Standing {
  readonly forms?: Partial<LimitForms>;
  readonly eventLagMs?: number;
  readonly searchLagMs?: number;
}

/** What happens to request number `request` (from 1 on), if anything. */
export interface Fault extends Standing {
  readonly strike?: (request: number, path: string) => Strike | undefined;
}

export interface FaultKind {
  /** What may stand behind the name, as `=N`. */
  readonly setting: string;
  readonly summary: string;
  readonly make: (setting: string | undefined) => Fault;
}

/** Thrown for a setting that makes no sense; the text goes on from the fault's name. */
export class FaultSettingError extends Error {}

export function refuse(
  status: ContentfulStatusCode,
  body: string,
  headers: Readonly<Record<string, string>> = JSON_TYPE,
): Strike {
  return { refuse: { status, body, headers } };
}

/**
 * Every Nth request, K times at most, below a path: `5`, `1*3`, `2:/lead/`, `1*1:/event/`.
 */
export function everyNth(
  summary: string,
  whenAbsent: number,
  strike: Strike | ((request: number) => Strike),
): FaultKind {
  const setting = '[=N[*TIMES][:PATH]]';
  return {
    setting,
    summary: `${summary} (every ${whenAbsent === 1 ? 'request' : ordinal(whenAbsent)})`,
    make: (text) => {
      const { nth, times, path } = readEvery(text, whenAbsent);
      let met = 0;
      let struck = 0;
      return {
        strike: (request, asked) => {
          if (path !== undefined && !asked.startsWith(path)) return undefined;
          const number = path === undefined ? request : ++met;
          if (number % nth !== 0 || struck >= times) return undefined;
          struck++;
          return typeof strike === 'function' ? strike(request) : strike;
        },
      };
    },
  };
}

/** `3rd`, `5th`: of the small numbers that faults strike by. */
function ordinal(number: number): string {
  return `${String(number)}${['th', 'st', 'nd', 'rd'][number] ?? 'th'}`;
}

function readEvery(
  text: string | undefined,
  whenAbsent: number,
): { nth: number; times: number; path: string | undefined } {
  const [counts = '', ...rest] = (text ?? '').split(':');
  const path = rest.length > 0 ? rest.join(':') : undefined;
  if (path !== undefined && !path.startsWith('/')) {
    throw new FaultSettingError('needs a path behind ":", as ":/lead/"');
  }
  const [nth, times] = counts.split('*', 2);
  return {
    nth: readWhole(nth === '' ? undefined : nth, whenAbsent),
    times: readWhole(times, Number.POSITIVE_INFINITY),
    path,
  };
}

export function belowPath(summary: string, strike: Strike): FaultKind {
  return {
    setting: '=PATH',
    summary,
    make: (setting = '') => {
      if (!setting.startsWith('/')) throw new FaultSettingError('needs a path, as "/activity/"');
      return { strike: (_, path) => (path.startsWith(setting) ? strike : undefined) };
    },
  };
}

export function always(summary: string, strike: Strike): FaultKind {
  return {
    setting: '',
    summary,
    make: (setting) => {
      if (setting !== undefined) throw new FaultSettingError('takes no setting');
      return { strike: () => strike };
    },
  };
}

/** A number of milliseconds or the like. */
export function withNumber(
  summary: string,
  whenAbsent: number,
  make: (value: number) => Fault,
): FaultKind {
  return {
    setting: '[=NUMBER]',
    summary: `${summary} (${String(whenAbsent)})`,
    make: (setting) => make(readWhole(setting, whenAbsent)),
  };
}

export function oneOf<Word extends string>(
  summary: string,
  words: readonly Word[],
  make: (word: Word) => Fault,
): FaultKind {
  return {
    setting: `=${words.join('|')}`,
    summary,
    make: (setting) => {
      const word = words.find((one) => one === setting);
      if (word === undefined) throw new FaultSettingError(`needs one of ${words.join(', ')}`);
      return make(word);
    },
  };
}

export function withText(
  summary: string,
  setting: string,
  make: (text: string) => Fault,
): FaultKind {
  return {
    setting: `=${setting}`,
    summary,
    make: (text) => {
      if (text === undefined || text === '') throw new FaultSettingError(`needs ${setting}`);
      return make(text);
    },
  };
}

function readWhole(setting: string | undefined, whenAbsent: number): number {
  const number = setting === undefined ? whenAbsent : Number(setting);
  const isWhole = Number.isInteger(number) || (setting === undefined && number === whenAbsent);
  if (!isWhole || number < 1) throw new FaultSettingError('needs a whole number, 1 or more');
  return number;
}
