/** Waits; ends early, with the signal's reason, when the signal aborts. */
export type Sleep = (durationMs: number, signal: AbortSignal) => Promise<void>;

export const sleep: Sleep = (durationMs, signal) =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(reasonOf(signal));
    const onAbort = () => {
      clearTimeout(timer);
      reject(reasonOf(signal));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, durationMs);
    signal.addEventListener('abort', onAbort, { once: true });
  });

export interface Deadline {
  readonly signal: AbortSignal;
  /** True when the time ran out, false when the caller cancelled. */
  readonly isOver: () => boolean;
  /** Must be called once the work is done, or the caller's signal collects listeners. */
  readonly clear: () => void;
}

/**
 * A signal that aborts when `signal` does or `durationMs` have passed. Not AbortSignal.any: on
 * Node 20 it keeps every derived signal alive as long as the caller's signal lives.
 */
export function startDeadline(durationMs: number, signal: AbortSignal): Deadline {
  const controller = new AbortController();
  let isOver = false;
  const onAbort = () => controller.abort(signal.reason);
  const timer = setTimeout(() => {
    isOver = true;
    controller.abort();
  }, durationMs);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    isOver: () => isOver,
    clear: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    },
  };
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('cancelled');
}
