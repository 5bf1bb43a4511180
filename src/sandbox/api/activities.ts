/** `/activity/`, `/activity/{id}/` and the list of each kind. */
import { Hono } from 'hono';
import { textOf, type JsonObject } from '../json.js';
import { activityTypes, type ActivityType } from '../world/activity-columns.js';
import type { OrderedIndex } from '../world/ordered-index.js';
import type { World } from '../world/world.js';
import { fieldError } from './api-error.js';
import { answerItem, answerList, type Account, type ApiContext, type Env } from './context.js';
import {
  filterSelection,
  isWithin,
  pageBody,
  readPage,
  readSort,
  readTimeRange,
  selectList,
  selectRange,
  type PageBody,
  type Parameters,
  type TimeRange,
} from './listing.js';

/** The path of each kind's own list below `/activity/` (Close's OpenAPI document, read 2026-11). */
export const activityPaths: Readonly<Record<ActivityType, string>> = {
  Call: 'call',
  Email: 'email',
  Note: 'note',
  SMS: 'sms',
  Meeting: 'meeting',
  Created: 'created',
  LeadStatusChange: 'status_change/lead',
  OpportunityStatusChange: 'status_change/opportunity',
  TaskCompleted: 'task_completed',
  Custom: 'custom',
  WhatsAppMessage: 'whatsapp_message',
  FormSubmission: 'form_submission',
  LeadMerge: 'lead_merge',
};

/** Used by every replicator that was read; Close does not publish the ceiling. */
const MAX_LIMIT = 100;
const NEWEST_FIRST = { name: 'date_created', isDescending: true } as const;
/** These work only together with `lead_id` (Close's OpenAPI document, read 2026-11). */
const NEED_LEAD = ['user_id', 'contact_id', '_type', 'user_id__in', 'contact_id__in', '_type__in'];

/** What an email leaves to its thread. */
const IN_THREAD = ['body_text', 'body_html', 'body_text_quoted', 'body_html_quoted'];

/** Filters on what the records hold: to answer, the sandbox has to make them. */
const NEED_READING = ['lead_id', 'user_id', 'contact_id', 'id__in'];

export function activities(account: Account): Hono<Env> {
  const { world } = account;
  const app = new Hono<Env>();
  app.get('/activity/', (c) => answerList(c, listAll(account, c)));
  for (const type of activityTypes) {
    app.get(`/activity/${activityPaths[type]}/`, (c) => {
      // For every lead's, Close points to searching (Close docs, custom activities).
      if (type === 'Custom' && !c.get('parameters').has('lead_id')) {
        throw fieldError('lead_id', 'This field is required.');
      }
      const order = world.data.orders.ofType(type);
      const isWanted = (record: JsonObject): boolean => record._type === type;
      return answerList(c, list(account, c, order, isWanted));
    });
  }
  app.get('/activity/emailthread/', (c) => answerList(c, listThreads(account, c)));
  const item = (c: ApiContext, type?: ActivityType | 'EmailThread'): Response => {
    const id = c.req.param('id') ?? '';
    const record = world.activity(id) ?? world.emailThread(id);
    const isWanted = record && (type === undefined || record._type === type);
    const isVisible = isWanted && account.rights.reader(c).lead(textOf(record.lead_id));
    return answerItem(c, isVisible ? record : undefined, type ?? 'Activity');
  };
  for (const type of activityTypes) {
    app.get(`/activity/${activityPaths[type]}/:id/`, (c) => item(c, type));
  }
  app.get('/activity/emailthread/:id/', (c) => item(c, 'EmailThread'));
  app.get('/activity/:id/', (c) => item(c));
  return app;
}

function listAll(account: Account, c: ApiContext): PageBody {
  const parameters = c.get('parameters');
  if (!parameters.has('lead_id')) {
    const alone = NEED_LEAD.find((name) => parameters.has(name));
    if (alone !== undefined) throw fieldError(alone, 'Can only be used together with lead_id.');
    if (parameters.text('thread_emails') === 'only') return listThreads(account, c);
    if (parameters.text('thread_emails') === 'true') return listBoth(account, c);
    return list(account, c, account.world.data.orders.all(), () => true);
  }
  const types = parameters.list('_type__in') ?? parameters.list('_type');
  const isWanted = (record: JsonObject): boolean => !types || types.includes(textOf(record._type));
  return list(account, c, undefined, isWanted);
}

