/** Groups, roles, links, outcomes and the types of custom activities and objects. */
import type { JsonObject } from '../../json.js';
import { roleRecords } from '../organization-records.js';
import { customFieldRecord, customFieldRecords } from '../custom-field.js';
import { customObjectIds } from '../custom-object-ids.js';
import { customValues } from '../custom-values.js';
import { companyStems } from '../vocabulary.js';
import type { WorldData } from '../../world/world-data.js';
import type { SettingKind } from './kind.js';
import { timeText } from '../../moment.js';
import { Random } from '../../random.js';

const OBJECT_STREAM = 77;

/** `members` is given for one group only, never in the list (Close's OpenAPI document). */
export const groups: SettingKind = {
  prefix: 'group',
  idLength: 22,
  objectType: 'group',
  times: 'naive',
  make: (maker) =>
    ['Sales Dublin', 'Vertrieb Zürich', 'Support', 'Nobody yet'].map((name, place) => ({
      id: maker.id(),
      organization_id: maker.organizationId,
      name,
      members:
        place === 3 ? [] : [place, place + 2, 8].map((one) => ({ user_id: maker.user(one) })),
      ...maker.dated(3 + place),
    })),
};

export const roles: SettingKind = {
  prefix: 'role',
  idLength: 43,
  times: 'naive',
  make: (maker) => [
    ...roleRecords(maker.data.organization),
    {
      id: maker.id(),
      name: 'Night shift',
      editable: true,
      permissions: ['calling'],
      visibility_user_lcf_behavior: 'allow',
      visibility_user_lcf_ids: [maker.data.organization.customFields.lead[5]?.id ?? ''],
      organization_id: maker.organizationId,
      date_created: maker.time(40),
      date_updated: maker.time(41),
    },
  ],
};

export const integrationLinks: SettingKind = {
  prefix: 'ilink',
  idLength: 43,
  times: 'offset',
  make: (maker) =>
    (['lead', 'contact', 'opportunity'] as const).map((type, place) =>
      maker.record(5 + place, {
        name: 'Look up in the shop',
        type,
        url: `https://shop.example/search?type=${type}&q={{${type}.id}}`,
      }),
    ),
};

export const outcomes: SettingKind = {
  prefix: 'outcome',
  idLength: 22,
  times: 'naive',
  make: (maker) =>
    ['Meeting booked', 'Not interested', 'Wrong number'].map((name, place) =>
      maker.record(60 + place, {
        name,
        description: place === 0 ? 'They agreed to a date.' : null,
        type: 'custom',
        applies_to: place === 0 ? ['calls', 'meetings'] : ['calls'],
      }),
    ),
};

/** Dated by `created_at` and `updated_at` (Close's OpenAPI document). */
export const playbooks: SettingKind = {
  prefix: 'playbook',
  idLength: 22,
  times: 'naive',
  make: (maker) =>
    ['First call', 'Renewal', 'Old one'].map((name, position) => ({
      id: maker.id(),
      organization_id: maker.organizationId,
      name,
      position,
      is_archived: position === 2,
      created_at: maker.time(80 + position),
      updated_at: maker.time(81 + position),
    })),
};

export const customActivityTypes: SettingKind = {
  prefix: 'actitype',
  idLength: 22,
  objectType: 'custom_activity_type',
  times: 'naive',
  make: (maker) => {
    const { activityTypeId, otherActivityTypeId } = maker.data.organization;
    const type = (name: string, isArchived: boolean, id: string): JsonObject => ({
      ...maker.record(20, { name, description: null, api_create_only: false }),
      id,
      editable_with_roles: [],
      is_archived: isArchived,
    });
    return [
      type('Site visit', false, activityTypeId),
      type('Quick check', false, otherActivityTypeId),
      type('Fax', true, maker.id()),
    ];
  },
  render: (data, record) => ({
    ...record,
    fields:
      record.id === data.organization.activityTypeId
        ? customFieldRecords(data.organization, 'activity')
        : [],
  }),
};

export const customObjectTypes: SettingKind = {
  prefix: 'cotype',
  idLength: 22,
  objectType: 'custom_object_type',
  times: 'naive',
  make: (maker) => [
    {
      ...maker.record(25, {
        name: 'Machine',
        name_plural: 'Machines',
        description: 'What stands at the customer.',
        api_create_only: false,
        editable_with_roles: [],
        is_archived: false,
      }),
      id: maker.data.organization.objectTypeId,
    },
    maker.record(26, {
      name: 'Licence',
      name_plural: 'Licences',
      description: null,
      api_create_only: true,
      editable_with_roles: ['admin'],
      is_archived: true,
    }),
  ],
  render: (data, record) => {
    const isMachine = record.id === data.organization.objectTypeId;
    const { organization } = data;
    return {
      ...record,
      fields: isMachine ? customFieldRecords(organization, 'custom_object_type') : [],
      back_reference_fields: isMachine
        ? organization.customFields.lead
            .filter((field) => field.type === 'custom_object' && !field.isGone)
            .map((field) => customFieldRecord(organization, field, 'lead'))
        : [],
    };
  },
};

export const customObjects: SettingKind = {
  prefix: 'co',
  idLength: 22,
  objectType: 'custom_object',
  times: 'offset',
  make: ({ data }) => {
    const found: JsonObject[] = [];
    const { leads } = data.tables;
    for (let lead = 0; lead < leads.baseCount; lead++) {
      customObjectIds(data, lead).forEach((id, place) => {
        found.push(customObject(data, lead, id, lead * 2 + place));
      });
    }
    return found;
  },
};

function customObject(data: WorldData, lead: number, id: string, index: number): JsonObject {
  const random = new Random(data.seed, OBJECT_STREAM, index);
  const { leads } = data.tables;
  const time = timeText(leads.createdAt(lead) + 60_000_000);
  const user = random.pick(data.organization.users).id;
  return {
    id,
    organization_id: data.organization.id,
    custom_object_type_id: data.organization.objectTypeId,
    lead_id: leads.ids.encode(lead),
    name: `${random.pick(companyStems)} ${String(100 + random.below(900))}`,
    ...customValues(data, { holder: 'custom_object_type', index, lead }, random),
    created_by: user,
    updated_by: user,
    date_created: time,
    date_updated: time,
  };
}
