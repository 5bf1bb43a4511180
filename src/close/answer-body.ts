import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { isJsonRecord, type JsonRecord, type JsonValue } from '../core/record.js';
import { ClosehaulError } from '../errors.js';
import { parseExactJson } from './exact-json.js';

/** One HTTP answer as it came: bytes still encoded, header names in lower case. */
export interface RawAnswer {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly bytes: Buffer;
}

/**
 * The JSON object in a 200 answer.
 *
 * Decoding is ours because axios accepts a gzip body without its end, and only the end holds the
 * checksum: a damaged page would load in part.
 *
 * Throws CLOSE_BODY_INCOMPLETE, CLOSE_BODY_TOO_LARGE, CLOSE_UNEXPECTED_BODY. None holds a byte of
 * the body, and none has a cause: a SyntaxError quotes what it could not read.
 */
export function readBody(answer: RawAnswer, path: string, bytesMax: number): JsonRecord {
  const text = decode(answer, path, bytesMax);
  const first = text.trimStart().slice(0, 1);
  if (first === '') throw unexpectedBody(answer, path, 'an empty body');
  if (first === '<') throw unexpectedBody(answer, path, 'HTML');
  const value = parse(text, answer, path);
  if (!isJsonRecord(value)) throw unexpectedBody(answer, path, 'no JSON object');
  if ('error' in value && !('data' in value) && !('id' in value)) {
    throw unexpectedBody(answer, path, 'an error under a success status');
  }
  return value;
}

/** The body of an answer that says no, or undefined when it is not a JSON object. Never throws. */
export function readErrorBody(answer: RawAnswer, bytesMax: number): JsonRecord | undefined {
  try {
    const value = parseExactJson(decode(answer, '', bytesMax));
    return isJsonRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What may be told of an answer: its status, its type, its length. */
export function unexpectedBody(
  answer: Pick<RawAnswer, 'status' | 'header' | 'bytes'>,
  path: string,
  kind: string,
): ClosehaulError {
  const type = /^[\w.+-]+\/[\w.+-]+/.exec(answer.header('content-type') ?? '');
  return new ClosehaulError('CLOSE_UNEXPECTED_BODY', {
    path,
    kind,
    status: answer.status,
    contentType: type?.[0] ?? 'no content type',
    bytes: answer.bytes.length,
  });
}

function parse(text: string, answer: RawAnswer, path: string): JsonValue {
  try {
    return parseExactJson(text);
  } catch (error) {
    if (error instanceof RangeError) throw unexpectedBody(answer, path, 'JSON nested too deep');
    const type = answer.header('content-type') ?? 'application/json';
    if (!/json/i.test(type)) throw unexpectedBody(answer, path, 'no JSON');
    throw new ClosehaulError('CLOSE_BODY_INCOMPLETE', { path, kind: 'not complete JSON' });
  }
}

function decode(answer: RawAnswer, path: string, bytesMax: number): string {
  const encoding = (answer.header('content-encoding') ?? 'identity').trim().toLowerCase();
  try {
    const bytes =
      answer.bytes.length === 0 ? answer.bytes : inflate(answer.bytes, encoding, bytesMax);
    // Fatal: a replaced byte would be a silent change of a customer's text.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw new ClosehaulError('CLOSE_BODY_TOO_LARGE', { path, bytesMax });
    }
    throw new ClosehaulError('CLOSE_BODY_INCOMPLETE', { path, kind: 'not decodable' });
  }
}

function inflate(bytes: Buffer, encoding: string, maxOutputLength: number): Buffer {
  switch (encoding) {
    case 'identity':
    case '':
      return bytes;
    case 'gzip':
    case 'x-gzip':
      return gunzipSync(bytes, { maxOutputLength });
    case 'deflate':
      return inflateSync(bytes, { maxOutputLength });
    case 'br':
      return brotliDecompressSync(bytes, { maxOutputLength });
    default:
      throw new TypeError('unknown content encoding');
  }
}
