import type { AxiosRequestConfig } from 'axios';
import type { JsonRecord } from '../core/record.js';

/** Under the base URL. Without the slash at its end Close answers with a redirect. */
export type ClosePath = `/${string}/`;

/** Query fields of a Close list; a list of values is joined with commas, as Close reads them. */
export type QueryParams = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** What is asked of Close. A POST asks too: nothing here ever changes anything in Close. */
export type Question =
  | { readonly method: 'GET'; readonly path: ClosePath; readonly params: QueryParams }
  | { readonly method: 'POST'; readonly path: ClosePath; readonly body: JsonRecord };

/** Close: URLs above about 2,000 characters may be refused ("Specifying filter parameters"). */
const URL_CHARS_MAX = 2_000;

/**
 * The part of an axios request that says what is asked. A long query goes as a POST that stands for
 * the GET: header `x-http-method-override: GET`, body `{"_params": {…}}`.
 *
 * No `X-TZ-Offset`: Close would read dates in that offset.
 */
export function describeRequest(baseUrl: string, question: Question): AxiosRequestConfig<string> {
  const url = `${baseUrl}${question.path}`;
  if (question.method === 'POST') {
    const headers = { 'content-type': 'application/json' };
    return { method: 'POST', url, headers, data: JSON.stringify(question.body) };
  }
  const fields = Object.entries(question.params).map(
    ([name, value]) => [name, Array.isArray(value) ? value.join(',') : value] as const,
  );
  const query = fields
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
    .join('&');
  const fullUrl = query === '' ? url : `${url}?${query}`;
  if (fullUrl.length <= URL_CHARS_MAX) return { method: 'GET', url: fullUrl };
  return {
    method: 'POST',
    url,
    headers: { 'x-http-method-override': 'GET', 'content-type': 'application/json' },
    data: JSON.stringify({ _params: Object.fromEntries(fields) }),
  };
}
