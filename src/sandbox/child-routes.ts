/** `/contact/`, `/opportunity/` and `/task/`, as lists and one by one. */
import { noSuch } from './api-error.js';
import { textOf, type JsonObject } from './json.js';
import {
  allTime,
  isWithin,
  pageBody,
  pickFields,
  readPage,
  readSort,
  readTimeRange,
  selectList,
  selectRange,
  WorkedOut,
  type Selection,
  type SortKey,
} from './listing.js';
import { opportunityTotals } from './opportunity-totals.js';
import type { Parameters } from './parameters.js';
import type { Route, RouteRequest } from './route.js';
import { taskType } from './task-record.js';
import type { World } from './world.js';

type ChildTable = 'contacts' | 'opportunities' | 'tasks';
const PAGING = ['_skip', '_limit', '_fields'];
/** The largest pages that replicators use without error (read 2026-11). */
const MAX_LIMIT = { contacts: 200, opportunities: 250, tasks: 1_000 } as const;
const NEWEST_FIRST: SortKey = { name: 'date_created', isDescending: true };
const LAST_CHANGED_FIRST: SortKey = { name: 'date_updated', isDescending: true };
/** Tasks are ordered by `date` by default in Close; here by creation, which pages as steadily. */
const TASK_SORTS = ['date_created', 'date_updated', 'date'];
const OPPORTUNITY_SORTS = ['date_created', 'date_updated'];

export function childRoutes(): Route[] {
  const lists = new ChildLists();
  return [
    { method: 'GET', pattern: '/contact/', answer: (request) => lists.contacts(request) },
    { method: 'GET', pattern: '/contact/{id}/', answer: item('contacts', 'Contact') },
    { method: 'GET', pattern: '/opportunity/', answer: (request) => lists.opportunities(request) },
    { method: 'GET', pattern: '/opportunity/{id}/', answer: item('opportunities', 'Opportunity') },
    { method: 'GET', pattern: '/task/', answer: (request) => lists.tasks(request) },
    { method: 'GET', pattern: '/task/{id}/', answer: item('tasks', 'Task') },
  ];
}

function item(table: ChildTable, kind: string): (request: RouteRequest) => JsonObject {
  return ({ world, parameters, id }) => {
    const index = world.data.tables[table].find(id);
    if (index === undefined) throw noSuch(kind);
    const fields = parameters.list('_fields');
    const record = world.record(table, index);
    return fields ? pickFields(record, fields) : record;
  };
}

class ChildLists {
  private readonly workedOut = new WorkedOut<readonly number[]>();
  private readonly totals = new WorkedOut<JsonObject>();

  /** No date filter, no order, no total (Close's OpenAPI document; recorded answers, 2026). */
  contacts(request: RouteRequest): JsonObject {
    const { world, parameters, maxSkip } = request;
    const page = readPage(parameters, MAX_LIMIT.contacts, maxSkip);
    const selection = this.select('contacts', world, parameters, NEWEST_FIRST, [], undefined);
    const make = (index: number): JsonObject => world.record('contacts', index);
    return pageBody(selection, page, make, parameters.list('_fields'));
  }

  opportunities(request: RouteRequest): JsonObject {
    const { world, parameters, maxSkip } = request;
    const page = readPage(parameters, MAX_LIMIT.opportunities, maxSkip);
    const sort = readSort(parameters, OPPORTUNITY_SORTS, LAST_CHANGED_FIRST);
    const make = (index: number): JsonObject => world.record('opportunities', index);
    const filters = ['user_id', 'status_id', 'status_type', 'status_label', 'value_period'].filter(
      (name) => parameters.has(name) || parameters.has(`${name}__in`),
    );
    const selection = this.select(
      'opportunities',
      world,
      parameters,
      sort,
      filters,
      filters.length === 0 ? undefined : (index) => hasValues(parameters, make(index), filters),
    );
    const signature = parameters.signature(PAGING);
    const totals = this.totals.get(signature, world.data.tables.opportunities.version, () =>
      opportunityTotals(selection.take({ skip: 0, limit: selection.total }).map(make)),
    );
    return { ...pageBody(selection, page, make, parameters.list('_fields')), ...totals };
  }

  /** Without `_type` only tasks of type `lead` are listed (Close docs, tasks, read 2026-11). */
  tasks(request: RouteRequest): JsonObject {
    const { world, parameters, maxSkip } = request;
    const page = readPage(parameters, MAX_LIMIT.tasks, maxSkip);
    const sort = readSort(parameters, TASK_SORTS, NEWEST_FIRST);
    const make = (index: number): JsonObject => world.record('tasks', index);
    const types = parameters.list('_type__in') ?? parameters.list('_type') ?? ['lead'];
    const isAnyType = types.includes('all');
    const isComplete = parameters.flag('is_complete');
    const filters = ['assigned_to', 'view'].filter((name) => parameters.has(name));
    const selection = this.select('tasks', world, parameters, sort, filters, (index) => {
      if (!isAnyType && !types.includes(taskType(world.data, index))) return false;
      if (isComplete !== undefined && world.data.isTaskComplete(index) !== isComplete) return false;
      return filters.length === 0 || hasValues(parameters, make(index), filters);
    });
    const body = pageBody(selection, page, make, parameters.list('_fields'));
    return { ...body, total_results: selection.total };
  }

  /** A plain range of the sorted time is taken as it is; anything else is worked out and kept. */
  private select(
    name: ChildTable,
    world: World,
    parameters: Parameters,
    sort: SortKey,
    filters: readonly string[],
    isWanted: ((index: number) => boolean) | undefined,
  ): Selection {
    const table = world.data.tables[name];
    const hasDates = name !== 'contacts';
    const created = hasDates ? readTimeRange(parameters, 'date_created') : allTime;
    const updated = hasDates ? readTimeRange(parameters, 'date_updated') : allTime;
    const isByUpdated = sort.name === 'date_updated';
    const other = isByUpdated ? created : updated;
    const inRange = selectRange(
      table.order(isByUpdated ? 'updated' : 'created'),
      isByUpdated ? updated : created,
      sort.isDescending,
    );
    const leadId = parameters.text('lead_id');
    const isPlain = other.from === allTime.from && other.to === allTime.to && leadId === undefined;
    if (isPlain && filters.length === 0 && isWanted === undefined) return inRange;
    const lead = leadId === undefined ? undefined : world.data.tables.leads.find(leadId);
    const signature = `${name} ${parameters.signature(PAGING)}`;
    const matches = this.workedOut.get(signature, table.version, () =>
      inRange.take({ skip: 0, limit: inRange.total }).filter((index) => {
        const time = isByUpdated ? table.createdAt(index) : table.updatedAt(index);
        if (!isWithin(other, time)) return false;
        if (leadId !== undefined && table.leadOf(index) !== lead) return false;
        return isWanted === undefined || isWanted(index);
      }),
    );
    return selectList(matches);
  }
}

function hasValues(parameters: Parameters, record: JsonObject, names: readonly string[]): boolean {
  return names.every((name) => {
    const wanted = parameters.list(`${name}__in`) ?? parameters.list(name);
    return !wanted || wanted.includes(textOf(record[name]));
  });
}
