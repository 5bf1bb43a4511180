import { addMillis, DAY_MS, parseInstant, type Instant } from './instant.js';
import { isLayout, type LayoutName } from './layout.js';
import { schemaName, type NameProblem } from './naming.js';
import { parseAnchor, parseEvery } from './schedule.js';

/**
 * What an operator asks for when a connection is made, checked the same way whether it came from the
 * command line, from `tctl`, or from the Web UI. Problems are codes of the error catalogue.
 *
 * Two of those send any JSON, whatever the type below says: a number where a text belongs is a
 * problem to name and never an exception, which would wedge the workflow that asks. Null is absent.
 */
export interface ConnectionRequest {
  readonly name: string;
  readonly startDate?: string | undefined;
  readonly every?: string | undefined;
  readonly anchor?: string | undefined;
  readonly streams?: readonly string[] | undefined;
  readonly layout?: string | undefined;
}

export interface CheckedConnection {
  readonly name: string;
  readonly schema: string;
  readonly startDate: Instant;
  readonly every: string;
  readonly everyMs: number;
  readonly anchorMinutes: number | null;
  readonly streams: readonly string[] | null;
  /** Null: the one that its tables have; the default where there are none yet. */
  readonly layout: LayoutName | null;
}

export type RequestProblem =
  | NameProblem
  | 'START_DATE_INVALID'
  | 'START_DATE_FUTURE'
  | 'EVERY_INVALID'
  | 'ANCHOR_INVALID'
  | 'LAYOUT_UNKNOWN';

/** Stitch's defaults for Close.io: 30 minutes, and one year of history. */
export const DEFAULT_EVERY = '30m';
const DEFAULT_HISTORY_DAYS = 365;

export function checkConnection(
  request: ConnectionRequest,
  now: Instant,
): { readonly connection: CheckedConnection } | { readonly problem: RequestProblem } {
  const { schema, problem } = schemaName(textOf(request.name) ?? '');
  if (problem !== undefined) return { problem };
  const startDate = isAbsent(request.startDate)
    ? startOfDay(addMillis(now, -DEFAULT_HISTORY_DAYS * DAY_MS))
    : parseInstant(textOf(request.startDate)?.trim() ?? '');
  if (startDate === undefined) return { problem: 'START_DATE_INVALID' };
  if (startDate > now) return { problem: 'START_DATE_FUTURE' };
  const every = isAbsent(request.every) ? DEFAULT_EVERY : (textOf(request.every) ?? '');
  const everyMs = parseEvery(every);
  if (everyMs === undefined) return { problem: 'EVERY_INVALID' };
  const anchorMinutes = isAbsent(request.anchor) ? null : parseAnchor(textOf(request.anchor) ?? '');
  if (anchorMinutes === undefined) return { problem: 'ANCHOR_INVALID' };
  const layout = isAbsent(request.layout) ? null : request.layout;
  if (layout !== null && !isLayout(layout)) return { problem: 'LAYOUT_UNKNOWN' };
  const { name } = request;
  const streams = request.streams ?? null;
  return {
    connection: { name, schema, startDate, every, everyMs, anchorMinutes, streams, layout },
  };
}

function startOfDay(instant: Instant): Instant {
  return `${instant.slice(0, 10)}T00:00:00.000000Z` as Instant;
}

function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
