import type { Page } from '../core/ports.js';
import { isJsonRecord } from '../core/record.js';
import type { Position } from '../core/stream.js';

/** In the second reading: where it stands; null = at the slice's beginning. */
interface Rereading {
  readonly strategy: 'reread';
  readonly inner: Position | null;
}

/**
 * The pages of a slice, and all of them a second time when Close counted more records than it gave: a
 * list may leave out for a moment what its count knows. Only what is missing twice is told.
 */
export async function* twiceWhenShort(
  position: Position | null,
  pagesFrom: (position: Position | null) => AsyncGenerator<Page>,
): AsyncGenerator<Page> {
  const stored = rereadingOf(position);
  if (stored === undefined) {
    let isShort = false;
    for await (const page of pagesFrom(position)) {
      const { missing, ...others } = page;
      isShort = missing !== undefined;
      yield isShort ? { ...others, next: again(null) } : page;
    }
    if (!isShort) return;
  }
  for await (const page of pagesFrom(stored?.inner ?? null)) {
    yield { ...page, next: page.next === null ? null : again(page.next) };
  }
}

function again(inner: Position | null): Position & Rereading {
  return { strategy: 'reread', inner };
}

function rereadingOf(position: Position | null): Rereading | undefined {
  if (position?.['strategy'] !== 'reread') return undefined;
  const { inner } = position;
  return { strategy: 'reread', inner: isJsonRecord(inner) ? inner : null };
}
