import { parseInstant } from './instant.js';
import { DeclaredText, ExactNumber, type JsonValue } from './record.js';

/**
 * Which PostgreSQL type a value gets. Types are the ones that Stitch's PostgreSQL destination
 * really made (two public dumps, read 2026-11): integers are `bigint`, other numbers
 * `double precision`, times `timestamptz`.
 *
 *   classify(['value'], 300000)                    →  bigint 300000
 *   classify(['value'], 0.5)                       →  double precision 0.5
 *   classify(['date_won'], '2021-07-16')           →  timestamptz 2021-07-16T00:00:00.000000Z
 *   classify(['envelope', 'date'], 'Tue, 08 Nov …')→  text
 *
 * Invariant: nothing is coerced and no digit is lost. A value that a column's type cannot hold gets
 * a sibling column (`age__do`), and every value fits `text` in the end.
 */
export type ColumnType =
  'boolean' | 'bigint' | 'double precision' | 'numeric' | 'timestamptz' | 'text' | 'jsonb';

/** Stitch's suffix for a second type of one field (PostgreSQL loading reference, read 2026-11). */
export const TYPE_SUFFIX: Readonly<Record<ColumnType, string>> = {
  boolean: 'bo',
  bigint: 'bi',
  'double precision': 'do',
  numeric: 'de',
  timestamptz: 'ti',
  text: 'st',
  // Ours: only the `jsonb` layout makes such columns, which Stitch never did.
  jsonb: 'js',
};

/** Endings that Stitch keeps for itself; `__it` is among them although we make no `integer`. */
export const RESERVED_SUFFIXES = ['bi', 'bo', 'de', 'do', 'it', 'st', 'ti'] as const;

export interface TypedValue {
  readonly type: ColumnType;
  /** What goes into the row's JSON: exact numbers and instants as text, since PostgreSQL reads both. */
  readonly value: boolean | number | string;
}

/** The type and the loadable form of a scalar; undefined for null, which makes no column. */
export function classify(path: readonly string[], value: JsonValue): TypedValue | undefined {
  return classifyAs(textRule(path), value);
}

/** The same, where it was worked out before how the texts of this field are told. */
export function classifyAs(rule: TextRule, value: JsonValue): TypedValue | undefined {
  if (value === null) return undefined;
  if (typeof value === 'string') {
    return textOrTime(value, rule === 'time' || (rule === 'form' && FULL_TIME.test(value)));
  }
  if (typeof value === 'boolean') return { type: 'boolean', value };
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) return { type: 'double precision', value };
    // Past 2^63 it is no bigint; as a text, so that what is loaded are the digits that it shows.
    return Number.isSafeInteger(value) ? { type: 'bigint', value } : classifyNumber(String(value));
  }
  if (value instanceof ExactNumber) return classifyNumber(value.text);
  if (value instanceof DeclaredText) return textOrTime(value.text, value.isTime);
  throw new TypeError('classify takes scalars only');
}

const BIGINT_MIN = -(2n ** 63n);
const BIGINT_MAX = 2n ** 63n - 1n;
/** PostgreSQL's `numeric`: 131,072 digits before the point, 16,383 after it. */
const NUMERIC_INTEGER_DIGITS_MAX = 131_072;
const NUMERIC_FRACTION_DIGITS_MAX = 16_383;

function classifyNumber(text: string): TypedValue {
  const match = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!match) return { type: 'text', value: text };
  const [, whole = '', fraction = '', exponentText = '0'] = match;
  const exponent = Number(exponentText);
  if (fraction === '' && exponent === 0 && whole.length < 20) {
    const integer = BigInt(text.replace(/[eE].*$/, ''));
    if (integer >= BIGINT_MIN && integer <= BIGINT_MAX) {
      return { type: 'bigint', value: integer.toString() };
    }
  }
  if (isExactDouble(text)) return { type: 'double precision', value: text };
  const fits =
    whole.length + exponent <= NUMERIC_INTEGER_DIGITS_MAX &&
    fraction.length - exponent <= NUMERIC_FRACTION_DIGITS_MAX;
  return { type: fits ? 'numeric' : 'text', value: text };
}

