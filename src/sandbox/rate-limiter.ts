/**
 * Counts requests for each key and endpoint group in windows of fixed length. A window starts with
 * the first request after the one before has ended.
 */

/** One second: `ratelimit-limit: 60` with `60;w=1` (recorded answer of April 2022). */
export const WINDOW_SECONDS = 1;

export interface RateState {
  readonly isAllowed: boolean;
  /** The value of the `RateLimit` header (Close docs, changelog of 2023-07-21). */
  readonly header: string;
  readonly resetSeconds: number;
}

interface Window {
  endsAtMs: number;
  used: number;
}

export class RateLimiter {
  private readonly windows = new Map<string, Window>();

  constructor(
    private readonly requestsPerSecond: number,
    private readonly clockMs: () => number,
  ) {}

  /** Counts one request. Undefined when there is no limit. */
  take(key: string, group: string): RateState | undefined {
    if (this.requestsPerSecond <= 0) return undefined;
    const limit = Math.max(1, Math.floor(this.requestsPerSecond * WINDOW_SECONDS));
    const nowMs = this.clockMs();
    const name = `${key} ${group}`;
    let window = this.windows.get(name);
    if (!window || nowMs >= window.endsAtMs) {
      window = { endsAtMs: nowMs + WINDOW_SECONDS * 1_000, used: 0 };
      this.windows.set(name, window);
    }
    const isAllowed = window.used < limit;
    if (isAllowed) window.used++;
    const resetSeconds = Math.max(1, Math.ceil((window.endsAtMs - nowMs) / 1_000));
    const header = `limit=${String(limit)}, remaining=${String(limit - window.used)}, reset=${String(resetSeconds)}`;
    return { isAllowed, header, resetSeconds };
  }
}
