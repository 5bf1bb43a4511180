/** The small lists, the organization and the key's user. */
import { Hono } from 'hono';
import { textOf, type JsonObject } from '../json.js';
import {
  customFieldHolders,
  customFieldRecords,
  type CustomFieldHolder,
} from '../records/custom-field.js';
import { meRecord, organizationRecord } from '../records/organization-records.js';
import {
  leadStatusRecord,
  opportunityStatusRecord,
  pipelineRecords,
  userRecord,
} from '../records/organization.js';
import { noSuch } from './api-error.js';
import { answerItem, answerList, type Account, type ApiContext, type Env } from './context.js';
import { pageBody, pickFields, readPage, selectList } from './listing.js';
import { listSettings, settingLists } from './setting-lists.js';

/** The page that replicators use for settings without error (read 2026-11). */
const MAX_LIMIT = 1_000;

export function settings(account: Account): Hono<Env> {
  const app = new Hono<Env>();
  addOrganization(app, account);
  addOrganizationLists(app, account);
  addCustomFields(app, account);
  for (const list of settingLists) {
    const { world, rights } = account;
    app.get(list.path, (c) => {
      const reader = rights.reader(c);
      const all = listSettings(world, list, c.get('parameters'), c.get('role')).filter(
        ({ lead_id }) => lead_id === undefined || reader.lead(textOf(lead_id)),
      );
      return answerPage(c, account, all);
    });
    app.get(`${list.path}:id/`, (c) => {
      const record = world.settings
        .all(list.name)
        .find(({ id, lead_id }) => id === c.req.param('id') && mayRead(account, c, lead_id));
      return answerItem(c, record, list.kind);
    });
  }
  return app;
}

function mayRead({ rights }: Account, c: ApiContext, leadId: JsonObject[string] | undefined) {
  return typeof leadId !== 'string' || rights.reader(c).lead(leadId);
}

function answerPage(c: ApiContext, account: Account, all: readonly JsonObject[]): Response {
  const parameters = c.get('parameters');
  const page = readPage(parameters, MAX_LIMIT, account.maxSkip(c));
  const selection = selectList(all.map((_, index) => index));
  return answerList(
    c,
    pageBody(selection, page, (index) => all[index] ?? {}, parameters),
  );
}

/** A list without paging: whatever the caller asks, all of it comes. */
function answerAll(c: ApiContext, all: readonly JsonObject[]): Response {
  const fields = c.get('parameters').list('_fields');
  const data = fields ? all.map((record) => pickFields(record, fields)) : [...all];
  return answerList(c, { has_more: false, data });
}

/** What only administrators are told of the organization; the keys are missing for others. */
const FOR_ADMINISTRATORS = ['billing_account_id', 'payment_fail_date', 'plan_id', 'plan_type'];

function withoutHidden(c: ApiContext, record: JsonObject): JsonObject {
  if (c.get('role') === 'admin') return record;
  return Object.fromEntries(
    Object.entries(record).filter(([key]) => !FOR_ADMINISTRATORS.includes(key)),
  );
}

function addOrganization(app: Hono<Env>, { world }: Account): void {
  const { organization } = world.data;
  app.get('/me/', (c) => {
    const me = meRecord(organization, c.get('role'));
    const organizations = me.organizations as JsonObject[];
    me.organizations = organizations.map((one) => withoutHidden(c, one));
    return answerItem(c, me, 'User');
  });
  app.get('/organization/:id/', (c) => {
    if (c.req.param('id') !== organization.id) throw noSuch('Organization');
    const record = organizationRecord(organization);
    for (const expanded of c.get('parameters').list('_expand') ?? []) {
      const [name = '', what] = expanded.split('__');
      const list = record[name];
      if (what !== 'user' || !Array.isArray(list)) continue;
      record[name] = list.map((membership) => withUser(membership as JsonObject));
    }
    return answerItem(c, withoutHidden(c, record), 'Organization');
  });

  const withUser = (membership: JsonObject): JsonObject => {
    const user = organization.users.find(({ id }) => id === membership.user_id);
    return { ...membership, user: user ? userRecord(organization, user) : null };
  };
}

function addOrganizationLists(app: Hono<Env>, account: Account): void {
  const { organization } = account.world.data;
  const add = (path: string, kind: string, makeAll: () => JsonObject[], isPaged: boolean): void => {
    app.get(path, (c) => (isPaged ? answerPage(c, account, makeAll()) : answerAll(c, makeAll())));
    app.get(`${path}:id/`, (c) => {
      const record = makeAll().find(({ id }) => id === c.req.param('id'));
      return answerItem(c, record, kind);
    });
  };
  app.get('/user/availability/', (c) => {
    const active = organization.users.filter((user) => user.isActive);
    const users = active.map(({ id }) => ({ user_id: id, availability: [], on_calls: [] }));
    return answerList(c, { data: users });
  });
  // Only active members are listed; the others are in the organization (Close's scripts).
  const active = (): JsonObject[] =>
    organization.users.filter((one) => one.isActive).map((one) => userRecord(organization, one));
  add('/user/', 'User', active, true);
  const isThere = (status: { isGone?: boolean }): boolean => status.isGone !== true;
  const leadStatuses = (): JsonObject[] =>
    organization.leadStatuses.filter(isThere).map((one) => leadStatusRecord(organization, one));
  add('/status/lead/', 'LeadStatus', leadStatuses, false);
  const opportunityStatuses = (): JsonObject[] =>
    organization.opportunityStatuses
      .filter(isThere)
      .map((one) => opportunityStatusRecord(organization, one));
  add('/status/opportunity/', 'OpportunityStatus', opportunityStatuses, false);
  add('/pipeline/', 'Pipeline', () => pipelineRecords(organization), false);
}

function addCustomFields(app: Hono<Env>, account: Account): void {
  const { world } = account;
  const { organization } = world.data;
  for (const holder of [...customFieldHolders, 'shared'] as const) {
    const path = `/custom_field/${holder}/`;
    const all = (): JsonObject[] => customFieldRecords(organization, holder);
    // The older path of lead fields still answers (Close's own client uses it).
    const paths = holder === 'lead' ? [path, '/custom_fields/lead/'] : [path];
    for (const one of paths) {
      app.get(one, (c) => answerPage(c, account, all()));
      app.get(`${one}:id/`, (c) => {
        const record = all().find(({ id }) => id === c.req.param('id'));
        return answerItem(c, record, holder === 'lead' ? 'LeadCustomField' : 'CustomField');
      });
    }
  }
  app.get('/custom_field_schema/:type/', (c) => {
    const holder = (['lead', 'contact', 'opportunity'] as const).find(
      (one) => one === c.req.param('type'),
    );
    if (!holder) throw noSuch('CustomFieldSchema');
    return answerItem(c, schema(holder), 'CustomFieldSchema');
  });
  app.get('/custom_field_schema/:type/:id/', (c) => {
    const { activityTypeId, objectTypeId } = organization;
    const { type, id } = c.req.param();
    const isActivity = type === 'activity' && id === activityTypeId;
    const isObject = type === 'custom_object' && id === objectTypeId;
    if (!isActivity && !isObject) throw noSuch('CustomFieldSchema');
    return answerItem(
      c,
      schema(isActivity ? 'activity' : 'custom_object_type'),
      'CustomFieldSchema',
    );
  });

  /** Its list is called `fields` (Close's scripts). */
  const schema = (holder: CustomFieldHolder): JsonObject => ({
    object_type: holder,
    fields: customFieldRecords(organization, holder),
  });
}
