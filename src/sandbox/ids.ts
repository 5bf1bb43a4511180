/**
 * Ids in Close's form: a prefix, an underscore and base-62 text, 43 or 22 characters long.
 * The id of a record carries its record's number, permuted, at a fixed place: looking a record up by
 * id then needs no table, which matters with a million records.
 */
import { Random, scramble } from './random.js';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BASE = ALPHABET.length;
const CHUNKS = 1024;
const NUMBER_LENGTH = 6;
/** How many characters stand before, and in two parts after, the six that carry the number. */
const LENGTHS = { long: [12, 12, 13], short: [5, 5, 6] } as const;

const pairs: string[] = [];
for (const first of ALPHABET) for (const second of ALPHABET) pairs.push(first + second);

/** Base-62 text of the given length. */
export function base62(random: Random, length: number): string {
  let text = '';
  while (text.length < length) text += ALPHABET.charAt(random.below(BASE));
  return text;
}

/** Makes the id of a record from its number, and finds the number again. */
export interface Ids {
  encode(index: number): string;
  /** Undefined when the id was never made here. */
  decode(id: string): number | undefined;
}

/** Ids of a table whose records have one of two prefixes; which one follows from the number. */
export class TwoPrefixIds implements Ids {
  constructor(
    private readonly first: IdCodec,
    private readonly second: IdCodec,
    private readonly isSecond: (index: number) => boolean,
  ) {}

  encode(index: number): string {
    return (this.isSecond(index) ? this.second : this.first).encode(index);
  }

  decode(id: string): number | undefined {
    const index = this.first.decode(id) ?? this.second.decode(id);
    return index !== undefined && this.encode(index) === id ? index : undefined;
  }
}

export class IdCodec implements Ids {
  private readonly key: number;
  private readonly front: string[] = [];
  private readonly middle: string[] = [];
  private readonly back: string[] = [];

  constructor(
    readonly prefix: string,
    seed: number,
    stream: number,
    /** 43 characters or 22. */
    private readonly form: keyof typeof LENGTHS = 'long',
  ) {
    const random = new Random(seed, stream, 0x1d);
    const [front, middle, back] = LENGTHS[form];
    this.key = random.word();
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      this.front.push(`${prefix}_${base62(random, front)}`);
      this.middle.push(base62(random, middle));
      this.back.push(base62(random, back));
    }
  }

  encode(index: number): string {
    const hidden = this.permute(index);
    const noise = scramble(index ^ this.key);
    const head = this.front[noise % CHUNKS] ?? '';
    const middle = this.middle[(noise >>> 10) % CHUNKS] ?? '';
    const back = this.back[(noise >>> 20) % CHUNKS] ?? '';
    return head + numberText(hidden) + middle + back;
  }

  /** The number of the record, or undefined when this codec never made the id. */
  decode(id: string): number | undefined {
    const start = this.prefix.length + 1 + LENGTHS[this.form][0];
    let hidden = 0;
    for (let place = start; place < start + NUMBER_LENGTH; place++) {
      hidden = hidden * BASE + Math.max(0, ALPHABET.indexOf(id.charAt(place)));
    }
    if (hidden > 0xffffffff) return undefined;
    const index = this.restore(hidden);
    return this.encode(index) === id ? index : undefined;
  }

  /** A Feistel network: shuffles the 32-bit numbers among themselves, and can be undone. */
  private permute(index: number): number {
    let left = index >>> 16;
    let right = index & 0xffff;
    for (let round = 0; round < 3; round++) {
      [left, right] = [right, left ^ this.roundValue(right, round)];
    }
    return ((left << 16) | right) >>> 0;
  }

  private restore(hidden: number): number {
    let left = hidden >>> 16;
    let right = hidden & 0xffff;
    for (let round = 2; round >= 0; round--) {
      [left, right] = [right ^ this.roundValue(left, round), left];
    }
    return ((left << 16) | right) >>> 0;
  }

  private roundValue(half: number, round: number): number {
    return scramble(this.key ^ Math.imul(half + 1, 0x9e3779b1 + round)) & 0xffff;
  }
}

function numberText(value: number): string {
  const square = BASE * BASE;
  const low = value % square;
  const rest = Math.floor(value / square);
  const middle = rest % square;
  const high = Math.floor(rest / square);
  return (pairs[high] ?? '') + (pairs[middle] ?? '') + (pairs[low] ?? '');
}
