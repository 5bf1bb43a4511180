/** The small lists: users, statuses, pipelines, custom fields, roles; the organization and the key's user. */
import { Hono } from 'hono';
import type { JsonObject } from '../json.js';
import { meRecord, organizationRecord, roleRecords } from '../records/organization-records.js';
import {
  customFieldRecords,
  leadStatusRecord,
  opportunityStatusRecord,
  pipelineRecords,
  userRecord,
  type CustomFieldHolder,
} from '../records/organization.js';
import { answerItem, answerList, type Account, type Env } from './context.js';
import { pageBody, readPage, selectList } from './listing.js';

/** The page that replicators use for settings without error (read 2026-11). */
const MAX_LIMIT = 1_000;
const HOLDERS: readonly CustomFieldHolder[] = ['lead', 'contact', 'opportunity', 'activity'];

export function settings({ world, maxSkip }: Account): Hono<Env> {
  const { organization } = world.data;
  const app = new Hono<Env>();
  app.get('/me/', (c) => answerItem(c, meRecord(organization), 'User'));
  app.get('/organization/:id/', (c) => {
    const isOwn = c.req.param('id') === organization.id;
    return answerItem(c, isOwn ? organizationRecord(organization) : undefined, 'Organization');
  });

  const addList = (path: string, kind: string, makeAll: () => JsonObject[]): void => {
    app.get(path, (c) => {
      const all = makeAll();
      const parameters = c.get('parameters');
      const page = readPage(parameters, MAX_LIMIT, maxSkip);
      const selection = selectList(all.map((_, index) => index));
      return answerList(
        c,
        pageBody(selection, page, (index) => all[index] ?? {}, parameters),
      );
    });
    app.get(`${path}:id/`, (c) => {
      const record = makeAll().find(({ id }) => id === c.req.param('id'));
      return answerItem(c, record, kind);
    });
  };
  // Only active members are listed; the others are in the organization (Close's scripts).
  addList('/user/', 'User', () =>
    organization.users.filter((one) => one.isActive).map((one) => userRecord(organization, one)),
  );
  addList('/status/lead/', 'LeadStatus', () =>
    organization.leadStatuses.map((one) => leadStatusRecord(organization, one)),
  );
  addList('/status/opportunity/', 'OpportunityStatus', () =>
    organization.opportunityStatuses.map((one) => opportunityStatusRecord(organization, one)),
  );
  addList('/pipeline/', 'Pipeline', () => pipelineRecords(organization));
  addList('/role/', 'Role', () => roleRecords(organization));
  for (const holder of HOLDERS) {
    addList(`/custom_field/${holder}/`, 'CustomField', () =>
      customFieldRecords(organization, holder),
    );
  }
  return app;
}
