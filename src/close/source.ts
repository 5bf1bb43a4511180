import type { Identity, Page, Source } from '../core/ports.js';
import { isJsonRecord, type JsonRecord, type JsonValue } from '../core/record.js';
import type { Position, Slice } from '../core/stream.js';
import { ClosehaulError } from '../errors.js';
import type { CloseClient } from './client.js';
import { fetchCustomFields, isAbsent } from './custom-fields.js';
import { keysetPages } from './keyset-pages.js';
import type { CloseList, Warn } from './list-page.js';
import { CLOSE_STREAMS, type ClosePart, type CloseStream } from './streams.js';
import { windowPages } from './window-pages.js';

export interface CloseSourceOptions {
  readonly client: CloseClient;
  readonly warn: Warn;
  /** Default CLOSE_STREAMS. */
  readonly streams?: readonly CloseStream[];
  /**
   * Rows asked for in one request. Default 100: Close's own default, and in use without complaint
   * on every list read here. A larger one saves few requests and makes pages of mails too large.
   */
  readonly pageSize?: number;
}

/** Close as a Source. Errors are the client's, and those of the paging strategies. */
export function createCloseSource(options: CloseSourceOptions): Source {
  const { client, warn } = options;
  const streams = options.streams ?? CLOSE_STREAMS;
  const pageSize = options.pageSize ?? 100;

  async function* fetchPages(
    slice: Slice,
    position: Position | null,
    signal: AbortSignal,
  ): AsyncGenerator<Page> {
    const { stream, part } = findPart(streams, slice);
    const { clockField } = stream;
    const list: CloseList = { client, path: part.path, clockField, pageSize, signal, warn };
    const pages = part.method === 'keyset' ? keysetPages : windowPages;
    try {
      yield* pages(list, slice, position);
    } catch (error) {
      if (!part.isOptional || !isAbsent(error)) throw error;
      const message = 'Close does not have this list for this key; it is left out.';
      warn({ code: 'CLOSE_PART_SKIPPED', path: part.path, message });
      yield { records: [], next: null, totalRecords: null, requests: 1 };
    }
  }

  return {
    streams,
    identify: (signal) => identify(client, signal),
    customFields: (family, signal) => fetchCustomFields(client, family, signal),
    fetchPages,
  };
}

/**
 * `GET /me/`: `{id, organizations: [{id}], memberships: [{organization_id}]}` (recorded 2026-06). A
 * key belongs to one organization; the memberships are asked first because only they name the
 * user's place in it.
 */
async function identify(client: CloseClient, signal: AbortSignal): Promise<Identity> {
  const { body, bytes } = await client.get('/me/', {}, signal);
  const organizationId =
    textOf(firstOf(body['memberships']), 'organization_id') ??
    textOf(firstOf(body['organizations']), 'id');
  const userId = textOf(body, 'id');
  if (organizationId === undefined || userId === undefined) {
    throw new ClosehaulError('CLOSE_UNEXPECTED_BODY', {
      path: '/me/',
      kind: 'no user or no organization',
      status: 200,
      contentType: 'application/json',
      bytes,
    });
  }
  return { organizationId, userId };
}

function findPart(
  streams: readonly CloseStream[],
  slice: Slice,
): { readonly stream: CloseStream; readonly part: ClosePart } {
  const stream = streams.find(({ name }) => name === slice.stream);
  const part = stream?.parts.find(({ name }) => name === slice.part);
  if (stream === undefined || part === undefined) {
    throw new ClosehaulError('CLOSE_STREAM_UNKNOWN', { stream: slice.stream, part: slice.part });
  }
  return { stream, part };
}

function firstOf(value: JsonValue | undefined): JsonRecord | undefined {
  const first = Array.isArray(value) ? (value as readonly JsonValue[])[0] : undefined;
  return isJsonRecord(first) ? first : undefined;
}

function textOf(record: JsonRecord | undefined, field: string): string | undefined {
  const value = record?.[field];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