/** Whether a double gives this number's digits back. */
function isExactDouble(text: string): boolean {
  const double = Number(text);
  if (!Number.isFinite(double)) return false;
  return significant(text) === significant(double.toExponential());
}

/** `-012.50e3` → `-125e2`: digits without outer zeros, and the power of ten of the last one. */
function significant(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const trimmed = withoutFinalZeros(digits);
  if (trimmed === '') return '0';
  return `${sign}${trimmed}e${Number(exponent) - fraction.length + digits.length - trimmed.length}`;
}

/** Not by a regular expression: `/0+$/` takes quadratic time on `1000…0001`. */
function withoutFinalZeros(digits: string): string {
  let end = digits.length;
  while (digits[end - 1] === '0') end -= 1;
  return digits.slice(0, end);
}

/**
 * Close names its times `date_created`, `date`, `due_date`, `pinned_at`, `starts_at`. Only such
 * fields are read as times: a note that happens to be "2024-01-01" is text and stays text.
 */
const TIME_FIELD = /^(?:.*_)?date(?:_.*)?$|^.*_at$|^next_billing_on$/;
/** The mail's own Date header: RFC 2822, or whatever the sender wrote (tap-closeio, 2017-06-30). */
const TEXT_FIELDS: ReadonlySet<string> = new Set(['envelope.date']);
const FULL_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** How a text is told: it is one; it is a time where it can be read as one; its form decides. */
export type TextRule = 'text' | 'time' | 'form';

export function textRule(path: readonly string[]): TextRule {
  // A custom field's label says nothing of its type ("Update date?" may be text). Where its
  // definition may not be read, its form does.
  if (path.length > 1 && path[0] === 'custom') return 'form';
  const isTime = TIME_FIELD.test(path.at(-1) ?? '') && !TEXT_FIELDS.has(path.join('.'));
  return isTime ? 'time' : 'text';
}

function textOrTime(text: string, mayBeTime: boolean): TypedValue {
  const instant = mayBeTime ? parseInstant(text) : undefined;
  return instant === undefined
    ? { type: 'text', value: storableText(text) }
    : { type: 'timestamptz', value: instant };
}

/**
 * PostgreSQL's text holds neither NUL nor half a surrogate pair. Each becomes U+FFFD, visibly, as
 * the alternative is to keep the whole record out of its table.
 */
export function storableText(text: string): string {
  const withoutNul = text.includes('\0') ? text.replaceAll('\0', '\uFFFD') : text;
  return withoutNul.isWellFormed() ? withoutNul : withoutNul.toWellFormed();
}

/** A double holds every integer up to here; of those beyond it skips some. */
const SAFE_INTEGER_MAX = 2n ** 53n;

/**
 * The column type that takes a value among those a field already has; undefined when it needs a
 * sibling. An integer goes into a `double precision` or `numeric` column without loss, so a field
 * that began with 3.5 does not split when 4 arrives.
 */
export function fittingType(
  value: TypedValue,
  existing: ReadonlySet<ColumnType>,
): ColumnType | undefined {
  if (existing.has(value.type)) return value.type;
  const isInteger = value.type === 'bigint';
  if (isInteger && existing.has('double precision') && isSafeInteger(value.value)) {
    return 'double precision';
  }
  if ((isInteger || value.type === 'double precision') && existing.has('numeric')) return 'numeric';
  return undefined;
}

/** By BigInt, since `Number('9007199254740993')` is 2^53 and would look safe. */
function isSafeInteger(value: TypedValue['value']): boolean {
  const integer = BigInt(value);
  return integer >= -SAFE_INTEGER_MAX && integer <= SAFE_INTEGER_MAX;
}
