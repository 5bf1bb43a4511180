/**
 * Trouble on demand: `name=number`, as `server-error=7`. Each fault strikes every so-many-th
 * request; `slow` delays each by so many milliseconds. A new fault is an entry in `faultKinds`.
 */
export type Strike =
  | {
      readonly kind: 'refuse';
      readonly status: number;
      readonly headers: Record<string, string>;
      readonly body: string;
    }
  | { readonly kind: 'cut' }
  | { readonly kind: 'delay'; readonly delayMs: number };

interface FaultKind {
  readonly whenAbsent: number;
  /** What happens to request number `request` (from 1 on), if anything. */
  strike(request: number, setting: number): Strike | undefined;
}

function every(request: number, nth: number, strike: () => Strike): Strike | undefined {
  return request % nth === 0 ? strike() : undefined;
}

const faultKinds: Readonly<Record<string, FaultKind>> = {
  'rate-limit-storm': {
    whenAbsent: 3,
    strike: (request, nth) =>
      every(request, nth, () => ({
        kind: 'refuse',
        status: 429,
        headers: {
          'content-type': 'application/json',
          ratelimit: 'limit=100, remaining=0, reset=1',
          'retry-after': '1',
        },
        body: '{}',
      })),
  },
  // What stands in front of Close answers for it then, and not in JSON.
  'server-error': {
    whenAbsent: 5,
    strike: (request, nth) =>
      every(request, nth, () => ({
        kind: 'refuse',
        status: 500,
        headers: { 'content-type': 'text/plain' },
        body: 'upstream connect error or disconnect/reset before headers',
      })),
  },
  'cut-body': {
    whenAbsent: 5,
    strike: (request, nth) => every(request, nth, () => ({ kind: 'cut' })),
  },
  slow: {
    whenAbsent: 500,
    strike: (_, delayMs) => ({ kind: 'delay', delayMs }),
  },
};

/** Thrown for a fault that does not exist or has no proper number. */
export class UnknownFaultError extends Error {
  override readonly name = 'UnknownFaultError';
}

export class Faults {
  private readonly active: { readonly kind: FaultKind; readonly setting: number }[] = [];
  private requests = 0;

  constructor(texts: readonly string[]) {
    for (const text of texts) {
      const [name = '', setting] = text.split('=');
      const kind = faultKinds[name];
      const number = setting === undefined ? kind?.whenAbsent : Number(setting);
      if (!kind) {
        throw new UnknownFaultError(
          `Unknown fault "${name}". Known: ${Object.keys(faultKinds).join(', ')}.`,
        );
      }
      if (number === undefined || !Number.isInteger(number) || number < 1) {
        throw new UnknownFaultError(`The fault "${name}" needs a whole number, 1 or more.`);
      }
      this.active.push({ kind, setting: number });
    }
  }

  /** What is to happen to the next request. */
  next(): Strike[] {
    this.requests++;
    return this.active
      .map(({ kind, setting }) => kind.strike(this.requests, setting))
      .filter((strike) => strike !== undefined);
  }
}
