import { ClosehaulError } from '../errors.js';
import type { Output } from './output.js';

/** What `check` and `doctor` found of one thing, and what to do about it when it is not well. */
export interface Finding {
  readonly what: string;
  /** False only for what stops a sync. */
  readonly ok: boolean;
  readonly verdict: 'ok' | 'warning' | 'failed';
  readonly says: string;
}

export interface Look {
  readonly says: string;
  readonly isWarning?: boolean;
}

/** Looks at one thing; what it throws is what is wrong with it. */
export async function finding(what: string, look: () => Promise<string | Look>): Promise<Finding> {
  try {
    const seen = await look();
    const { says, isWarning = false } = typeof seen === 'string' ? { says: seen } : seen;
    return { what, ok: true, verdict: isWarning ? 'warning' : 'ok', says };
  } catch (error) {
    const says =
      error instanceof ClosehaulError ? `${error.message} ${error.next}` : unexpected(error);
    return { what, ok: false, verdict: 'failed', says };
  }
}

/** Whatever it is, its text may hold anything. */
function unexpected(error: unknown): string {
  const kind = error instanceof Error ? error.constructor.name : typeof error;
  return `an unexpected ${kind}; please report it.`;
}

/** Prints them; false when one of them stops a sync. */
export function report(findings: readonly Finding[], output: Output): boolean {
  const isGood = findings.every(({ ok }) => ok);
  if (output.isJson) {
    output.print(JSON.stringify(findings, null, 2));
    return isGood;
  }
  const width = Math.max(...findings.map(({ what }) => what.length));
  for (const { what, verdict, says } of findings) {
    const word = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' }[verdict];
    output.print(`${word}  ${what.padEnd(width)}  ${says}`);
  }
  return isGood;
}
