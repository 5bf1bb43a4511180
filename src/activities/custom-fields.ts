import type { SliceRef } from '../contract.js';
import { foldCustomFields, unknownCustomFields } from '../core/custom-fields.js';
import type { JsonRecord } from '../core/record.js';
import {
  keepCustomFieldLabels,
  readCustomFieldLabels,
  type CustomField,
} from '../postgres/custom-fields.js';
import { streamOf, type ActivityDeps } from './deps.js';

/**
 * Gives custom values their labels. Definitions are read from Close only when a page brings a field
 * that nobody has seen, so an incremental sync spends no request on them. A field that the key may
 * not read the definition of is called by its id, from then on and for ever.
 */
export async function labelCustomFields(
  records: readonly JsonRecord[],
  ref: SliceRef,
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<readonly JsonRecord[]> {
  const { pool, labelsBySchema } = deps;
  const families = streamOf(deps, ref.stream).customFields;
  if (families.length === 0) return records;
  let labels = labelsBySchema.get(ref.schema) ?? (await readCustomFieldLabels(pool, ref.schema));
  const unknown = unknownCustomFields(records, labels);
  if (unknown.size > 0) {
    const source = deps.sourceOf(ref.schema);
    const fields: CustomField[] = [];
    for (const family of families) {
      const seen = await source.customFieldLabels(family, signal);
      for (const [id, label] of seen) fields.push({ id, family, label });
    }
    const defined = new Set(fields.map(({ id }) => id));
    for (const id of unknown) if (!defined.has(id)) fields.push({ id, family: '', label: id });
    labels = await keepCustomFieldLabels(pool, ref.schema, fields);
  }
  labelsBySchema.set(ref.schema, labels);
  return records.map((record) => foldCustomFields(record, labels));
}
