import type { ReconcileStatus, SliceRef, StatusAnswer, StreamStatus } from '../contract.js';
import { duration, minuteOf, number, sliceWords } from '../core/words.js';

/**
 * The Markdown that the Web UI shows of a workflow under "User Metadata", in half a screen's width.
 * It stays short whatever there is: the query `status` has all of it.
 */
const STREAMS_SHOWN = 10;
const LINES_SHOWN = 3;
/** The Web UI sets columns without a space between them. */
const GAP = '│ ';

/** Of a connection, as it stood at `nowMs`. */
export function currentDetails(answer: StatusAnswer, nowMs: number): string {
  const { status, syncedThrough, nextSyncAt, every, problem, rebuild } = answer;
  const through = syncedThrough === null ? '' : `, complete up to ${minuteOf(syncedThrough)}`;
  const next = nextSyncAt === null ? '' : `Next sync ${minuteOf(nextSyncAt)}, `;
  const asOf = `as of ${new Date(nowMs).toISOString().slice(11, 19)} UTC`;
  const paragraphs = [`**${status}**${through}`];
  if (problem !== null) paragraphs.push(`> ${oneLine(problem)}`);
  paragraphs.push(`${next}every ${every}; ${asOf}`);
  if (answer.streams.length > 0) paragraphs.push(streamTable(answer.streams, nowMs));
  const failing = answer.streams.filter(({ error }) => error !== null);
  const told = failing.map(({ name, error }) => `${name}: ${oneLine(error ?? '')}`);
  // Of a single one the problem above says the same.
  if (told.length > 1) paragraphs.push(list(told));
  const unread = answer.streams.filter(({ status: state }) => state === 'Skipped');
  if (unread.length > 0) {
    paragraphs.push(`Not for this key: ${unread.map(({ name }) => name).join(', ')}`);
  }
  const jobs = answer.backfills.map(backfillLine).reverse();
  if (jobs.length > 0) paragraphs.push(list(jobs));
  if (rebuild !== null) {
    const { layout, status: state, records } = rebuild;
    paragraphs.push(`Rebuild to layout ${layout}: ${state}, ${number(records)} records`);
    if (rebuild.problem !== null) paragraphs.push(`> ${oneLine(rebuild.problem)}`);
  }
  if (answer.reconcile !== null) paragraphs.push(...reconcileLines(answer.reconcile));
  const refused = answer.rejectedRequests.map(
    ({ request, reason, at }) => `Refused ${request} at ${at.slice(11, 19)} UTC: ${reason}`,
  );
  if (refused.length > 0) paragraphs.push(list(refused.reverse()));
  return paragraphs.join('\n\n');
}

function reconcileLines({ id, status, streams, problem }: ReconcileStatus): readonly string[] {
  const found = streams.map(({ missing, outdated, vanished }) => missing + outdated + vanished);
  const differences = found.reduce((sum, count) => sum + count, 0);
  const line = `Reconciliation ${id}: ${status}, ${number(differences)} differences found`;
  return problem === null ? [line] : [line, `> ${oneLine(problem)}`];
}

/** Those with trouble first, then the largest; the others in one line. */
function streamTable(streams: readonly StreamStatus[], nowMs: number): string {
  const rank = ({ error }: StreamStatus): number => (error === null ? 1 : 0);
  const sorted = [...streams].sort((a, b) => rank(a) - rank(b) || b.rows - a.rows);
  const shown = sorted.slice(0, STREAMS_SHOWN);
  const others = sorted.slice(STREAMS_SHOWN);
  const lines = shown.map((stream) =>
    streamLine(stream.error === null ? stream.name : `**${stream.name}** !`, [stream], nowMs),
  );
  if (others.length > 0) lines.push(streamLine(`${others.length} others`, others, nowMs));
  return [
    `| stream | rows | ${GAP}complete up to | ${GAP}lag |`,
    '|:---|---:|:---|:---|',
    ...lines,
  ].join('\n');
}

function streamLine(name: string, streams: readonly StreamStatus[], nowMs: number): string {
  const rows = streams.reduce((sum, stream) => sum + stream.rows, 0);
  const bookmarks = streams.map(({ bookmark }) => bookmark ?? '').sort();
  const [oldest = ''] = bookmarks;
  const [upTo, lag] =
    oldest === '' ? ['', ''] : [oldest.slice(5, 16), duration(nowMs - Date.parse(oldest))];
  return `| ${name} | ${number(rows)} | ${GAP}${upTo.replace('T', ' ')} | ${GAP}${lag} |`;
}

function backfillLine({
  id,
  from,
  to,
  status,
  records,
}: StatusAnswer['backfills'][number]): string {
  const range = `${from.slice(0, 10)} to ${to?.slice(0, 10) ?? 'now'}`;
  return `Backfill ${id}, ${range}: ${status}, ${number(records)} records`;
}

/** The first few as a list, and how many more there are. */
function list(lines: readonly string[]): string {
  const more = lines.length - LINES_SHOWN;
  const shown = lines.slice(0, LINES_SHOWN);
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])]
    .map((line) => `- ${line}`)
    .join('\n');
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}

/** Of a sync: what it reads now, what is still to come, and what it has loaded in this run. */
export function syncDetails(
  refs: readonly SliceRef[],
  openCount: number,
  loaded: { readonly records: number; readonly rows: number },
): string {
  return [
    `**${sliceSummary(refs, openCount)}**`,
    `${number(loaded.records)} records read, ${number(loaded.rows)} rows written so far`,
  ].join('\n\n');
}

/** One line: the slice at hand and how many come after it. */
export function sliceSummary([next]: readonly SliceRef[], openCount: number): string {
  const more = openCount > 1 ? `, then ${openCount - 1} more` : '';
  return next === undefined ? '' : `${sliceWords(next)}${more}`;
}
