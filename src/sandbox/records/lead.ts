/** Leads, with everything that Close nests in them. Activities never nest (Close docs, leads). */
import { contactRecord, integrationLinks } from './contact.js';
import { customByName, customValues, withCustomChanges } from './custom-values.js';
import type { Json, JsonObject } from '../json.js';
import { leadDisplayName, leadName } from './contact.js';
import { timeText } from '../moment.js';
import { opportunityRecord } from './opportunity.js';
import { Random } from '../random.js';
import { taskRecord } from './task.js';
import { cities, leadSources, sentences } from './vocabulary.js';
import type { WorldData } from '../world/world-data.js';

const STREAM = 70;

export function leadRecord(data: WorldData, index: number, nowMicros: number): JsonObject {
  const table = data.tables.leads;
  const random = new Random(data.seed, STREAM, index);
  const id = table.ids.encode(index);
  const custom = customValues(data, { holder: 'lead', index, lead: index }, random);
  const { users, leadStatuses } = data.organization;
  const record: JsonObject = {
    id,
    organization_id: data.organization.id,
    name: leadName(data, index),
    display_name: leadDisplayName(data, index),
    description: random.chance(0.7) ? random.pick(sentences) : '',
    url: random.chance(0.6) ? `https://lead-${String(index)}.example` : null,
    html_url: `https://app.close.com/lead/${id}/`,
    status_id: leadStatuses[data.leadStatusNumber(index)]?.id ?? '',
    source: random.chance(0.5) ? random.pick(leadSources) : null,
    addresses: addresses(random),
    integration_links: integrationLinks(id, random, 0.2),
    created_by: random.pick(users).id,
    updated_by: random.pick(users).id,
    date_created: timeText(table.createdAt(index)),
    date_updated: timeText(table.updatedAt(index)),
    custom: {},
    ...custom,
    ...table.fieldsOf(index),
  };
  withCustomChanges(data, 'lead', record, table.fieldsOf(index));
  record.custom = customByName(data, record);
  const contacts = data.childrenOf(index, 'contacts');
  const opportunities = data.childrenOf(index, 'opportunities');
  // Only incomplete tasks nest (Close docs, changelog of 2024-06-07).
  const tasks = data.childrenOf(index, 'tasks').filter((task) => !data.isTaskComplete(task));
  const status = leadStatuses.find((one) => one.id === record.status_id);
  return Object.assign(record, {
    status_label: status?.label ?? null,
    created_by_name: data.userName(record.created_by),
    updated_by_name: data.userName(record.updated_by),
    contact_ids: contacts.map((contact) => data.tables.contacts.ids.encode(contact)),
    contacts: contacts.map((contact) => contactRecord(data, contact)),
    opportunities: opportunities.map((one) => opportunityRecord(data, one)),
    tasks: tasks.map((task) => taskRecord(data, task, nowMicros)),
  });
}

function addresses(random: Random): Json[] {
  const list: Json[] = [];
  for (let count = random.below(3); count > 0; count--) {
    const { city, state, zipcode, country } = random.pick(cities);
    list.push({
      label: count > 1 ? 'mailing' : 'business',
      address_1: `${String(1 + random.below(200))} Quay Street`,
      address_2: random.chance(0.3) ? 'Room 3' : '',
      city,
      state,
      zipcode,
      country,
    });
  }
  return list;
}
