import type { CustomFieldLabels } from './ports.js';
import { isJsonRecord, type JsonRecord, type JsonValue } from './record.js';

/**
 * Close sends a custom value twice: under its id (`custom.cf_1: …`) and, on leads, under its label
 * (`custom: { Industry: … }`, deprecated; two fields of one label collide there). Both become one:
 *
 *   { 'custom.cf_1': 'Tech', custom: { Industry: 'Tech' } }   →   { custom: { Industry: 'Tech' } }
 *
 * The form by id decides, since a field's id never changes. Where its label is not known, the id
 * stands for it; of two fields with one label the second has its id beside it. A record without the
 * form by id (Close before 2018) keeps what it has.
 */
export function foldCustomFields(record: JsonRecord, labels: CustomFieldLabels): JsonRecord {
  return foldOwn(record, labels, (field, value) =>
    NESTED_RECORDS.has(field) && Array.isArray(value)
      ? (value as readonly JsonValue[]).map((element) =>
          // Records inside these have none: Close nests no deeper, and a stack overflow lurks there.
          isJsonRecord(element) ? foldOwn(element, labels, (_, inner) => inner) : element,
        )
      : value,
  );
}

const PREFIX = 'custom.';
/** The records inside a lead that have custom fields of their own. */
const NESTED_RECORDS: ReadonlySet<string> = new Set(['contacts', 'opportunities']);

function foldOwn(
  record: JsonRecord,
  labels: CustomFieldLabels,
  foldNested: (field: string, value: JsonValue) => JsonValue,
): JsonRecord {
  const folded: [string, JsonValue][] = [];
  const custom = new Map<string, JsonValue>();
  // In the order of their ids, so that the order of a record's keys makes no difference.
  for (const field of Object.keys(record).sort()) {
    const value = record[field] as JsonValue;
    if (field.startsWith(PREFIX)) {
      const id = field.slice(PREFIX.length);
      let label = labels.get(id) ?? id;
      while (custom.has(label)) label = `${label} ${id}`;
      custom.set(label, value);
    } else if (field !== 'custom') {
      folded.push([field, foldNested(field, value)]);
    }
  }
  if (custom.size > 0) folded.push(['custom', Object.fromEntries(custom)]);
  else if (record['custom'] !== undefined) folded.push(['custom', record['custom']]);
  // fromEntries and not assignment: a field called `__proto__` must stay a field.
  return Object.fromEntries(folded);
}

/** Ids of the custom fields in `records` that have no label yet. */
export function unknownCustomFields(
  records: readonly JsonRecord[],
  labels: CustomFieldLabels,
): ReadonlySet<string> {
  const unknown = new Set<string>();
  for (const record of records) {
    for (const [field, value] of Object.entries(record)) {
      addUnknown(field, labels, unknown);
      if (!NESTED_RECORDS.has(field) || !Array.isArray(value)) continue;
      for (const nested of (value as readonly JsonValue[]).filter(isJsonRecord)) {
        for (const inner of Object.keys(nested)) addUnknown(inner, labels, unknown);
      }
    }
  }
  return unknown;
}

function addUnknown(field: string, labels: CustomFieldLabels, unknown: Set<string>): void {
  if (!field.startsWith(PREFIX)) return;
  const id = field.slice(PREFIX.length);
  if (!labels.has(id)) unknown.add(id);
}
