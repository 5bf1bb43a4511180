import { isJsonRecord, type JsonRecord } from '../core/record.js';
import { ClosehaulError, type ErrorOptions } from '../errors.js';
import { readErrorBody, unexpectedBody, type RawAnswer } from './answer-body.js';
import { readRetryAfterMs } from './rate-limit.js';

export interface RefusalContext {
  readonly connection: string;
  /** Name of the environment variable that holds the key. */
  readonly keyVariable: string;
  /** Path without ids. */
  readonly path: string;
  readonly nowMs: number;
  readonly bytesMax: number;
}

/**
 * The error for an answer that is neither 200 nor 429. Source: Close's HTTP response codes page and
 * recorded bodies (2017 to 2026).
 */
export function refusalError(answer: RawAnswer, context: RefusalContext): ClosehaulError {
  const { connection, keyVariable, path } = context;
  const { status } = answer;
  const isAboutKey = status === 401 || (status === 403 && path === '/me/');
  if (isAboutKey) {
    const values = { connection, status, variable: keyVariable };
    return new ClosehaulError('CLOSE_KEY_REJECTED', values);
  }
  if (status >= 200 && status < 300) return unexpectedBody(answer, path, 'an unexpected status');
  if (status >= 300 && status < 400) {
    return new ClosehaulError('CLOSE_REDIRECTED', { connection, path, status });
  }
  if (status === 403) return new ClosehaulError('CLOSE_FORBIDDEN', { connection, path });
  if (status === 404) return new ClosehaulError('CLOSE_NOT_FOUND', { connection, path });
  if (status === 408 || status === 425 || status < 400 || status >= 500) {
    const retryAfterMs = readRetryAfterMs(answer.header, context.nowMs);
    const options: ErrorOptions = retryAfterMs === undefined ? {} : { retryAfterMs };
    return new ClosehaulError('CLOSE_UNAVAILABLE', { path, kind: `HTTP ${status}` }, options);
  }
  return badRequest(answer, context);
}

function badRequest(answer: RawAnswer, { path, bytesMax }: RefusalContext): ClosehaulError {
  const { status } = answer;
  const body = readErrorBody(answer, bytesMax);
  const maxSkip = /max_skip = (\d{1,15})/.exec(errorText(body))?.[1];
  if (status === 400 && maxSkip !== undefined) {
    return new ClosehaulError('CLOSE_SKIP_TOO_FAR', { path, maxSkip: Number(maxSkip) });
  }
  return new ClosehaulError('CLOSE_BAD_REQUEST', { path, status, fields: fieldNames(body) });
}

/** `error` is a text, or an object that holds one. Only searched, never shown. */
function errorText(body: JsonRecord | undefined): string {
  const error = body?.['error'];
  const text = isJsonRecord(error) ? error['message'] : error;
  return typeof text === 'string' ? text : '';
}

/** The values under `field-errors` may quote the request, so only names go into a message. */
function fieldNames(body: JsonRecord | undefined): string {
  const errors = body?.['field-errors'];
  if (!isJsonRecord(errors)) return 'none';
  const names = Object.keys(errors).filter((name) => /^[\w.-]{1,60}$/.test(name));
  return names.slice(0, 5).join(', ') || 'none';
}
