import type { StatusAnswer } from '../contract.js';

/** The Markdown that the Web UI shows above a connection's history. */
export function currentDetails(answer: StatusAnswer): string {
  const lines = [`**${answer.status}**, every ${answer.every}`];
  if (answer.problem !== null) lines.push('', `> ${answer.problem}`);
  if (answer.nextSyncAt !== null) lines.push('', `Next sync ${shortTime(answer.nextSyncAt)}`);
  if (answer.streams.length > 0) {
    lines.push('', '| stream | status | rows | complete up to |', '|---|---|---:|---|');
    for (const stream of answer.streams) {
      const bookmark = stream.bookmark === null ? '' : shortTime(stream.bookmark);
      lines.push(`| ${stream.name} | ${stream.status} | ${stream.rows} | ${bookmark} |`);
    }
  }
  for (const job of answer.backfills) {
    const range = `${job.from.slice(0, 10)} to ${job.to?.slice(0, 10) ?? 'now'}`;
    lines.push('', `Backfill ${job.id}, ${range}: ${job.status}, ${job.records} records`);
  }
  if (answer.rebuild !== null) {
    const { layout, status, records, problem } = answer.rebuild;
    lines.push('', `Rebuild to layout ${layout}: ${status}, ${records} records`);
    if (problem !== null) lines.push('', `> ${problem}`);
  }
  return lines.join('\n');
}

function shortTime(instant: string): string {
  return `${instant.slice(0, 16).replace('T', ' ')} UTC`;
}
