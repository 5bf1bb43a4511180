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

export type JsonValue =
  null | boolean | number | string | ExactNumber | readonly JsonValue[] | JsonRecord;

export interface JsonRecord {
  readonly [key: string]: JsonValue;
}

export function isJsonRecord(value: JsonValue | undefined): value is JsonRecord {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof ExactNumber)
  );
}
