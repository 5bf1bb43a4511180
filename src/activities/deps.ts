import type pg from 'pg';
import type { SliceRef } from '../contract.js';
import type { Instant } from '../core/instant.js';
import type { Lane, Source, SourceStream } from '../core/ports.js';
import type { Catalog } from '../postgres/catalog.js';
import type { KeptCustomFields } from '../postgres/custom-fields.js';

/** Where a step of the journey is reached: a seam for traces, progress and crash tests. */
export type Probe = (point: string, ref?: SliceRef) => void | Promise<void>;

/** What every activity is made from; `worker.ts` puts it together. */
export interface ActivityDeps {
  readonly pool: pg.Pool;
  readonly streams: readonly SourceStream[];
  /** The source of a connection, with its key. Throws KEY_MISSING. */
  readonly sourceOf: (schema: string) => Source;
  /** The same, once it is sure that the key reads the organization whose tables these are. */
  readonly provenSourceOf: (schema: string, lane: Lane, signal: AbortSignal) => Promise<Source>;
  /** The warehouse names of a connection, read once for each worker. */
  readonly catalogOf: (schema: string) => Promise<Catalog>;
  /** Forgets what this worker knows of names and custom fields: there are other tables now. */
  readonly forget: () => void;
  /** Custom fields as far as this worker has seen them, or reads them; the database keeps them for all. */
  readonly customFieldsBySchema: Map<string, Promise<KeptCustomFields>>;
  readonly now: () => Instant;
  readonly nowMs: () => number;
  readonly probe: Probe;
  /** Slices of one activity at a time; absent = as many as slice-box.ts thinks right. */
  readonly slicesAtOnce?: number | undefined;
}

export function streamOf(deps: Pick<ActivityDeps, 'streams'>, name: string): SourceStream {
  const stream = deps.streams.find((candidate) => candidate.name === name);
  if (stream === undefined) throw new TypeError(`no stream is called ${name}`);
  return stream;
}
