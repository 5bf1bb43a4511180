/**
 * Lines on a terminal, with one live line below them; without a terminal the live line becomes a
 * plain line now and then, so that a log file can be read too.
 */
export interface Screen {
  /** Prints a line that stays. */
  readonly say: (line: string) => void;
  /** Replaces the live line. */
  readonly show: (line: string) => void;
  /** Ends the live line. */
  readonly settle: () => void;
  readonly close: () => void;
}

const PLAIN_EVERY_MS = 5_000;
const CLEAR_LINE = '\r\x1b[2K';

export function createScreen(stream: NodeJS.WriteStream): Screen {
  return stream.isTTY ? liveScreen(stream) : plainScreen(stream);
}

function liveScreen(stream: NodeJS.WriteStream): Screen {
  let live = '';
  const draw = (): void => {
    // A line that wraps could not be replaced.
    stream.write(`${CLEAR_LINE}${live.slice(0, Math.max(1, (stream.columns ?? 80) - 1))}`);
  };
  const settle = (): void => {
    if (live === '') return;
    stream.write(CLEAR_LINE);
    live = '';
  };
  return {
    say(line) {
      stream.write(`${live === '' ? '' : CLEAR_LINE}${line}\n`);
      if (live !== '') draw();
    },
    show(line) {
      live = line;
      draw();
    },
    settle,
    close: settle,
  };
}

function plainScreen(stream: NodeJS.WriteStream): Screen {
  let shownMs = 0;
  let shown = '';
  return {
    say: (line) => void stream.write(`${line}\n`),
    show(line) {
      const nowMs = Date.now();
      if (line === shown || nowMs - shownMs < PLAIN_EVERY_MS) return;
      stream.write(`${line}\n`);
      shownMs = nowMs;
      shown = line;
    },
    settle: () => undefined,
    close: () => undefined,
  };
}
