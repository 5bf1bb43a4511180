import type { RateBudget, RateLimit } from '../core/ports.js';
import { SECOND_MS } from '../core/instant.js';

interface Window {
  limit: number;
  remaining: number;
  endsAtMs: number;
  lengthMs: number;
}

export interface MemoryBudgetOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * A RateBudget for one process: tests and single commands. It mirrors the window that the headers
 * describe. Until the first answer it knows no limit and holds nobody back.
 */
export function createMemoryBudget({ now }: MemoryBudgetOptions): RateBudget {
  const windows = new Map<string, Window>();
  const blockedUntilMs = new Map<string, number>();

  function waitMs(group: string): number {
    const blockedMs = (blockedUntilMs.get(group) ?? 0) - now();
    if (blockedMs > 0) return blockedMs;
    const window = windows.get(group);
    if (window === undefined) return 0;
    if (now() >= window.endsAtMs) {
      window.remaining = Math.max(1, window.limit);
      window.endsAtMs = now() + window.lengthMs;
    }
    if (window.remaining <= 0) return window.endsAtMs - now();
    window.remaining -= 1;
    return 0;
  }

  function learn(group: string, { limit, remaining, resetMs }: RateLimit): void {
    const known = windows.get(group);
    const endsAtMs = now() + resetMs;
    // Answers come back out of order: inside one window the count only falls. Resets are told in
    // whole seconds, so ends less than a second apart are the same window.
    const isSameWindow = known !== undefined && endsAtMs < known.endsAtMs + SECOND_MS;
    windows.set(group, {
      limit,
      remaining: isSameWindow ? Math.min(known.remaining, remaining) : remaining,
      endsAtMs: isSameWindow ? known.endsAtMs : endsAtMs,
      lengthMs: Math.max(resetMs, known?.lengthMs ?? 0, 1),
    });
  }

  return {
    take: (group) => Promise.resolve({ waitMs: waitMs(group), permit: null }),
    learn: (group, limit) => {
      if (limit !== undefined) learn(group, limit);
      return Promise.resolve();
    },
    block: (group, durationMs) => {
      blockedUntilMs.set(group, Math.max(blockedUntilMs.get(group) ?? 0, now() + durationMs));
      return Promise.resolve();
    },
  };
}
