/** `/lead/` and `/lead/{id}/`. */
import { noSuch } from './api-error.js';
import { leadDisplayName } from './lead-name.js';
import { parseLeadQuery, type LeadQuery } from './lead-query.js';
import {
  allTime,
  isWithin,
  pageBody,
  pickFields,
  readPage,
  selectList,
  selectRange,
  WorkedOut,
  type Selection,
} from './listing.js';
import type { Route } from './route.js';
import type { World } from './world.js';

/** The page that replicators use without error; Close does not publish the ceiling. */
const MAX_LIMIT = 200;

export function leadRoutes(): Route[] {
  const workedOut = new WorkedOut<readonly number[]>();
  return [
    {
      method: 'GET',
      pattern: '/lead/',
      answer: ({ world, parameters, maxSkip }) => {
        const page = readPage(parameters, MAX_LIMIT, maxSkip);
        const query = parseLeadQuery(parameters.text('query') ?? '', parameters.offsetHours);
        const selection = selectLeads(world, query, workedOut);
        const body = pageBody(
          selection,
          page,
          (index) => world.record('leads', index),
          parameters.list('_fields'),
        );
        return {
          has_more: body.has_more ?? false,
          total_results: selection.total,
          data: body.data ?? [],
        };
      },
    },
    {
      method: 'GET',
      pattern: '/lead/{id}/',
      answer: ({ world, parameters, id }) => {
        const lead = world.lead(id);
        if (!lead) throw noSuch('Lead');
        const fields = parameters.list('_fields');
        return fields ? pickFields(lead, fields) : lead;
      },
    },
  ];
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
