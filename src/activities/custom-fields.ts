import type { SliceRef } from '../contract.js';
import { foldCustomFields, unknownCustomFields } from '../core/custom-fields.js';
import { addMillis, HOUR_MS } from '../core/instant.js';
import type { JsonRecord } from '../core/record.js';
import {
  keepCustomFields,
  readCustomFields,
  type FamilyRead,
  type KeptCustomFields,
} from '../postgres/custom-fields.js';
import { streamOf, type ActivityDeps } from './deps.js';
import { remember } from './remember.js';

/** How long a field that was renamed or retyped in Close may go unnoticed. */
const DEFINITIONS_AGE_MAX_MS = 24 * HOUR_MS;

/**
 * Gives custom values their labels and types. Definitions are read from Close when a page brings a
 * field that nobody has seen, and once a day, so an incremental sync spends no request on them. A
 * field that the key may not read the definition of is called by its id, from then on and for ever.
 * Of slices that meet a new field at one time, one reads.
 */
export async function labelCustomFields(
  records: readonly JsonRecord[],
  ref: Pick<SliceRef, 'schema' | 'stream'>,
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<readonly JsonRecord[]> {
  const families = streamOf(deps, ref.stream).customFields;
  if (families === null || records.length === 0) return records;
  const { customFieldsBySchema: cache, pool } = deps;
  let own: Promise<KeptCustomFields> | undefined;
  for (;;) {
    const known =
      cache.get(ref.schema) ?? remember(cache, ref.schema, readCustomFields(pool, ref.schema));
    const kept = await unlessAborted(known, signal);
    const unknown = unknownCustomFields(records, families, kept.fields);
    if (known === own || (unknown.size === 0 && !isOld(kept, deps))) {
      return records.map((record) => foldCustomFields(record, families, kept.fields));
    }
    // Else another slice reads them already.
    if (cache.get(ref.schema) === known) {
      own = remember(cache, ref.schema, readDefinitions(unknown, ref, deps));
    }
  }
}

/** The read goes on when one of those who wait for it is cancelled. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error);
  });
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function isOld({ readAt }: KeptCustomFields, deps: ActivityDeps): boolean {
  return readAt === null || addMillis(readAt, DEFINITIONS_AGE_MAX_MS) < deps.now();
}

/** Of all families at once: they are few, short, and have one age. */
async function readDefinitions(
  unknown: ReadonlyMap<string, ReadonlySet<string>>,
  ref: Pick<SliceRef, 'schema'>,
  deps: ActivityDeps,
): Promise<KeptCustomFields> {
  const source = deps.sourceOf(ref.schema);
  // Nobody's: what one slice reads, others may wait for.
  const { signal } = new AbortController();
  const families = deps.streams.flatMap(({ customFields }) =>
    customFields === null ? [] : [customFields.own, ...Object.values(customFields.nested)],
  );
  const reads = await Promise.all(
    [...new Set(families)].map(async (family): Promise<FamilyRead> => {
      const definitions = await source.customFields(family, signal);
      return { family, definitions, seen: unknown.get(family) ?? new Set() };
    }),
  );
  const { hasChanged, ...kept } = await keepCustomFields(deps.pool, ref.schema, reads, deps.now());
  // A renamed field keeps its column; that column's comment tells the new name.
  if (hasChanged) await (await deps.catalogOf(ref.schema)).describe();
  return kept;
}
