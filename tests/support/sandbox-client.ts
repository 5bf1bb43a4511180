/** The least that a test needs to talk to the sandbox: nothing of the product's own client. */
import { textOf, type JsonObject } from '../../src/sandbox/json.js';

export const KEY = 'api_test';

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: JsonObject;
}

export function basic(key: string, password = ''): string {
  return `Basic ${Buffer.from(`${key}:${password}`).toString('base64')}`;
}

/** Sends one request to `base` + `path`; `parameters` are encoded into the address. */
export async function ask(
  base: string,
  path: string,
  parameters: Readonly<Record<string, string | number>> = {},
  init: RequestInit = {},
): Promise<Reply> {
  const url = new URL(base + path);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, String(value));
  const headers = new Headers(init.headers);
  if (!headers.has('authorization')) headers.set('authorization', basic(KEY));
  const response = await fetch(url, { redirect: 'manual', ...init, headers });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text.startsWith('{') ? JSON.parse(text) : { text }) as JsonObject,
  };
}

export function rows(reply: Reply): JsonObject[] {
  return reply.body.data as JsonObject[];
}

/** Every record of a list, page by page, stepping by what came. */
export async function drain(
  base: string,
  path: string,
  parameters: Readonly<Record<string, string | number>> = {},
  limit = 100,
): Promise<JsonObject[]> {
  const found: JsonObject[] = [];
  for (;;) {
    const reply = await ask(base, path, { ...parameters, _skip: found.length, _limit: limit });
    if (reply.status !== 200) throw new Error(`${path}: ${JSON.stringify(reply.body)}`);
    found.push(...rows(reply));
    if (reply.body.has_more !== true) return found;
  }
}

export function ids(records: Iterable<JsonObject>): string[] {
  return Array.from(records, (record) => textOf(record.id));
}
