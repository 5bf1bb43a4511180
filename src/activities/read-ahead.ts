/**
 * Makes pages while earlier ones are worked on, so that Close, we and PostgreSQL work at one time:
 * one page is ahead always, up to `pagesMax` while the source is the slower side. A kill throws away
 * the pages that are ahead, and nothing else.
 */
export interface ReadAheadOptions {
  /** 0: a page is made only when the one before it was worked on. */
  readonly pagesMax: number;
  readonly nowMs: () => number;
}

/**
 * A page that took this much longer to make than to work on is worth more pages ahead. Close itself
 * answers in 100 to 300 ms; below that a kill should cost no more than a page.
 */
const WORTHWHILE_MS = 100;

export async function* readAhead<T>(
  source: AsyncGenerator<T>,
  options: ReadAheadOptions,
): AsyncGenerator<T> {
  const { pagesMax, nowMs } = options;
  const pending: Promise<IteratorResult<T>>[] = [];
  let aheadPages = Math.min(1, pagesMax);
  let isFirst = true;
  const request = (): void => {
    const next = source.next();
    // A failure is thrown when its turn comes; until then it must not count as unhandled.
    next.catch(() => undefined);
    pending.push(next);
  };
  try {
    for (;;) {
      const waitsSinceMs = nowMs();
      while (pending.length < 1 + aheadPages) request();
      const result = await pending.shift();
      if (result === undefined || result.done === true) return;
      const waitedMs = nowMs() - waitsSinceMs;
      while (pending.length < aheadPages) request();

      const loadsSinceMs = nowMs();
      yield result.value;
      const loadedMs = nowMs() - loadsSinceMs;
      // What comes after the first was being made while the one before it was worked on.
      const slowerMs = isFirst ? waitedMs - loadedMs : waitedMs;
      isFirst = false;
      if (slowerMs > WORTHWHILE_MS) aheadPages = Math.min(aheadPages + 1, pagesMax);
    }
  } finally {
    await source.return(undefined);
  }
}
