/**
 * Fetches pages while earlier ones are being loaded, as far as that is worth it. When the source
 * answers faster than we load, reading ahead gains nothing and a kill would throw the pages away;
 * when it answers slowly, up to `pagesMax` pages wait here.
 */
export interface ReadAheadOptions {
  readonly pagesMax: number;
  readonly nowMs: () => number;
  /** Told when a page took so long to come that reading ahead is worth it. */
  readonly onSlow?: () => void;
  /** Once true, nothing more is fetched; what was fetched ahead is still given. */
  readonly isEnding?: () => boolean;
}

/**
 * A page that took this much longer to fetch than to load is worth fetching ahead. Close itself
 * answers in 100 to 300 ms; below that a kill should cost no more than the page in hand.
 */
const WORTHWHILE_MS = 100;

export async function* readAhead<T>(
  source: AsyncGenerator<T>,
  options: ReadAheadOptions,
): AsyncGenerator<T> {
  const { pagesMax, nowMs, onSlow, isEnding = () => false } = options;
  const pending: Promise<IteratorResult<T>>[] = [];
  let aheadPages = 0;
  const request = (): void => {
    const next = source.next();
    // A failure is thrown when its turn comes; until then it must not count as unhandled.
    next.catch(() => undefined);
    pending.push(next);
  };
  try {
    for (;;) {
      const waitsSinceMs = nowMs();
      while (pending.length < 1 + aheadPages && !isEnding()) request();
      const result = await pending.shift();
      if (result === undefined || result.done === true) return;
      const waitedMs = nowMs() - waitsSinceMs;
      while (pending.length < aheadPages && !isEnding()) request();

      const loadsSinceMs = nowMs();
      yield result.value;
      const loadedMs = nowMs() - loadsSinceMs;
      if (waitedMs - loadedMs <= WORTHWHILE_MS) continue;
      aheadPages = Math.min(aheadPages + 1, pagesMax);
      onSlow?.();
    }
  } finally {
    await source.return(undefined);
  }
}
