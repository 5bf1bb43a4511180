/** Contacts, and the names that other records copy: a contact's and its lead's. */
import type { Json, JsonObject } from '../json.js';
import { timeText } from '../moment.js';
import { Random } from '../random.js';
import type { RecordTable } from '../world/record-table.js';
import type { WorldData } from '../world/world-data.js';
import { customValues, withCustomChanges } from './custom-values.js';
import {
  cities,
  companyKinds,
  companyStems,
  familyNames,
  givenNames,
  jobTitles,
} from './vocabulary.js';

const STREAM = 30;
const LEAD_NAME_STREAM = 50;
const AREA_CODES = ['212', '303', '415', '503', '617', '702', '808', '917'] as const;

export interface Phone {
  readonly phone: string;
  readonly formatted: string;
  readonly country: string;
}
export interface ContactFacts {
  readonly id: string;
  readonly name: string;
  /** The name that the contact was made with: messages keep the name of their day. */
  readonly originalName: string;
  readonly email: string;
  readonly phone: Phone;
}

export function makePhone(random: Random): Phone {
  const last = String(random.below(100)).padStart(2, '0');
  if (random.chance(0.2)) {
    const digits = String(random.below(1000)).padStart(3, '0');
    return {
      phone: `+44207946${`0${digits}`}`,
      formatted: `+44 20 7946 0${digits}`,
      country: 'GB',
    };
  }
  const area = random.pick(AREA_CODES);
  return { phone: `+1${area}55501${last}`, formatted: `+1 ${area}-555-01${last}`, country: 'US' };
}

function contactFacts(data: WorldData, index: number): ContactFacts {
  const random = new Random(data.seed, STREAM, index);
  const made = `${random.pick(givenNames)} ${random.pick(familyNames)}`;
  const changed = data.tables.contacts.fieldsOf(index)?.name;
  return {
    id: data.tables.contacts.ids.encode(index),
    name: typeof changed === 'string' ? changed : made,
    originalName: made,
    email: `contact.${String(index)}@lead-${String(data.tables.contacts.firstLeadOf(index))}.example`,
    phone: makePhone(random),
  };
}

/**
 * One of the contacts that the record's lead had when the record was made, or undefined when it had
 * none. Contacts that came or went since must not matter: a record's content may not change behind
 * its `date_updated`.
 */
export function someContact(
  data: WorldData,
  table: RecordTable,
  index: number,
  random: Random,
): ContactFacts | undefined {
  const contacts = data.contactsWhenMade(table.firstLeadOf(index), table.madeBy(index));
  return contacts.length === 0 ? undefined : contactFacts(data, random.pick(contacts));
}

export function contactRecord(data: WorldData, index: number): JsonObject {
  const table = data.tables.contacts;
  const facts = contactFacts(data, index);
  const random = new Random(data.seed, STREAM + 1, index);
  const user = random.pick(data.organization.users);
  const place = random.pick(cities);
  const hasPhone = random.chance(0.8);
  const record: JsonObject = {
    id: facts.id,
    lead_id: data.tables.leads.ids.encode(table.leadOf(index)),
    organization_id: data.organization.id,
    name: facts.name,
    display_name: facts.name,
    title: random.chance(0.8) ? random.pick(jobTitles) : null,
    emails: emails(facts, random),
    phones: hasPhone ? phones(facts, random) : [],
    urls: random.chance(0.15) ? [{ type: 'url', url: `https://people.example/${facts.id}` }] : [],
    integration_links: integrationLinks(facts.id, random, 0.1),
    timezone: hasPhone ? place.timezone : null,
    timezone_source: hasPhone ? 'inferred_from_phone_number' : null,
    created_by: user.id,
    updated_by: random.pick(data.organization.users).id,
    date_created: timeText(table.createdAt(index)),
    date_updated: timeText(table.updatedAt(index)),
    ...customValues(data, { holder: 'contact', index, lead: table.firstLeadOf(index) }, random),
    ...table.fieldsOf(index),
  };
  withCustomChanges(data, 'contact', record, table.fieldsOf(index));
  record.display_name = record.name === '' ? '' : (record.name ?? null);
  return record;
}

function emails(facts: ContactFacts, random: Random): Json[] {
  const list: Json[] = [
    { type: 'office', email: facts.email, is_unsubscribed: random.chance(0.05) },
  ];
  if (random.chance(0.2)) {
    list.push({ type: 'home', email: `home.${facts.email}`, is_unsubscribed: false });
  }
  return random.chance(0.93) ? list : [];
}

function phones(facts: ContactFacts, random: Random): Json[] {
  const { phone, formatted, country } = facts.phone;
  const list: Json[] = [
    {
      type: 'office',
      phone,
      phone_formatted: formatted,
      country: random.chance(0.95) ? country : null,
    },
  ];
  if (random.chance(0.25)) {
    const other = makePhone(random);
    list.push({
      type: 'mobile',
      phone: other.phone,
      phone_formatted: other.formatted,
      country: other.country,
    });
  }
  return list;
}

export function integrationLinks(id: string, random: Random, share: number): Json[] {
  return random.chance(share)
    ? [{ name: 'Look up in the shop', url: `https://shop.example/search?q=${id}` }]
    : [];
}

/** Some leads have no name of their own. */
export function leadName(data: WorldData, lead: number): string {
  const changed = data.tables.leads.fieldsOf(lead)?.name;
  if (typeof changed === 'string') return changed;
  const random = new Random(data.seed, LEAD_NAME_STREAM, lead);
  if (random.chance(0.02)) return '';
  return `${random.pick(companyStems)} ${random.pick(companyKinds)} ${String(lead + 1)}`;
}

/** A lead without a name is shown by its first contact's. */
export function leadDisplayName(data: WorldData, lead: number): string {
  const name = leadName(data, lead);
  if (name !== '') return name;
  const [first] = data.childrenOf(lead, 'contacts');
  return first === undefined ? 'Untitled' : contactFacts(data, first).name;
}
