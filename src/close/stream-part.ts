import type { SourcePart, SourceStream } from '../core/ports.js';
import type { JsonRecord } from '../core/record.js';
import type { ClosePath, QueryParams } from './request.js';

/** One of Close's lists and how it is read; each method has a file of its own. */
export type ClosePart = KeysetPart | WindowPart | SearchPart | ListPart | FanOutPart | EventsPart;

export interface CloseStream extends SourceStream {
  readonly parts: readonly ClosePart[];
}

interface AnyPart extends SourcePart {
  /** A list that not every account or key has: 403 and 404 skip it, and the stream says so. */
  readonly isOptional: boolean;
  readonly follows?: Followed;
}

/** keyset-pages.ts: a list that can be searched from a minute on and sorted by its clock. */
export interface KeysetPart extends AnyPart {
  readonly method: 'keyset';
  readonly path: ClosePath;
  readonly params?: QueryParams;
  /** The stream's records are the elements of this field of the rows. */
  readonly unnest?: string;
  /** Records of another stream in a field of the rows: they come along for nothing. */
  readonly carries?: { readonly stream: string; readonly field: string; readonly closes: string };
}

/** window-pages.ts: a list that takes a closed time window. */
export interface WindowPart extends AnyPart {
  readonly method: 'window';
  readonly path: ClosePath;
  readonly params?: QueryParams;
}

/** search-pages.ts: Advanced Filtering. */
export interface SearchPart extends AnyPart {
  readonly method: 'search';
  /** Close's name of the kind of thing: `contact`. */
  readonly objectType: string;
  /** Fields to ask for; Close gives nothing but ids without. */
  readonly fields: readonly string[];
  /** Rows asked for in one request; absent = as many as of the other lists. */
  readonly pageSize?: number;
  /** Only rows without this field are wanted, and those are read whole by id. */
  readonly without?: { readonly field: string; readonly path: ItemPath };
}

/** list-pages.ts: a small list that is read whole. */
export interface ListPart extends AnyPart {
  readonly method: 'list';
  readonly queries: readonly ListQuery[];
}

export interface ListQuery {
  /** `:organization` stands for the organization's id. */
  readonly path: ClosePath;
  readonly params?: QueryParams;
  /** Where the rows are, when not under `data`. */
  readonly pick?: (body: JsonRecord) => readonly JsonRecord[];
}

/** fan-out-pages.ts: one request, or one list, for each row of another list. */
export interface FanOutPart extends AnyPart {
  readonly method: 'fan-out';
  readonly parents: ListQuery;
  /** `:id` in the path, or the field `by`, is the parent's id; a path with `:id` gives one record. */
  readonly each: { readonly item: ItemPath } | { readonly list: ClosePath; readonly by: string };
}

/** event-pages.ts: the event log. */
export interface EventsPart extends AnyPart {
  readonly method: 'events';
  readonly path: ClosePath;
  /** Whether what the events tell of other streams is loaded too. */
  readonly tellsOfOthers: boolean;
  /** Close forgets events that are older. */
  readonly retentionMs: number;
}

/** Path of one record: `/lead/:id/`. */
export type ItemPath = `/${string}/:id/`;

/** What the event log tells of a part, and how a record that it names is had. */
export interface Followed {
  /**
   * - `clock` its own date pass brings it when its `date_updated` moved with the event; else by id
   * - `id`    it is read by its id
   * - `list`  the list is read again, once for all events of a slice
   */
  readonly by: 'clock' | 'id' | 'list';
  /** Object types of the log, with the path of one such record; `task.*` is any type of task. */
  readonly types: Readonly<Record<string, ItemPath | null>>;
  /**
   * Object types of which a record holds copies, though its own clock does not move with them. The
   * field of the event, or of the object in it, names the record: it is read again by its id.
   */
  readonly holds?: Readonly<Record<string, string>>;
  /** A list that takes `id__in`: many records in one request. */
  readonly batch?: { readonly path: ClosePath; readonly params?: QueryParams };
  /** Where no list does: what Advanced Filtering calls such a record. */
  readonly searchedAs?: string;
}

export function itemPath(template: ItemPath, id: string): ClosePath {
  return template.replace(':id', encodeURIComponent(id)) as ClosePath;
}
