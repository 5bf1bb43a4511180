/** `/lead/` and `/lead/{id}/`. */
import { Hono } from 'hono';
import type { JsonObject } from '../json.js';
import { MICROS_PER_DAY, MICROS_PER_MINUTE, parseTime } from '../moment.js';
import { leadDisplayName } from '../records/contact.js';
import type { World } from '../world/world.js';
import { fieldError } from './api-error.js';
import { answerItem, answerList, type Account, type Env } from './context.js';
import {
  allTime,
  filterSelection,
  intersect,
  isWithin,
  pageBody,
  readPage,
  selectList,
  selectRange,
  WorkedOut,
  type Selection,
  type SortKey,
  type TimeRange,
} from './listing.js';

/** The page that replicators use without error; Close does not publish the ceiling. */
const MAX_LIMIT = 200;

export function leads({ world, maxSkip, rights }: Account): Hono<Env> {
  const workedOut = new WorkedOut<readonly number[]>();
  const app = new Hono<Env>();
  app.get('/lead/', (c) => {
    const parameters = c.get('parameters');
    const page = readPage(parameters, MAX_LIMIT, maxSkip(c));
    const query = parseLeadQuery(parameters.text('query') ?? '', parameters.offsetHours);
    const reader = rights.reader(c);
    const found = selectLeads(world, query, workedOut);
    const { ids } = world.data.tables.leads;
    const selection = reader.seesAll
      ? found
      : filterSelection(found, (index) => reader.lead(ids.encode(index)));
    const make = (index: number): JsonObject => world.record('leads', index);
    const { has_more, data } = pageBody(selection, page, make, parameters);
    return answerList(c, { has_more, total_results: selection.total, data });
  });
  app.get('/lead/:id/', (c) => {
    const id = c.req.param('id');
    return answerItem(c, rights.reader(c).lead(id) ? world.lead(id) : undefined, 'Lead');
  });
  return app;
}

function selectLeads(
  world: World,
  query: LeadQuery,
  workedOut: WorkedOut<readonly number[]>,
): Selection {
  const { leads } = world.data.tables;
  const isByCreated = query.sort.name === 'date_created';
  const order = leads.order(isByCreated ? 'created' : 'updated');
  const sorted = isByCreated ? query.created : query.updated;
  const other = isByCreated ? query.updated : query.created;
  const inRange = selectRange(order, sorted, query.sort.isDescending);
  const isAnyTime = other.from === allTime.from && other.to === allTime.to;
  if (isAnyTime && query.words.length === 0) return inRange;
  const matches = workedOut.get(JSON.stringify(query), world.data.version, () =>
    inRange.take({ skip: 0, limit: inRange.total }).filter((index) => {
      const time = isByCreated ? leads.updatedAt(index) : leads.createdAt(index);
      if (!isWithin(other, time)) return false;
      const name = query.words.length === 0 ? '' : leadDisplayName(world.data, index).toLowerCase();
      return query.words.every((word) => name.includes(word));
    }),
  );
  return selectList(matches);
}

interface LeadQuery {
  readonly updated: TimeRange;
  readonly created: TimeRange;
  readonly sort: SortKey;
  /** Words that must occur in the lead's name. */
  readonly words: readonly string[];
}

const CONDITION = /(date_updated|date_created)\s*(>=|<=|>|<|=|:)\s*(?:"([^"]*)"|([^\s")]+))/gi;
const SORT = /\bsort:(-?)(date_updated|date_created)\b/gi;

function parseLeadQuery(query: string, offsetHours: number): LeadQuery {
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
