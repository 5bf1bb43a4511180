/**
 * A connection's warehouse as the database itself tells of it: what is there, not what was meant.
 * Comments are the ones in the database; null where there is none.
 */
export interface WarehouseSchema {
  readonly name: string;
  readonly comment: string | null;
  /** Each table before its subtables, and before the view of its latest versions. */
  readonly relations: readonly WarehouseRelation[];
}

export interface WarehouseRelation {
  readonly name: string;
  /** `root` is a stream's own table, `rejects` the one of the records that no table could take. */
  readonly kind: 'root' | 'subtable' | 'view' | 'rejects';
  /** Whether SQL needs the name in double quotes: it keeps its case, spaces and `/`. */
  readonly needsQuotes: boolean;
  readonly comment: string | null;
  /** In the order of the table. */
  readonly columns: readonly WarehouseColumn[];
  /** Columns that tell one row from another; a view's are those of its table without the version. */
  readonly key: readonly string[];
  readonly uniqueConstraints: readonly (readonly string[])[];
  /** Those that no key or constraint brought with it. */
  readonly indexes: readonly WarehouseIndex[];
  /** Null for a view, and when nobody has counted or estimated them yet. */
  readonly rows: number | null;
  /** The query that tells when its stream was read to the end last; only of a stream's own table. */
  readonly syncedAtQuery: string | null;
}

export interface WarehouseColumn {
  readonly name: string;
  readonly needsQuotes: boolean;
  /** As PostgreSQL writes it: `timestamp with time zone`. */
  readonly type: string;
  readonly isNotNull: boolean;
  readonly comment: string | null;
}

export interface WarehouseIndex {
  readonly name: string;
  /** Method and columns: `btree (lead_id)`. */
  readonly definition: string;
}
