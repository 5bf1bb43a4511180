/**
 * The legacy text search of `/lead/`: `date_updated >= "2025-11-23T10:31" sort:date_updated`.
 * It compares to the minute only, or to the day when only a date is given (Close docs, lead search).
 */
import { fieldError } from './api-error.js';
import { allTime, intersect, type SortKey, type TimeRange } from './listing.js';
import { MICROS_PER_DAY, MICROS_PER_MINUTE, parseTime } from './moment.js';

export interface LeadQuery {
  readonly updated: TimeRange;
  readonly created: TimeRange;
  readonly sort: SortKey;
  /** Words that must occur in the lead's name. */
  readonly words: readonly string[];
}

const CONDITION = /(date_updated|date_created)\s*(>=|<=|>|<|=|:)\s*(?:"([^"]*)"|([^\s")]+))/gi;
const SORT = /\bsort:(-?)(date_updated|date_created)\b/gi;

export function parseLeadQuery(query: string, offsetHours: number): LeadQuery {
  const ranges = { date_updated: allTime, date_created: allTime };
  let sort: SortKey = { name: 'date_updated', isDescending: true };
  const rest = query
    .replace(CONDITION, (_, field: string, operator: string, quoted?: string, bare?: string) => {
      const name = field.toLowerCase() === 'date_created' ? 'date_created' : 'date_updated';
      const range = conditionRange(operator, (quoted ?? bare ?? '').trim(), offsetHours);
      ranges[name] = intersect(ranges[name], range);
      return ' ';
    })
    .replace(SORT, (_, minus: string, name: string) => {
      sort = { name: name.toLowerCase(), isDescending: minus === '-' };
      return ' ';
    });
  const words = rest
    .split(/\s+/)
    .map((word) => word.replace(/^["(]+|[")]+$/g, '').toLowerCase())
    .filter((word) => word !== '' && word !== 'and' && word !== '*');
  return { updated: ranges.date_updated, created: ranges.date_created, sort, words };
}

function conditionRange(operator: string, value: string, offsetHours: number): TimeRange {
  const time = parseTime(value, offsetHours);
  if (!time) throw fieldError('query', `Cannot read the date "${value}".`);
  const unit = time.precision === 'day' ? MICROS_PER_DAY : MICROS_PER_MINUTE;
  const start = time.precision === 'day' ? time.micros : Math.floor(time.micros / unit) * unit;
  switch (operator) {
    case '>=':
      return { from: start, to: allTime.to };
    case '>':
      return { from: start + unit, to: allTime.to };
    case '<=':
      return { from: allTime.from, to: start + unit };
    case '<':
      return { from: allTime.from, to: start };
    default:
      return { from: start, to: start + unit };
  }
}
