/**
 * How a record becomes tables. The difference between the layouts is a handful of names, so it is
 * data and not code.
 */
export type LayoutName = 'stitch' | 'stitch-v2' | 'jsonb';

/** Stitch's, which the tables have unless somebody asks for another. */
export const DEFAULT_LAYOUT: LayoutName = 'stitch';

export interface Layout {
  readonly name: LayoutName;
  /** Whether an array becomes a subtable; else it is one `jsonb` column. */
  readonly hasSubtables: boolean;
  /** A subtable's column that holds the key of the record it belongs to. */
  readonly parentKeyColumn: (key: string) => string;
  /** Put before each field of an array's element: `items__value`. */
  readonly elementPrefix: string;
}

/** The column of an array element that is a scalar, in both layouts (Stitch documents only this name). */
export const SCALAR_ELEMENT_COLUMN = 'value';
/** Name part of the subtable that an array directly inside an array makes. */
export const INNER_ARRAY_PART = 'items';

export const LAYOUTS: Readonly<Record<LayoutName, Layout>> = {
  // Stitch's Close.io page of 2017: `leads__opportunities(id, _sdc_level_0_id, items__value, …)`.
  stitch: {
    name: 'stitch',
    hasSubtables: true,
    parentKeyColumn: (key) => key,
    elementPrefix: 'items__',
  },
  // Stitch's later pages: `leads__opportunities(_sdc_source_key_id, _sdc_level_0_id, value, …)`.
  'stitch-v2': {
    name: 'stitch-v2',
    hasSubtables: true,
    parentKeyColumn: (key) => `_sdc_source_key_${key}`,
    elementPrefix: '',
  },
  // PostgreSQL's own nesting, for people who like `contacts->0->>'name'`.
  jsonb: {
    name: 'jsonb',
    hasSubtables: false,
    parentKeyColumn: (key) => key,
    elementPrefix: '',
  },
};

export function isLayout(name: unknown): name is LayoutName {
  return typeof name === 'string' && Object.hasOwn(LAYOUTS, name);
}
