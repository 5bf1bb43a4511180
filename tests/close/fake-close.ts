import type { CloseClient } from '../../src/close/client.js';
import { fieldText, type CloseWarning } from '../../src/close/list-page.js';
import { createCloseSource } from '../../src/close/source.js';
import type { CloseStream } from '../../src/close/stream-part.js';
import { parseInstant, type Instant } from '../../src/core/instant.js';
import type { Page, StoredVersions } from '../../src/core/ports.js';
import type { JsonRecord } from '../../src/core/record.js';
import type { Position, Slice } from '../../src/core/stream.js';
import { ClosehaulError, type ErrorCode } from '../../src/errors.js';
import { NEVER } from './test-client.js';

export interface Asked {
  readonly path: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** What a Close of a few lines answers: a body, or the code of a refusal. */
export type Answerer = (asked: Asked) => JsonRecord | ErrorCode;

export interface FakeClose {
  readonly asked: Asked[];
  readonly warnings: CloseWarning[];
  /** Reads a slice to its end, or to `pagesMax` pages; each position goes through JSON, as stored. */
  read(slice: Slice, options?: ReadOptions): Promise<Page[]>;
}

export interface ReadOptions {
  readonly position?: Position | null;
  readonly effectsOn?: ReadonlySet<string>;
  readonly stored?: StoredVersions;
  readonly pagesMax?: number;
  readonly pageSize?: number;
}

export const NOW_MS = Date.parse('2026-11-23T12:00:00Z');

export function at(text: string): Instant {
  return parseInstant(text) as Instant;
}

export function fakeClose(answer: Answerer, streams?: readonly CloseStream[]): FakeClose {
  const asked: Asked[] = [];
  const warnings: CloseWarning[] = [];
  const reply: CloseClient['get'] = (path, params) => {
    const question = { path, params: params as Asked['params'] };
    asked.push(question);
    const body = answer(question);
    if (typeof body !== 'string')
      return Promise.resolve({ body, bytes: 9, requests: 1, tripMs: 0 });
    return Promise.reject(new ClosehaulError(body, { path, connection: 'c', maxSkip: 1 }));
  };
  const client: CloseClient = {
    connection: 'Test Closeio',
    close: () => undefined,
    get: reply,
    post: (path, body, signal) => reply(path, body as never, signal),
  };
  return {
    asked,
    warnings,
    async read(slice, options = {}) {
      const { position = null, effectsOn, stored, pagesMax = 1_000, pageSize = 3 } = options;
      const source = createCloseSource({
        ...{ client, pageSize, nowMs: () => NOW_MS, warn: (warning) => warnings.push(warning) },
        ...(streams !== undefined && { streams }),
      });
      const from = JSON.parse(JSON.stringify(position)) as Position | null;
      const pages: Page[] = [];
      for await (const page of source.fetchPages(slice, from, NEVER, effectsOn, stored)) {
        pages.push(page);
        if (pages.length >= pagesMax) break;
      }
      return pages;
    },
  };
}

/** `{data, has_more}` of the part of `rows` that `_skip` and `_limit` ask for. */
export function listAnswer(rows: readonly JsonRecord[], { params }: Asked): JsonRecord {
  const skip = Number(params['_skip'] ?? 0);
  const end = skip + Number(params['_limit'] ?? 100);
  return { data: rows.slice(skip, end), has_more: end < rows.length };
}

export function rowsOf(prefix: string, count: number): JsonRecord[] {
  return Array.from({ length: count }, (_, index) => ({ id: `${prefix}_${index}` }));
}

export function idsOf(pages: readonly Page[]): string[] {
  return pages.flatMap(({ records }) => records.map((record) => fieldText(record, 'id')));
}