function list(
  { world, maxSkip, rights }: Account,
  c: ApiContext,
  order: OrderedIndex | undefined,
  isWanted: (record: JsonObject) => boolean,
): PageBody {
  const parameters = c.get('parameters');
  const reader = rights.reader(c);
  const page = readPage(parameters, MAX_LIMIT, maxSkip(c));
  const sort = readSort(parameters, ['date_created', 'activity_at'], NEWEST_FIRST);
  const range = readActivityRange(parameters, sort.name);
  const make = (index: number): JsonObject => world.record('activities', index);
  const isPlain = !NEED_READING.some((name) => parameters.has(name));
  if (order && isPlain && reader.seesAll) {
    return pageBody(selectRange(order, range, sort.isDescending), page, make, parameters);
  }
  const isVisible = (record: JsonObject): boolean =>
    isWanted(record) && reader.lead(textOf(record.lead_id));
  const found = findFew(world, parameters, range, order, isVisible);
  return pageBody(selectList(sort.isDescending ? found.reverse() : found), page, make, parameters);
}

/** Oldest first: those of one lead, or named by id, or found by reading all of a kind. */
function findFew(
  world: World,
  parameters: Parameters,
  range: TimeRange,
  order: OrderedIndex | undefined,
  isWanted: (record: JsonObject) => boolean,
): number[] {
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
  return from.filter((index) => {
    if (!isWithin(range, table.createdAt(index))) return false;
    const record = world.record('activities', index);
    return (
      isWanted(record) &&
      (!ids || ids.includes(textOf(record.id))) &&
      matches(parameters, record, 'user_id') &&
      matches(parameters, record, 'contact_id')
    );
  });
}

function matches(parameters: Parameters, record: JsonObject, field: string): boolean {
  const wanted = parameters.list(`${field}__in`) ?? parameters.list(field);
  return !wanted || wanted.includes(textOf(record[field]));
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

/** Threads beside emails that are cut down to what the thread does not hold (Close docs, activities). */
function listBoth({ world, maxSkip }: Account, c: ApiContext): PageBody {
  const parameters = c.get('parameters');
  const page = readPage(parameters, MAX_LIMIT, maxSkip(c));
  const { isDescending } = readSort(parameters, ['date_created'], NEWEST_FIRST);
  const range = readActivityRange(parameters, 'date_created');
  const tables = ['activities', 'threads'] as const;
  const parts = tables.map((name) => {
    const order = world.data.tables[name].order('created');
    return { name, selection: selectRange(order, range, isDescending) };
  });
  const upTo = { skip: 0, limit: page.skip + page.limit };
  const both = parts.flatMap(({ name, selection }) =>
    selection.take(upTo).map((index) => {
      return { name, index, micros: world.data.tables[name].createdAt(index) };
    }),
  );
  both.sort((one, other) => (one.micros - other.micros) * (isDescending ? -1 : 1));
  const total = parts.reduce((sum, { selection }) => sum + selection.total, 0);
  const make = (at: number): JsonObject => {
    const { name, index } = both[at] ?? { name: 'threads' as const, index: 0 };
    const record = world.record(name, index);
    if (record._type === 'Email') for (const key of IN_THREAD) delete record[key];
    return record;
  };
  const selection = { ...selectList(both.map((_, at) => at)), total };
  return pageBody(selection, page, make, parameters);
}

function listThreads({ world, maxSkip, rights }: Account, c: ApiContext): PageBody {
  const parameters = c.get('parameters');
  const reader = rights.reader(c);
  const page = readPage(parameters, MAX_LIMIT, maxSkip(c));
  const sort = readSort(parameters, ['date_created'], NEWEST_FIRST);
  const range = readActivityRange(parameters, sort.name);
  const { threads, leads } = world.data.tables;
  const order = threads.order('created');
  const inRange = selectRange(order, range, sort.isDescending);
  const leadId = parameters.text('lead_id');
  const lead = leadId === undefined ? undefined : leads.find(leadId);
  const ids = parameters.list('id__in');
  const wanted = ids && new Set(ids.map((id) => threads.find(id)));
  const selection =
    leadId === undefined && !wanted && reader.seesAll
      ? inRange
      : filterSelection(inRange, (index) => {
          const owner = threads.leadOf(index);
          const isOfLead = leadId === undefined || owner === lead;
          return isOfLead && (!wanted || wanted.has(index)) && reader.lead(leads.ids.encode(owner));
        });
  const make = (index: number): JsonObject => world.record('threads', index);
  return pageBody(selection, page, make, parameters);
}
