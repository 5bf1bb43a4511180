import type { CustomFieldDefinition } from './ports.js';
import { DeclaredText, isJsonRecord, type JsonRecord, type JsonValue } from './record.js';
import type { CustomFieldFamilies } from './stream.js';

/**
 * Close sends a custom value twice: under its id (`custom.cf_1: …`) and, on leads, under its label
 * (`custom: { Industry: … }`, deprecated; two fields of one label collide there). Both become one:
 *
 *   { 'custom.cf_1': 'Tech', custom: { Industry: 'Tech' } }   →   { custom: { Industry: 'Tech' } }
 *
 * The form by id decides, since a field's id never changes. A record without it (Close before 2018)
 * keeps what it has.
 */
export function foldCustomFields(
  record: JsonRecord,
  families: CustomFieldFamilies,
  fields: CustomFields,
): JsonRecord {
  return foldOwn(record, fields.get(families.own), (name, value) => {
    const family = familyOf(families, name);
    if (family === undefined || !Array.isArray(value)) return value;
    const elements = value as readonly JsonValue[];
    const folded = elements.map((element) =>
      // Records inside these have none: Close nests no deeper, and a stack overflow lurks there.
      isJsonRecord(element) ? foldOwn(element, fields.get(family), (_, inner) => inner) : element,
    );
    const hasChanged = folded.some((element, index) => element !== elements[index]);
    return hasChanged ? folded : elements;
  });
}

/** A custom field as it was when it was first seen, and as Close defines it now. */
export interface CustomField {
  readonly id: string;
  /** What its column is called by, for ever; no two fields of a family share it. */
  readonly label: string;
  /** Its name in Close now; null when its definition may not be read, or is not there any more. */
  readonly currentName: string | null;
  /** Close's word for its type; null when nobody told. */
  readonly type: string | null;
}

/** What is known of custom fields: by family, then by id. */
export type CustomFields = ReadonlyMap<string, ReadonlyMap<string, CustomField>>;

const PREFIX = 'custom.';

/** Not `families.nested[name]`: a field may be called `constructor`. */
function familyOf({ nested }: CustomFieldFamilies, name: string): string | undefined {
  return Object.hasOwn(nested, name) ? nested[name] : undefined;
}

function foldOwn(
  record: JsonRecord,
  fields: ReadonlyMap<string, CustomField> | undefined,
  foldNested: (name: string, value: JsonValue) => JsonValue,
): JsonRecord {
  const folded: [string, JsonValue][] = [];
  const custom: [string, JsonValue][] = [];
  let hasChanged = false;
  for (const name of Object.keys(record)) {
    const value = record[name] as JsonValue;
    if (name.startsWith(PREFIX)) {
      const id = name.slice(PREFIX.length);
      const field = fields?.get(id);
      custom.push([field?.label ?? id, declared(value, field)]);
    } else if (name !== 'custom') {
      const inner = foldNested(name, value);
      hasChanged ||= inner !== value;
      folded.push([name, inner]);
    }
  }
  // Most contacts and opportunities have none: they are not built anew.
  if (custom.length === 0 && !hasChanged) return record;
  if (custom.length > 0) folded.push(['custom', Object.fromEntries(custom)]);
  else if (Object.hasOwn(record, 'custom')) folded.push(['custom', record['custom'] as JsonValue]);
  // fromEntries and not assignment: a field called `__proto__` must stay a field.
  return Object.fromEntries(folded);
}

/** Close's types of custom fields (docs, resources/custom-fields, read 2026-11); `hidden` may be anything. */
const TIME_TYPES = ['date', 'datetime'];
const UNTOLD_TYPE = 'hidden';

/** Texts with what their definition says of them; where there is none, their form will tell. */
function declared(value: JsonValue, field: CustomField | undefined): JsonValue {
  const type = field?.type ?? null;
  if (type === null || type === UNTOLD_TYPE) return value;
  const isTime = TIME_TYPES.includes(type);
  const declare = (each: JsonValue): JsonValue =>
    typeof each === 'string' ? new DeclaredText(each, isTime) : each;
  return Array.isArray(value) ? (value as readonly JsonValue[]).map(declare) : declare(value);
}

/** By family, the ids of the custom fields in `records` that nobody has seen yet. */
export function unknownCustomFields(
  records: readonly JsonRecord[],
  families: CustomFieldFamilies,
  fields: CustomFields,
): ReadonlyMap<string, ReadonlySet<string>> {
  const unknown = new Map<string, Set<string>>();
  const look = (record: JsonRecord, family: string): void => {
    for (const name of Object.keys(record)) {
      if (!name.startsWith(PREFIX)) continue;
      const id = name.slice(PREFIX.length);
      if (fields.get(family)?.has(id)) continue;
      const ids = unknown.get(family) ?? new Set();
      unknown.set(family, ids.add(id));
    }
  };
  for (const record of records) {
    look(record, families.own);
    for (const [name, family] of Object.entries(families.nested)) {
      const value = Object.hasOwn(record, name) ? record[name] : undefined;
      if (!Array.isArray(value)) continue;
      for (const nested of (value as readonly JsonValue[]).filter(isJsonRecord))
        look(nested, family);
    }
  }
  return unknown;
}

/**
 * What is kept of a family after its definitions were read (null: this key may not): each field has
 * the label that it had when it was first seen, and of two with one name the second has its id
 * beside it. Returns only the fields that changed. `seen` are ids that records hold.
 */
export function keepFields(
  kept: ReadonlyMap<string, CustomField>,
  definitions: readonly CustomFieldDefinition[] | null,
  seen: ReadonlySet<string>,
): readonly CustomField[] {
  const labels = new Set([...kept.values()].map(({ label }) => label));
  const changed: CustomField[] = [];
  const keep = (id: string, name: string | null, type: string | null): void => {
    const known = kept.get(id);
    if (known !== undefined && known.currentName === name && known.type === type) return;
    const label = known?.label ?? freeLabel(name ?? id, id, labels);
    labels.add(label);
    changed.push({ id, label, currentName: name, type });
  };
  const defined = new Set(definitions?.map(({ id }) => id));
  for (const { id, name, type } of definitions ?? []) keep(id, name, type);
  for (const id of seen) if (!defined.has(id) && !kept.has(id)) keep(id, null, null);
  // Its values keep the type that they had: only its name is gone.
  const gone = definitions === null ? [] : [...kept.values()].filter(({ id }) => !defined.has(id));
  for (const { id, type } of gone) keep(id, null, type);
  return changed;
}

function freeLabel(name: string, id: string, taken: ReadonlySet<string>): string {
  let label = name;
  while (taken.has(label)) label = `${label} ${id}`;
  return label;
}
