import type { Page, Source, SourcePart, SourceStream } from '../core/ports.js';
import { addMillis, instantFromMillis, MINUTE_MS } from '../core/instant.js';
import { ClosehaulError } from '../errors.js';

/** Whether a key may read a stream: asked by the first page of its last minute, of each of its parts. */
export interface StreamRight {
  readonly stream: string;
  readonly rights: 'yes' | 'in part' | 'no';
  /** Why not all of it; null when there is nothing to say. */
  readonly note: string | null;
  /** It is the event log, by which deletes are seen. */
  readonly tellsOfOthers: boolean;
}

const AT_ONCE = 4;

/** Throws what concerns the key or Close as a whole. */
export async function readRights(
  source: Source,
  nowMs: number,
  signal: AbortSignal,
): Promise<readonly StreamRight[]> {
  const rights = new Map<string, StreamRight>();
  const waiting = [...source.streams];
  const work = async (): Promise<void> => {
    for (let stream = waiting.shift(); stream !== undefined; stream = waiting.shift()) {
      rights.set(stream.name, await rightOf(stream, source, nowMs, signal));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return source.streams.flatMap(({ name }) => rights.get(name) ?? []);
}

async function rightOf(
  stream: SourceStream,
  source: Source,
  nowMs: number,
  signal: AbortSignal,
): Promise<StreamRight> {
  const refusals: string[] = [];
  for (const part of stream.parts) {
    const refusal = await refusalOf(stream, part, source, nowMs, signal);
    if (refusal !== null) refusals.push(refusal);
  }
  const isNone = refusals.length === stream.parts.length;
  const rights = refusals.length === 0 ? 'yes' : isNone ? 'no' : 'in part';
  const tellsOfOthers = stream.parts.some((part) => part.tellsOfOthers === true);
  return { stream: stream.name, rights, note: refusals[0] ?? null, tellsOfOthers };
}

async function refusalOf(
  stream: SourceStream,
  part: SourcePart,
  source: Source,
  nowMs: number,
  signal: AbortSignal,
): Promise<string | null> {
  const to = instantFromMillis(nowMs);
  const slice = { stream: stream.name, part: part.name, from: addMillis(to, -MINUTE_MS), to };
  const pages = source.fetchPages(slice, null, signal, new Set());
  try {
    const first: IteratorResult<Page, unknown> = await pages.next();
    const page = first.done === true ? undefined : first.value;
    return page?.isSkipped === true ? (page.note ?? 'Close does not let the key read it.') : null;
  } catch (error) {
    if (error instanceof ClosehaulError && error.recovery === 'fail-stream') return error.message;
    throw error;
  } finally {
    await pages.return(undefined);
  }
}
