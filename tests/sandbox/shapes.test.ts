/**
 * Holds the generated records against real ones, where the recordings are at hand: every key of a
 * real record occurs, with values of the same types. What differs on purpose is listed and explained.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { textOf, type Json, type JsonObject } from '../../src/sandbox/json.js';
import { microsOf } from '../../src/sandbox/moment.js';
import { customFieldRecords } from '../../src/sandbox/records/custom-field.js';
import {
  leadStatusRecord,
  opportunityStatusRecord,
  pipelineRecords,
  userRecord,
} from '../../src/sandbox/records/organization.js';
import { meRecord, organizationRecord } from '../../src/sandbox/records/organization-records.js';
import { World } from '../../src/sandbox/world/world.js';

const samples = fileURLToPath(new URL('../../../shared/samples', import.meta.url));
const span = { from: microsOf('2025-01-01'), until: microsOf('2026-01-01') };
const world = new World(
  { seed: 'shapes', leads: 400, activities: 6_000, span },
  () => new Date('2026-01-01'),
);
const { organization } = world.data;

type Shape = Map<string, Set<string>>;

/** Paths with the types of their values; keys that are data (custom fields) count as one. */
function shapeOf(records: Iterable<Json>): Shape {
  const shape: Shape = new Map();
  const visit = (path: string, value: Json): void => {
    const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
    const types = shape.get(path) ?? new Set();
    shape.set(path, types.add(type));
    if (Array.isArray(value)) for (const entry of value) visit(`${path}[]`, entry);
    else if (value !== null && typeof value === 'object') {
      for (const [key, entry] of Object.entries(value)) {
        if (path === '.custom' || key.startsWith('custom.')) continue;
        visit(`${path}.${key}`, entry);
      }
    }
  };
  for (const record of records) visit('', record);
  return shape;
}

const activities = [...world.activities()];
const generated: Record<string, () => Iterable<JsonObject>> = {
  contact: () => world.contacts(),
  custom_fields_lead: () => customFieldRecords(organization, 'lead'),
  lead: () => world.leads(),
  me: () => [meRecord(organization)],
  opportunity: () => world.opportunities(),
  organization: () => [organizationRecord(organization)],
  pipeline: () => pipelineRecords(organization),
  status_lead: () => organization.leadStatuses.map((one) => leadStatusRecord(organization, one)),
  status_opportunity: () =>
    organization.opportunityStatuses.map((one) => opportunityStatusRecord(organization, one)),
  phone_number: () => world.settings.all('phone_numbers'),
  sequence: () => world.settings.all('sequences'),
  webhook: () => world.settings.all('webhooks'),
  task: () => [...world.tasks()].filter((task) => task._type === 'lead'),
  user: () => organization.users.map((user) => userRecord(organization, user)),
};

/** Real keys that the sandbox leaves out on purpose. */
const missing: Record<string, string> = {
  'activity:Call .quality_info': 'only in answers to a change and in events',
  'webhook .signature_key': 'told with the creation only',
  'me .phone_numbers[]': 'the administrator has no telephone numbers of his own',
  'me .email_signatures[]': 'no signatures',
};

/** Types that differ on purpose: the real value was of this type, the sandbox never has it. */
const otherTypes: Record<string, string> = {
  'organization .created_by': 'null since the newer recordings',
  'me .memberships[].primary_personal_number': 'null only for those who left',
};

function explained(list: Record<string, string>, name: string): boolean {
  return Object.keys(list).some((known) => name === known || name.startsWith(`${known}.`));
}

// The recordings lie beside a developer's checkout, not in it.
const withSamples = existsSync(samples) ? describe : (): void => undefined;

withSamples('against recorded answers', () => {
  const groups = new Map<string, JsonObject[]>();
  for (const file of existsSync(samples) ? readdirSync(samples) : []) {
    const [, kind = ''] = file.split('.');
    if (!file.endsWith('.jsonl') || (kind !== 'activity' && !(kind in generated))) continue;
    for (const line of readFileSync(`${samples}/${file}`, 'utf8').split('\n')) {
      if (line.trim() === '') continue;
      const record = JSON.parse(line) as JsonObject;
      const name = kind === 'activity' ? `activity:${textOf(record._type)}` : kind;
      groups.set(name, [...(groups.get(name) ?? []), record]);
    }
  }

  it.each([...groups.keys()])('%s', (name) => {
    const type = name.split(':')[1];
    const own = type
      ? activities.filter((record) => record._type === type)
      : (generated[name]?.() ?? []);
    const ours = shapeOf(own);
    const problems: string[] = [];
    for (const [path, types] of shapeOf(groups.get(name) ?? [])) {
      const known = ours.get(path);
      if (!known) {
        if (!explained(missing, `${name} ${path}`)) problems.push(`missing ${name} ${path}`);
        continue;
      }
      const strange = [...types].filter((one) => one !== 'null' && !known.has(one));
      if (strange.length > 0 && !explained(otherTypes, `${name} ${path}`)) {
        problems.push(`${name} ${path}: ${strange.join()} and not ${[...known].join()}`);
      }
    }
    expect(problems).toEqual([]);
  });
});

/** The attributes that Stitch documented for its activities table, nested ones included. */
const STITCH_ACTIVITIES =
  'id envelope message_id sender date subject is_autoreply from bcc reply_to to in_reply_to ' +
  'date_created references body_text_quoted need_smtp_credentials in_reply_to_id updated_by_name ' +
  'old_status_label transferred_from user_id updated_by cc opportunity_value task_assigned_to ' +
  'created_by status email_account_id template_id transferred_to attachments message_ids ' +
  'voicemail_duration local_phone body_html_quoted opens task_id lead_id task_assigned_to_name ' +
  'body_text thread_id task_text user_name note source import_id recording_url date_scheduled ' +
  'body_preview created_by_name phone duration date_sent _type new_status_label ' +
  'opportunity_value_formatted opportunity_id opens_summary new_status_type remote_phone ' +
  'new_status_id contact_id body_html opportunity_date_won opportunity_value_currency ' +
  'old_status_type organization_id old_status_id opportunity_confidence date_updated ' +
  'template_name opportunity_value_period voicemail_url send_attempts direction';

describe('attributes', () => {
  it('has all that Stitch knew of activities, each with a value somewhere', () => {
    const shape = shapeOf(activities);
    const withValue = new Set<string>();
    for (const [path, types] of shape) {
      if ([...types].some((type) => type !== 'null')) withValue.add(path.split('.').at(-1) ?? '');
    }
    const absent = STITCH_ACTIVITIES.split(' ').filter((name) => !withValue.has(name));
    expect(absent).toEqual([]);
  });

  it('gives custom fields of leads in both forms, lists among them', () => {
    const fields = organization.customFields.lead;
    let lists = 0;
    for (const lead of world.leads()) {
      const byName = lead.custom as JsonObject;
      for (const field of fields) {
        expect(lead[`custom.${field.id}`]).toEqual(byName[field.name]);
        expect(lead[`custom.${field.id}`]).not.toBeNull();
        if (Array.isArray(byName[field.name])) lists++;
      }
    }
    expect(lists).toBeGreaterThan(0);
  });
});
