import type { CustomFieldLabels } from './ports.js';
import { isJsonRecord, type JsonRecord, type JsonValue } from './record.js';

/**
 * Close sends a custom value twice: under its id (`custom.cf_1: …`) and, on leads, under its label
 * (`custom: { Industry: … }`, deprecated; two fields of one label collide there). Both become one:
 *
 *   { 'custom.cf_1': 'Tech', custom: { Industry: 'Tech' } }   →   { custom: { Industry: 'Tech' } }
 *
 * The form by id decides, since a field's id never changes. Where its label is not known, the id
 * stands for it. A record without the form by id (Close before 2018) keeps what it has.
 */
export function foldCustomFields(record: JsonRecord, labels: CustomFieldLabels): JsonRecord {
  const folded: [string, JsonValue][] = [];
  const custom: [string, JsonValue][] = [];
  for (const [field, value] of Object.entries(record)) {
    if (field.startsWith(PREFIX)) {
      const id = field.slice(PREFIX.length);
      custom.push([labels.get(id) ?? id, value]);
    } else if (field !== 'custom') {
      folded.push([field, foldNested(field, value, labels)]);
    }
  }
  if (custom.length > 0) folded.push(['custom', Object.fromEntries(custom)]);
  else if (record['custom'] !== undefined) folded.push(['custom', record['custom']]);
  // fromEntries and not assignment: a field called `__proto__` must stay a field.
  return Object.fromEntries(folded);
}

const PREFIX = 'custom.';
/** The records inside a lead that have custom fields of their own. */
const NESTED_RECORDS: ReadonlySet<string> = new Set(['contacts', 'opportunities']);

function foldNested(field: string, value: JsonValue, labels: CustomFieldLabels): JsonValue {
  if (!NESTED_RECORDS.has(field) || !Array.isArray(value)) return value;
  return (value as readonly JsonValue[]).map((element) =>
    isJsonRecord(element) ? foldCustomFields(element, labels) : element,
  );
}

/** Ids of the custom fields in `records` that have no label yet. */
export function unknownCustomFields(
  records: readonly JsonRecord[],
  labels: CustomFieldLabels,
): ReadonlySet<string> {
  const unknown = new Set<string>();
  const stack: JsonRecord[] = [...records];
  for (let record = stack.pop(); record !== undefined; record = stack.pop()) {
    for (const [field, value] of Object.entries(record)) {
      if (field.startsWith(PREFIX)) {
        const id = field.slice(PREFIX.length);
        if (!labels.has(id)) unknown.add(id);
      } else if (NESTED_RECORDS.has(field) && Array.isArray(value)) {
        stack.push(...(value as readonly JsonValue[]).filter(isJsonRecord));
      }
    }
  }
  return unknown;
}
