import Table from 'cli-table3';
import { CLOSE_STREAMS } from '../close/streams.js';
import type { Config } from '../config.js';
import { HOUR_MS, type Instant } from '../core/instant.js';
import type { SourceStream } from '../core/ports.js';
import { number } from '../core/words.js';
import { ClosehaulError } from '../errors.js';
import { readConnection } from '../postgres/connections.js';
import { readStreams, type StreamRecord } from '../postgres/report.js';
import { checkOptions } from './connection-options.js';
import { withPool } from './database.js';
import { answer, type Output } from './output.js';

/** What is read from Close and how; with a name, also how far a connection is with it. */
export async function streams(
  config: Config,
  name: string | undefined,
  output: Output,
): Promise<void> {
  if (name === undefined) {
    const lines = CLOSE_STREAMS.map((stream) => describeStream(stream));
    answer(output, lines, streamTable(lines));
    return;
  }
  const { schema } = checkOptions({ name });
  await withPool(config, async (pool) => {
    if ((await readConnection(pool, schema)) === undefined) {
      throw new ClosehaulError('CONNECTION_UNKNOWN', { schema });
    }
    const records = await readStreams(pool, schema);
    const lines = CLOSE_STREAMS.map((stream) =>
      describeStream(
        stream,
        records.find((record) => record.stream === stream.name),
      ),
    );
    answer(output, lines, streamTable(lines));
  });
}

export interface StreamLine {
  readonly name: string;
  readonly table: string;
  readonly loading: 'upsert' | 'append';
  /** How it is read: `keyset`, `window`, `list`, …; two of them when its parts differ. */
  readonly method: string;
  readonly every: string;
  readonly isSelected: boolean | null;
  /** Fields that the operator left out. */
  readonly leftOut: readonly string[];
  /** Whether the key may read it; null until it was tried. */
  readonly rights: 'yes' | 'in part' | 'no' | null;
  readonly status: string | null;
  readonly rows: number | null;
  readonly lastSync: Instant | null;
  readonly note: string | null;
}

/** One line of a stream; without a record of it nothing is known but how it would be read. */
export function describeStream(stream: SourceStream, record?: StreamRecord): StreamLine {
  const { name, loading, parts } = stream;
  const everyMs = Math.min(...parts.map((part) => part.everyMs ?? 0));
  return {
    ...{ name, loading, table: record?.table ?? name },
    method: [...new Set(parts.map(({ method }) => method ?? ''))].join(' + '),
    every: everyMs === 0 ? 'each sync' : `${everyMs / HOUR_MS} h`,
    isSelected: record?.isSelected ?? null,
    leftOut: record?.leftOut ?? [],
    rights: record === undefined ? null : rightsOf(record),
    status: record?.status ?? null,
    rows: record?.rows ?? null,
    lastSync: record?.lastSync ?? null,
    note: record?.note ?? null,
  };
}

function rightsOf({ partsRead, partsSkipped }: StreamRecord): StreamLine['rights'] {
  if (partsRead === 0) return null;
  if (partsSkipped === 0) return 'yes';
  return partsSkipped === partsRead ? 'no' : 'in part';
}

function streamTable(lines: readonly StreamLine[]): string {
  const hasRecords = lines.some(({ isSelected }) => isSelected !== null);
  const table = new Table({
    head: [
      ...['stream', 'table', 'loading', 'method', 'every'],
      ...(hasRecords ? ['selected', 'may read', 'rows', 'last sync', 'status'] : []),
    ],
    style: { head: [], border: [], compact: true },
  });
  for (const line of lines) {
    const { isSelected, leftOut, rows, lastSync } = line;
    const fields = leftOut.map((field) => ` -${field}`).join('');
    table.push([
      ...[line.name, line.table, line.loading, line.method, line.every],
      ...(hasRecords
        ? [
            ...[isSelected === true ? `yes${fields}` : 'no', line.rights ?? '?'],
            ...[rows === null ? '' : number(rows), lastSync?.slice(0, 19) ?? '', line.status ?? ''],
          ]
        : []),
    ]);
  }
  const notes = lines.flatMap(({ name, note }) => (note === null ? [] : [`${name}: ${note}`]));
  return [table.toString(), ...notes].join('\n');
}
