import type { Instant } from './instant.js';
import type { JsonValue } from './record.js';

/**
 * What the pure core must know of a stream to turn its records into rows. How the stream is read
 * from Close is the source adapter's own affair (`close/streams.ts` extends this).
 */
export interface StreamShape {
  /** Name of the stream and of its table, as `leads`. */
  readonly name: string;
  /**
   * - `upsert`: one row for each record; a newer version replaces it (Stitch: Incremental)
   * - `append`: one row for each version of a record (Stitch: Append-Only Incremental)
   */
  readonly loading: 'upsert' | 'append';
  /** The field that holds the record's key. Stitch: Primary Key `id`. */
  readonly key: string;
  /** The field that orders the versions of one record; null: the one that was read last wins. */
  readonly versionField: string | null;
  /** The field that the stream is sliced and bookmarked by. */
  readonly clockField: string;
  /**
   * Top-level fields that change without any edit (labels copied from a status or a user, computed
   * money). A change in them alone is not a new version of an append-only record.
   */
  readonly volatileFields: readonly string[];
  /** Top-level fields that stay one JSON value each: they hold whole records of any kind. */
  readonly jsonFields?: readonly string[];
  /** Whose custom fields occur in its records; null when it has none. */
  readonly customFields: CustomFieldFamilies | null;
}

/** Which family of custom fields (Close: `/custom_field/{family}/`) stands where in a record. */
export interface CustomFieldFamilies {
  /** Of the record's own: `lead`. */
  readonly own: string;
  /** Of the records in its arrays, by their field: `{ contacts: 'contact' }`. */
  readonly nested: Readonly<Record<string, string>>;
}

/**
 * A half-open interval `[from, to)` of one part of a stream: the unit that is planned, checkpointed
 * and closed. A part is one of the lists that a stream is read from.
 */
export interface Slice {
  readonly stream: string;
  readonly part: string;
  readonly from: Instant;
  readonly to: Instant;
}

/** Stable text form of a slice within its stream: `activity:2025-01-01T…Z/2025-01-31T…Z`. */
export function sliceId(slice: Slice): string {
  return `${slice.part}:${slice.from}/${slice.to}`;
}

/** Where a source stands inside a slice. Written by the source, kept by the destination, opaque to both others. */
export type Position = { readonly [key: string]: JsonValue };
