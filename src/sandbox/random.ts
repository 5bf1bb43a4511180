/**
 * Repeatable randomness. A record's content is drawn from a generator started with the sandbox's
 * seed, the kind of record and its number, so that any record can be made at any time, in any
 * order, and always comes out the same. Nothing here is meant to be unpredictable.
 */

/** Spreads the bits of `value` (the finishing step of MurmurHash3). */
export function scramble(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** One number for a text, the same on every machine (FNV-1a over UTF-16 units). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let position = 0; position < text.length; position++) {
    hash = Math.imul(hash ^ text.charCodeAt(position), 0x01000193);
  }
  return scramble(hash);
}

/** The generator known as mulberry32: one 32-bit word of state, quick to start per record. */
export class Random {
  private state: number;

  constructor(seed: number, stream: number, index: number) {
    this.state = scramble(
      scramble(seed ^ Math.imul(stream, 0x9e3779b1)) ^ scramble(index + 0x51ed),
    );
  }

  /** A whole number from 0 to 2³² − 1. */
  word(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A number from 0 up to, not including, 1. */
  fraction(): number {
    return this.word() / 4294967296;
  }

  /** A whole number from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('Cannot pick from an empty list.');
    return item;
  }
}
