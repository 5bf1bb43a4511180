/**
 * A record as Close sent it: parsed JSON in which no number has lost a digit.
 *
 * `12345678901234567890` and `4.0` do not survive `JSON.parse` (…567000 and 4), so such numbers
 * come as an ExactNumber that holds the text of the answer; ordinary numbers stay plain.
 */
export class ExactNumber {
  constructor(readonly text: string) {}

  /** lossless-json and JSON.stringify write it back; as text, because JSON numbers may not hold it. */
  toJSON(): string {
    return this.text;
  }
}

/**
 * A text of which Close's own definition tells what it is: the value of a custom field. Other texts
 * are told by their field's name and their form.
 */
export class DeclaredText {
  constructor(
    readonly text: string,
    /** Whether the field is one of dates or times. */
    readonly isTime: boolean,
  ) {}

  toJSON(): string {
    return this.text;
  }
}

export type JsonValue =
  null | boolean | number | string | ExactNumber | DeclaredText | readonly JsonValue[] | JsonRecord;

/** An object or an array: whatever holds other values. */
export function isNested(value: JsonValue): value is JsonRecord | readonly JsonValue[] {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof ExactNumber) &&
    !(value instanceof DeclaredText)
  );
}

export interface JsonRecord {
  readonly [key: string]: JsonValue;
}

export function isJsonRecord(value: JsonValue | undefined): value is JsonRecord {
  return value !== undefined && isNested(value) && !Array.isArray(value);
}
