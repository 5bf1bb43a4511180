import { fieldText } from '../../src/close/list-page.js';
import { createCloseSource } from '../../src/close/source.js';
import { CLOSE_STREAMS } from '../../src/close/streams.js';
import { instantFromMillis, SECOND_MS } from '../../src/core/instant.js';
import { historySlices } from '../../src/core/slice.js';
import type { Position, Slice } from '../../src/core/stream.js';
import { ClosehaulError, type ErrorCode } from '../../src/errors.js';
import type { Sandbox } from '../../src/sandbox/sandbox.js';
import { createClock, createTestClient, expectNoSecrets, NEVER } from '../close/test-client.js';

export interface ReadThrough {
  /** By stream, each record that was read, by its id, as JSON. */
  readonly records: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** The failures that waiting mended, each code once. */
  readonly failures: readonly ErrorCode[];
  /** What a person was told of the streams. */
  readonly notes: readonly string[];
}

export interface ReadOptions {
  readonly streams?: readonly string[];
  /** Total time of one request; a fault that keeps silent costs so much each time. */
  readonly timeoutMs?: number;
  readonly bodyBytesMax?: number;
}

/** Failures of one slice in a row after which waiting will not mend it. */
const TRIES_MAX = 12;
const PAGE_RECORDS = 10;

/**
 * Reads the history of an account to its end as a worker does, without a warehouse behind it: the real
 * source through the real client, over real sockets. A failure that may be retried is retried from
 * the position of the last page, which goes through JSON as the checkpoint does. Time passes only
 * when somebody waits.
 */
export async function readThrough(
  sandbox: Sandbox,
  { streams, ...client }: ReadOptions = {},
): Promise<ReadThrough> {
  const clock = createClock(Date.parse('2026-11-01T00:01:00Z'));
  const closeClient = createTestClient(sandbox.url, { clock, timeoutMs: 20_000, ...client });
  const source = createCloseSource({
    ...{ client: closeClient, pageSize: PAGE_RECORDS, nowMs: clock.now, warn: () => undefined },
  });
  const range = {
    from: instantFromMillis(Date.parse('2026-05-01')),
    to: instantFromMillis(clock.now()),
  };
  const records: Record<string, Record<string, string>> = {};
  const failures = new Set<ErrorCode>();
  const notes = new Set<string>();

  async function read(slice: Slice): Promise<void> {
    let position: Position | null = null;
    for (let tries = 0; ;) {
      try {
        for await (const page of source.fetchPages(slice, position, NEVER)) {
          for (const record of page.records) {
            const known = (records[slice.stream] ??= {});
            known[fieldText(record, 'id')] = JSON.stringify(record);
          }
          if (page.note !== undefined) notes.add(page.note);
          if (page.next === null) return;
          position = JSON.parse(JSON.stringify(page.next)) as Position;
          tries = 0;
        }
      } catch (error) {
        if (error instanceof Error) expectNoSecrets(error);
        tries += 1;
        const isRetried = error instanceof ClosehaulError && error.recovery === 'retry';
        if (!isRetried || tries >= TRIES_MAX) throw error;
        failures.add(error.code);
        await clock.sleep(error.retryAfterMs ?? SECOND_MS);
      }
    }
  }

  try {
    for (const stream of CLOSE_STREAMS) {
      if (streams?.includes(stream.name) === false) continue;
      for (const slice of historySlices(stream, range, true)) await read(slice);
    }
  } finally {
    closeClient.close();
  }
  return { records, failures: [...failures].sort(), notes: [...notes] };
}
