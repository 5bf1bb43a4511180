/** `/activity/`, `/activity/{id}/` and the list of each kind. */
import { activityPaths, activityTypes, type ActivityType } from './activity-types.js';
import { fieldError, noSuch } from './api-error.js';
import {
  isWithin,
  pageBody,
  pickFields,
  readPage,
  readSort,
  readTimeRange,
  selectList,
  selectRange,
  type Selection,
  type TimeRange,
} from './listing.js';
import { textOf, type JsonObject } from './json.js';
import type { OrderedIndex } from './ordered-index.js';
import type { Parameters } from './parameters.js';
import type { Route, RouteRequest } from './route.js';
import type { World } from './world.js';

/** Used by every replicator that was read; Close does not publish the ceiling. */
const MAX_LIMIT = 100;
const NEWEST_FIRST = { name: 'date_created', isDescending: true } as const;
/** These work only together with `lead_id` (Close's OpenAPI document, read 2026-11). */
const NEED_LEAD = ['user_id', 'contact_id', '_type', 'user_id__in', 'contact_id__in', '_type__in'];

export function activityRoutes(): Route[] {
  return [
    { method: 'GET', pattern: '/activity/', answer: answerAll },
    ...activityTypes.map((type): Route => ({
      method: 'GET',
      pattern: `/activity/${activityPaths[type]}/`,
      answer: (request) => answerKind(request, type),
    })),
    { method: 'GET', pattern: '/activity/emailthread/', answer: answerThreads },
    { method: 'GET', pattern: '/activity/{id}/', answer: answerOne },
  ];
}

function answerAll(request: RouteRequest): JsonObject {
  const { world, parameters } = request;
  const threads = parameters.text('thread_emails');
  if (!parameters.has('lead_id')) {
    const alone = NEED_LEAD.find((name) => parameters.has(name));
    if (alone !== undefined) throw fieldError(alone, 'Can only be used together with lead_id.');
    if (threads === 'only') return answerThreads(request);
    return answer(request, world.data.orders.all(), () => true);
  }
  const types = parameters.list('_type__in') ?? parameters.list('_type');
  return answer(request, undefined, (record) => !types || types.includes(textOf(record._type)));
}

function answerKind(request: RouteRequest, type: ActivityType): JsonObject {
  const { world } = request;
  return answer(request, world.data.orders.ofType(type), (record) => record._type === type);
}

function answer(
  request: RouteRequest,
  order: OrderedIndex | undefined,
  isWanted: (record: JsonObject) => boolean,
): JsonObject {
  const { world, parameters, maxSkip } = request;
  const page = readPage(parameters, MAX_LIMIT, maxSkip);
  const sort = readSort(parameters, ['date_created', 'activity_at'], NEWEST_FIRST);
  const range = readActivityRange(parameters, sort.name);
  const make = (index: number): JsonObject => world.record('activities', index);
  const lead = parameters.text('lead_id');
  const needsRecords =
    lead !== undefined || ['user_id', 'contact_id', 'id__in'].some((name) => parameters.has(name));
  const selection =
    order && !needsRecords
      ? selectRange(order, range, sort.isDescending)
      : selectFew(world, parameters, range, order, isWanted);
  if (needsRecords && !sort.isDescending)
    return pageBody(reversed(selection), page, make, parameters.list('_fields'));
  return pageBody(selection, page, make, parameters.list('_fields'));
}

/** Newest first: those of one lead, or named by id, or found by reading all of a kind. */
function selectFew(
  world: World,
  parameters: Parameters,
  range: TimeRange,
  order: OrderedIndex | undefined,
  isWanted: (record: JsonObject) => boolean,
): Selection {
  const table = world.data.tables.activities;
  const leadId = parameters.text('lead_id');
  const ids = parameters.list('id__in');
  const lead = leadId === undefined ? undefined : world.data.tables.leads.find(leadId);
  const from =
    leadId !== undefined
      ? lead === undefined
        ? []
        : world.data.orders.ofLead(lead)
      : ids
        ? ids.map((id) => table.find(id)).filter((index) => index !== undefined)
        : (order?.slice(0, order.size) ?? []);
  const found = from.filter((index) => {
    if (!isWithin(range, table.createdAt(index))) return false;
    const record = world.record('activities', index);
    return (
      isWanted(record) &&
      (!ids || ids.includes(textOf(record.id))) &&
      matches(parameters, record, 'user_id') &&
      matches(parameters, record, 'contact_id')
    );
  });
  return selectList(found.reverse());
}

function matches(parameters: Parameters, record: JsonObject, field: string): boolean {
  const wanted = parameters.list(`${field}__in`) ?? parameters.list(field);
  return !wanted || wanted.includes(textOf(record[field]));
}

function reversed(selection: Selection): Selection {
  return selectList(selection.take({ skip: 0, limit: selection.total }).reverse());
}

/**
 * Dates may be filtered by the sorted field only, and `activity_at` needs one lead and the newest
 * first (Close's OpenAPI document, read 2026-11). In the sandbox the two times are the same.
 */
function readActivityRange(parameters: Parameters, sortName: string): TimeRange {
  if (sortName === 'activity_at' && !parameters.has('lead_id')) {
    throw fieldError('_order_by', 'Ordering by activity_at needs a lead_id.');
  }
  const unsorted = sortName === 'activity_at' ? 'date_created' : 'activity_at';
  const misplaced = ['gte', 'gt', 'lt', 'lte'].find((suffix) =>
    parameters.has(`${unsorted}__${suffix}`),
  );
  if (misplaced !== undefined) {
    throw fieldError(`${unsorted}__${misplaced}`, 'Only the field ordered by can be filtered.');
  }
  return readTimeRange(parameters, sortName);
}

function answerThreads({ world, parameters, maxSkip }: RouteRequest): JsonObject {
  const page = readPage(parameters, MAX_LIMIT, maxSkip);
  const sort = readSort(parameters, ['date_created'], NEWEST_FIRST);
  const range = readActivityRange(parameters, sort.name);
  const { threads, leads } = world.data.tables;
  const order = threads.order('created');
  const inRange = selectRange(order, range, sort.isDescending);
  const leadId = parameters.text('lead_id');
  const lead = leadId === undefined ? undefined : leads.find(leadId);
  const selection =
    leadId === undefined
      ? inRange
      : selectList(
          inRange
            .take({ skip: 0, limit: inRange.total })
            .filter((index) => threads.leadOf(index) === lead),
        );
  const make = (index: number): JsonObject => world.record('threads', index);
  return pageBody(selection, page, make, parameters.list('_fields'));
}

function answerOne({ world, parameters, id }: RouteRequest): JsonObject {
  const record = world.activity(id) ?? world.emailThread(id);
  if (!record) throw noSuch('Activity');
  const fields = parameters.list('_fields');
  return fields ? pickFields(record, fields) : record;
}
