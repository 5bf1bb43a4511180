import { instantFromMillis, type Instant } from '../core/instant.js';
import type { Effect, Page, StoredVersions } from '../core/ports.js';
import { isJsonRecord, type JsonRecord, type JsonValue } from '../core/record.js';
import type { Position, Slice } from '../core/stream.js';
import type { CloseClient } from './client.js';
import { EventEffects } from './event-effects.js';
import { eventPages } from './event-pages.js';
import { fanOutPages } from './fan-out-pages.js';
import { keysetPages } from './keyset-pages.js';
import type { CloseList, Warn } from './list-page.js';
import { listPages } from './list-pages.js';
import type { ClosePath, QueryParams } from './request.js';
import { searchPages } from './search-pages.js';
import type {
  ClosePart,
  CloseStream,
  EventsPart,
  KeysetPart,
  ListPart,
  ListQuery,
  SearchPart,
} from './stream-part.js';
import { twiceWhenShort } from './twice-when-short.js';
import { windowPages } from './window-pages.js';

export interface PartReaderOptions {
  readonly client: CloseClient;
  readonly warn: Warn;
  readonly streams: readonly CloseStream[];
  readonly pageSize: number;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  readonly organizationId: (signal: AbortSignal) => Promise<string>;
}

interface Reading {
  readonly signal: AbortSignal;
  /** Streams whose effects are wanted; undefined = all. */
  readonly effectsOn: ReadonlySet<string> | undefined;
  readonly stored?: StoredVersions | undefined;
}

/** Reads a part of a stream by its method. */
export class PartReader {
  constructor(private readonly options: PartReaderOptions) {}

  async *pages(
    stream: CloseStream,
    part: ClosePart,
    slice: Slice,
    position: Position | null,
    reading: Reading,
  ): AsyncGenerator<Page> {
    const list = (path: ClosePath, params?: QueryParams): CloseList =>
      this.list(stream, reading.signal, { path, ...(params !== undefined && { params }) });
    switch (part.method) {
      case 'keyset':
        for await (const page of twiceWhenShort(position, (from) =>
          keysetPages(list(part.path, part.params), slice, from),
        )) {
          yield keysetPage(page, part, reading.effectsOn);
        }
        return;
      case 'window':
        yield* twiceWhenShort(position, (from) =>
          windowPages(list(part.path, part.params), slice, from),
        );
        return;
      case 'search':
        yield* searchPages(searchList(list('/data/search/'), part), part, slice, position);
        return;
      case 'list':
        yield* this.listPages(stream, part, position, reading);
        return;
      case 'fan-out': {
        const parents = this.list(stream, reading.signal, part.parents);
        yield* fanOutPages(parents, part.each, position, this.now);
        return;
      }
      case 'events':
        yield* this.eventPages(list(part.path), part, slice, position, reading);
        return;
    }
  }

  private readonly now = (): Instant => instantFromMillis(this.options.nowMs());

  private list(stream: CloseStream, signal: AbortSignal, query: ListQuery): CloseList {
    const { client, warn, pageSize } = this.options;
    return { client, warn, pageSize, signal, clockField: stream.clockField, ...query };
  }

  private async *listPages(
    stream: CloseStream,
    part: ListPart,
    position: Position | null,
    { signal }: Reading,
  ): AsyncGenerator<Page> {
    const lists: CloseList[] = [];
    for (const query of part.queries) {
      const path = await this.fillIn(query.path, signal);
      lists.push(this.list(stream, signal, { ...query, path }));
    }
    yield* listPages(lists, position, { now: this.now, keepsKeys: true });
  }

  private async fillIn(path: ClosePath, signal: AbortSignal): Promise<ClosePath> {
    if (!path.includes(':organization')) return path;
    const id = await this.options.organizationId(signal);
    return path.replace(':organization', encodeURIComponent(id)) as ClosePath;
  }

  private async *eventPages(
    log: CloseList,
    part: EventsPart,
    slice: Slice,
    position: Position | null,
    reading: Reading,
  ): AsyncGenerator<Page> {
    const { streams } = this.options;
    const now = this.now();
    const readList = (stream: CloseStream, listPart: ClosePart): AsyncGenerator<Page> =>
      this.pages(stream, listPart, { ...slice, stream: stream.name }, null, reading);
    const { effectsOn: wanted, stored } = reading;
    const effects = part.tellsOfOthers
      ? new EventEffects({ streams, wanted, stored, log, now, readList })
      : null;
    yield* eventPages(log, part, slice, position, effects, now);
  }
}

function searchList(list: CloseList, { pageSize }: SearchPart): CloseList {
  return pageSize === undefined ? list : { ...list, pageSize };
}

/** The page as the part wants it: the records inside its rows, or those that the rows carry along. */
function keysetPage(
  page: Page,
  { unnest, carries }: KeysetPart,
  effectsOn: ReadonlySet<string> | undefined,
): Page {
  if (unnest !== undefined) {
    // What was counted are the rows and not the records in them.
    return { ...page, records: nestedIn(page.records, unnest), totalRecords: null };
  }
  if (carries === undefined || effectsOn?.has(carries.stream) === false) return page;
  const { stream, field, closes } = carries;
  const records = nestedIn(page.records, field);
  const effect: Effect = { stream, records, tombstones: [], closes };
  return { ...page, effects: [effect] };
}

function nestedIn(rows: readonly JsonRecord[], field: string): readonly JsonRecord[] {
  return rows.flatMap((row) => {
    const value = row[field];
    return Array.isArray(value) ? (value as readonly JsonValue[]).filter(isJsonRecord) : [];
  });
}
