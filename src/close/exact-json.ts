import { parse as parseLossless } from 'lossless-json';
import { ExactNumber, type JsonValue } from '../core/record.js';

/**
 * The value of a JSON text in which every number still has the digits it was sent with: a number
 * where that is exact (`12`, `4.5`), an ExactNumber where it is not (`4.0`, `1e3`, `-0`,
 * `12345678901234567890`). Of a key that comes twice the last value counts, as in JSON.parse.
 *
 * Throws SyntaxError when `text` is not JSON (its message may quote the text: never show it), and
 * RangeError when inexact numbers sit in some 4,000 levels of nesting; without them 100,000 levels
 * are read.
 */
export function parseExactJson(text: string): JsonValue {
  if (!holdsInexactNumber(text)) return JSON.parse(text) as JsonValue;
  return parseLossless(text, null, {
    parseNumber: exactNumber,
    onDuplicateKey: ({ newValue }) => newValue,
  }) as JsonValue;
}

/** True when a plain number prints as `text` again, and stands for no other number. */
export function isExactAsNumber(text: string): boolean {
  const value = Number(text);
  return String(value) === text && (!Number.isInteger(value) || Number.isSafeInteger(value));
}

function exactNumber(text: string): number | ExactNumber {
  return isExactAsNumber(text) ? Number(text) : new ExactNumber(text);
}

/**
 * Looks at what stands between the strings: names, dates and mails hold digits too, and a page full
 * of them is parsed ten times faster by JSON.parse. The text need not be JSON.
 */
function holdsInexactNumber(text: string): boolean {
  for (let start = 0; ;) {
    const quote = text.indexOf('"', start);
    // Most gaps are a colon or a comma: not worth a text of their own, of which a page has 10,000.
    if (quote - start > 2 || start === 0 || quote === -1) {
      const between = quote === -1 ? text.slice(start) : text.slice(start, quote);
      const numbers = between.match(/-?\d[\d.eE+-]*/g) ?? [];
      if (!numbers.every(isExactAsNumber)) return true;
    }
    if (quote === -1) return false;
    start = endOfString(text, quote);
  }
}

/** The place after the string that opens at `quote`. */
function endOfString(text: string, quote: number): number {
  for (let end = text.indexOf('"', quote + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return end + 1;
  }
  return text.length;
}
