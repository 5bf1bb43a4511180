/** The small lists: users, statuses, pipelines, custom fields, roles; the organization and the key's user. */
import { noSuch } from './api-error.js';
import type { JsonObject } from './json.js';
import { pageBody, pickFields, readPage, selectList } from './listing.js';
import { meRecord, organizationRecord, roleRecords } from './organization-records.js';
import {
  customFieldRecords,
  leadStatusRecord,
  opportunityStatusRecord,
  pipelineRecords,
  userRecord,
  type CustomFieldHolder,
  type Organization,
} from './organization.js';
import type { Route } from './route.js';

/** The page that replicators use for settings without error (read 2026-11). */
const MAX_LIMIT = 1_000;
const HOLDERS: readonly CustomFieldHolder[] = ['lead', 'contact', 'opportunity', 'activity'];

export function settingsRoutes(): Route[] {
  return [
    { method: 'GET', pattern: '/me/', answer: ({ world }) => meRecord(world.data.organization) },
    {
      method: 'GET',
      pattern: '/organization/{id}/',
      answer: ({ world, parameters, id }) => {
        const { organization } = world.data;
        if (organization.id !== id) throw noSuch('Organization');
        const fields = parameters.list('_fields');
        const record = organizationRecord(organization);
        return fields ? pickFields(record, fields) : record;
      },
    },
    // Only active members are listed; the others are in the organization (Close's scripts).
    ...listAndItem('/user/', 'User', (organization) =>
      organization.users.filter((one) => one.isActive).map((one) => userRecord(organization, one)),
    ),
    ...listAndItem('/status/lead/', 'LeadStatus', (organization) =>
      organization.leadStatuses.map((one) => leadStatusRecord(organization, one)),
    ),
    ...listAndItem('/status/opportunity/', 'OpportunityStatus', (organization) =>
      organization.opportunityStatuses.map((one) => opportunityStatusRecord(organization, one)),
    ),
    ...listAndItem('/pipeline/', 'Pipeline', pipelineRecords),
    ...listAndItem('/role/', 'Role', roleRecords),
    ...HOLDERS.flatMap((holder) =>
      listAndItem(`/custom_field/${holder}/`, 'CustomField', (organization) =>
        customFieldRecords(organization, holder),
      ),
    ),
  ];
}

function listAndItem(
  pattern: string,
  kind: string,
  records: (organization: Organization) => JsonObject[],
): Route[] {
  return [
    {
      method: 'GET',
      pattern,
      answer: ({ world, parameters, maxSkip }) => {
        const all = records(world.data.organization);
        const page = readPage(parameters, MAX_LIMIT, maxSkip);
        const selection = selectList(all.map((_, index) => index));
        return pageBody(selection, page, (index) => all[index] ?? {}, parameters.list('_fields'));
      },
    },
    {
      method: 'GET',
      pattern: `${pattern}{id}/`,
      answer: ({ world, id }) => {
        const record = records(world.data.organization).find((one) => one.id === id);
        if (!record) throw noSuch(kind);
        return record;
      },
    },
  ];
}
