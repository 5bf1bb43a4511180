import type { SliceRef } from '../contract.js';
import { denestPage } from '../core/denest.js';
import type { Instant } from '../core/instant.js';
import type { Page, SourceStream } from '../core/ports.js';
import type { JsonRecord } from '../core/record.js';
import type { Catalog } from '../postgres/catalog.js';
import type { StoredSelection } from '../postgres/connections.js';
import type { Batch, EffectBatch } from '../postgres/load.js';
import { loadable, type RecordBatch } from '../postgres/loadable.js';
import { labelCustomFields } from './custom-fields.js';
import { streamOf, type ActivityDeps } from './deps.js';

/** A page and when Close gave it: it may wait while others are loaded. */
export interface ReceivedPage {
  readonly page: Page;
  readonly receivedAt: Instant;
}

export async function* received(
  pages: AsyncGenerator<Page>,
  now: () => Instant,
): AsyncGenerator<ReceivedPage> {
  for await (const page of pages) yield { page, receivedAt: now() };
}

export interface BatchContext {
  readonly ref: SliceRef;
  readonly deps: ActivityDeps;
  readonly catalog: Pick<Catalog, 'layout'>;
  readonly selection: StoredSelection;
  readonly signal: AbortSignal;
}

/** A page as the destination takes it; `version` is only known when its turn comes. */
export interface ReadyPage {
  readonly page: Page;
  readonly batch: Omit<Batch, 'version'>;
}

export async function* ready(
  pages: AsyncGenerator<ReceivedPage>,
  context: BatchContext,
): AsyncGenerator<ReadyPage> {
  const { probe } = context.deps;
  for await (const { page, receivedAt } of pages) {
    await probe('page-fetched');
    const batch = await toBatch(page, receivedAt, context);
    await probe('page-denested');
    yield { page, batch };
  }
}

/** Labelled, without what is left out, de-nested. */
async function toBatch(
  page: Page,
  receivedAt: Instant,
  context: BatchContext,
): Promise<ReadyPage['batch']> {
  const { ref, deps, selection } = context;
  const { next, missing, totalRecords, requests, pass, note, isSkipped, hasGap } = page;
  const { census, settled } = page;
  const own = await denestFor(ref.stream, page.records, context);
  const effects: EffectBatch[] = [];
  for (const { stream, records, tombstones, closes } of page.effects ?? []) {
    if (!selection.streams.has(stream)) continue;
    const told = await denestFor(stream, records, context);
    effects.push({ ...told, stream, tombstones, ...(closes !== undefined && { closes }) });
  }
  // One order for all pages, so that two of them never wait for each other in a circle.
  const order = deps.streams.map(({ name }) => name);
  effects.sort((a, b) => order.indexOf(a.stream) - order.indexOf(b.stream));
  return {
    ...{ ref, ...own, receivedAt, next, totalRecords, requests, effects },
    ...(missing !== undefined && { isShort: true }),
    ...(pass !== undefined && { pass }),
    ...(note !== undefined && { note }),
    ...(isSkipped !== undefined && { isSkipped }),
    ...(hasGap !== undefined && { hasGap }),
    ...(census !== undefined && { census }),
    ...(settled !== undefined && { settled }),
  };
}

async function denestFor(
  name: string,
  records: readonly JsonRecord[],
  { ref, deps, catalog, selection, signal }: BatchContext,
): Promise<RecordBatch> {
  const stream = streamOf(deps, name);
  const place = { schema: ref.schema, stream: name };
  const labelled = await labelCustomFields(records, place, deps, signal);
  const wanted = leaveOut(labelled, selection.leftOut.get(name) ?? [], stream);
  return loadable(denestPage(wanted, stream, catalog.layout, records));
}

/** Without the operator's fields; key and clocks stay, nothing works without them. */
function leaveOut(
  records: readonly JsonRecord[],
  fields: readonly string[],
  { key, versionField, clockField }: SourceStream,
): readonly JsonRecord[] {
  const needed = [key, versionField, clockField];
  const gone = new Set(fields.filter((field) => !needed.includes(field)));
  if (gone.size === 0) return records;
  return records.map((record) =>
    Object.fromEntries(Object.entries(record).filter(([field]) => !gone.has(field))),
  );
}
