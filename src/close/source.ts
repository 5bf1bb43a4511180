import type { Identity, Page, Source, StoredVersions } from '../core/ports.js';
import { isJsonRecord, type JsonRecord, type JsonValue } from '../core/record.js';
import { CENSUS } from '../core/slice.js';
import type { Position, Slice } from '../core/stream.js';
import { ClosehaulError } from '../errors.js';
import type { CloseClient } from './client.js';
import { isAbsent } from './absent.js';
import { recordsByKey } from './by-key.js';
import { censusPages } from './census.js';
import { fetchCustomFields } from './custom-fields.js';
import type { Warn } from './list-page.js';
import { PartReader } from './part-reader.js';
import type { ClosePart, CloseStream } from './stream-part.js';
import { CLOSE_STREAMS } from './streams.js';

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
  /** Milliseconds since 1970. */
  readonly nowMs?: () => number;
}

/** Close as a Source. Errors are the client's, and those of the paging strategies. */
export function createCloseSource(options: CloseSourceOptions): Source {
  const { client, warn } = options;
  const streams = options.streams ?? CLOSE_STREAMS;
  const pageSize = options.pageSize ?? 100;

  let known: Promise<Identity> | undefined;
  const organizationId = async (signal: AbortSignal): Promise<string> => {
    known ??= identify(client, signal);
    // A failure must be asked again, and a cancelled question is not an answer.
    known.catch(() => (known = undefined));
    return (await known).organizationId;
  };
  const nowMs = options.nowMs ?? Date.now;
  const reader = new PartReader({ client, warn, streams, pageSize, nowMs, organizationId });

  async function* fetchPages(
    slice: Slice,
    position: Position | null,
    signal: AbortSignal,
    effectsOn?: ReadonlySet<string>,
    stored?: StoredVersions,
  ): AsyncGenerator<Page> {
    const { stream, part } = findPart(streams, slice);
    try {
      yield* reader.pages(stream, part, slice, position, { signal, effectsOn, stored });
    } catch (error) {
      if (!part.isOptional || !isAbsent(error)) throw error;
      const note = `${error.message} ${error.next}`;
      warn({ code: 'CLOSE_PART_SKIPPED', path: pathOf(part), message: note });
      const nothing = { records: [], next: null, totalRecords: null, requests: 1 };
      yield { ...nothing, note, isSkipped: true };
    }
  }

  return {
    streams,
    identify: (signal) => identify(client, signal),
    customFields: (family, signal) => fetchCustomFields(client, family, signal),
    fetchPages,
    fetchCensus: (slice, position, signal) => {
      const stream = findStream(streams, slice.stream, slice.part);
      const reading = { signal, effectsOn: NO_EFFECTS };
      return censusPages(stream, slice, position, {
        warn,
        pages: (part, ofPart, inner) => reader.pages(stream, part, ofPart, inner, reading),
      });
    },
    fetchByKey: (name, keys, signal) =>
      recordsByKey({ client, signal }, findStream(streams, name, CENSUS), keys),
  };
}

const NO_EFFECTS: ReadonlySet<string> = new Set();

/**
 * `GET /me/`: `{id, organizations: [{id}], memberships: [{organization_id}]}` (recorded 2026-06). A
 * key belongs to one organization; the memberships are asked first because only they name the
 * user's place in it.
 */
async function identify(client: CloseClient, signal: AbortSignal): Promise<Identity> {
  const { body, bytes } = await client.get('/me/', {}, signal);
  const organizationId =
    textOf(firstOf(body.memberships), 'organization_id') ??
    textOf(firstOf(body.organizations), 'id');
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

/** The path of a part, for messages. */
function pathOf(part: ClosePart): string {
  if ('path' in part) return part.path;
  if (part.method === 'search') return '/data/search/';
  return part.method === 'list' ? (part.queries[0]?.path ?? '') : part.parents.path;
}

function findPart(
  streams: readonly CloseStream[],
  slice: Slice,
): { readonly stream: CloseStream; readonly part: ClosePart } {
  const stream = findStream(streams, slice.stream, slice.part);
  const part = stream.parts.find(({ name }) => name === slice.part);
  if (part === undefined) throw unknownStream(slice.stream, slice.part);
  return { stream, part };
}

function findStream(streams: readonly CloseStream[], name: string, part: string): CloseStream {
  const stream = streams.find((each) => each.name === name);
  if (stream === undefined) throw unknownStream(name, part);
  return stream;
}

function unknownStream(stream: string, part: string): ClosehaulError {
  return new ClosehaulError('CLOSE_STREAM_UNKNOWN', { stream, part });
}

function firstOf(value: JsonValue | undefined): JsonRecord | undefined {
  const first = Array.isArray(value) ? (value as readonly JsonValue[])[0] : undefined;
  return isJsonRecord(first) ? first : undefined;
}

function textOf(record: JsonRecord | undefined, field: string): string | undefined {
  const value = record?.[field];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
