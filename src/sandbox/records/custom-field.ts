/** Definitions of custom fields: each family its own, and shared ones that stand in several. */
import type { Json, JsonObject } from '../json.js';
import { timeText } from '../moment.js';
import type { Organization } from './organization.js';
import { leadSources, products } from './vocabulary.js';

export const customFieldTypes = [
  ...(['text', 'textarea', 'number', 'date', 'datetime', 'choices', 'user'] as const),
  ...(['contact', 'custom_object', 'hidden'] as const),
] as const;
export type CustomFieldType = (typeof customFieldTypes)[number];

export const customFieldHolders = [
  'lead',
  'contact',
  'opportunity',
  'activity',
  'custom_object_type',
] as const;
export type CustomFieldHolder = (typeof customFieldHolders)[number];

export interface CustomField {
  readonly id: string;
  name: string;
  type: CustomFieldType;
  /** The type that its values were made with. */
  readonly firstType: CustomFieldType;
  choices: readonly string[] | undefined;
  isMultiple: boolean;
  /** Whether its values were made as lists. */
  readonly wasMultiple: boolean;
  /** The families that a shared field belongs to; undefined for one that is not shared. */
  readonly associations: readonly CustomFieldHolder[] | undefined;
  /**
   * Whether its values are drawn for themselves. Those of the others are drawn in one row with the
   * rest of the record, so that there may never be one more or less of them.
   */
  readonly isDrawnAlone: boolean;
  /** Whether records were laid out with values of it. */
  readonly hasValues: boolean;
  isGone: boolean;
  createdMicros?: number;
  updatedMicros?: number;
}

type FieldPlan = readonly [string, CustomFieldType, (readonly string[] | undefined)?, boolean?];
const FIELDS: Record<CustomFieldHolder, readonly FieldPlan[]> = {
  lead: [
    ['Industry', 'choices', ['Retail', 'Manufacturing', 'Health', 'Öffentlicher Dienst']],
    ['Products', 'choices', products, true],
    ['Employees', 'number'],
    ['Contract signed', 'date'],
    ['Trial ends', 'datetime'],
    ['Account owner', 'user'],
    ['Nickname(s)', 'text', undefined, true],
    ['Background', 'textarea'],
    ['Source', 'choices', leadSources],
  ],
  contact: [
    ['Language', 'choices', ['de', 'en', 'fr', 'ja']],
    ['Interests', 'text', undefined, true],
  ],
  opportunity: [
    ['Competitor', 'text'],
    ['Discount %', 'number'],
    ['Go-live', 'date'],
  ],
  activity: [['Satisfaction', 'number']],
  custom_object_type: [],
};
/** These came later, and leave what was drawn before them as it was. */
const LATER_FIELDS: Record<CustomFieldHolder, readonly FieldPlan[]> = {
  lead: [
    ['Decision maker', 'contact'],
    ['Account team', 'user', undefined, true],
    ['Import key', 'hidden'],
    ['Main machine', 'custom_object'],
  ],
  contact: [['Born on', 'date']],
  opportunity: [['Signatories', 'contact', undefined, true]],
  activity: [
    ['Next visit', 'datetime'],
    ['Attended', 'contact', undefined, true],
  ],
  custom_object_type: [
    ['Serial number', 'text'],
    ['Installed on', 'date'],
    ['Hours', 'number'],
    ['Operators', 'contact', undefined, true],
  ],
};
const SHARED_FIELDS: readonly (readonly [FieldPlan, readonly CustomFieldHolder[]])[] = [
  [
    ['Region', 'choices', ['North', 'South', 'Übersee'], true],
    ['lead', 'contact', 'opportunity'],
  ],
  // Of the same name as a field of leads: only the id tells them apart.
  [
    ['Industry', 'text'],
    ['contact', 'activity', 'custom_object_type'],
  ],
];

/** Lead fields from before 2020 keep their old prefix `lcf_` (recorded answers of 2017 have it). */
export function makeCustomFields(
  longId: (prefix: string) => string,
): Record<CustomFieldHolder, CustomField[]> {
  const fields = {} as Record<CustomFieldHolder, CustomField[]>;
  for (const holder of customFieldHolders) {
    fields[holder] = FIELDS[holder].map((plan) => {
      const id = longId(holder === 'lead' && plan[0] === 'Source' ? 'lcf' : 'cf');
      return fieldOf(plan, id, false);
    });
  }
  for (const holder of customFieldHolders) {
    fields[holder].push(...LATER_FIELDS[holder].map((plan) => fieldOf(plan, longId('cf'), true)));
  }
  for (const [plan, associations] of SHARED_FIELDS) {
    const field = { ...fieldOf(plan, longId('cf'), true), associations };
    for (const holder of associations) fields[holder].push(field);
  }
  return fields;
}

function fieldOf(
  [name, type, choices, isMultiple = false]: FieldPlan,
  id: string,
  isDrawnAlone: boolean,
): CustomField {
  return {
    ...{ id, name, type, firstType: type, choices, isMultiple, wasMultiple: isMultiple },
    ...{ associations: undefined, isDrawnAlone, hasValues: true, isGone: false },
  };
}

export function sharedFields({ customFields }: Organization): CustomField[] {
  return [...new Set(customFieldHolders.flatMap((holder) => customFields[holder]))].filter(
    (field) => field.associations !== undefined,
  );
}

/** The living fields of a family, shared ones among them (Close docs, custom fields). */
export function customFieldRecords(
  organization: Organization,
  holder: CustomFieldHolder | 'shared',
): JsonObject[] {
  const all = holder === 'shared' ? sharedFields(organization) : organization.customFields[holder];
  return all
    .filter((field) => !field.isGone)
    .map((field) => customFieldRecord(organization, field, holder));
}

export function customFieldRecord(
  organization: Organization,
  field: CustomField,
  holder: CustomFieldHolder | 'shared',
): JsonObject {
  const admin = organization.users[0]?.id ?? null;
  const first = organization.foundedMicros + 5_000_000;
  const isObject = field.type === 'custom_object';
  return {
    id: field.id,
    name: field.name,
    type: field.type,
    ...(field.choices && field.type === 'choices' ? { choices: [...field.choices] } : {}),
    accepts_multiple_values: field.isMultiple,
    is_shared: field.associations !== undefined,
    editable_with_roles: [],
    description: null,
    referenced_custom_type_id: isObject ? organization.objectTypeId : null,
    back_reference_is_visible: isObject ? true : null,
    organization_id: organization.id,
    created_by: admin,
    updated_by: admin,
    date_created: timeText(field.createdMicros ?? first),
    date_updated: timeText(field.updatedMicros ?? field.createdMicros ?? first),
    ...belonging(organization, field, holder),
  };
}

function belonging(
  organization: Organization,
  field: CustomField,
  holder: CustomFieldHolder | 'shared',
): JsonObject {
  const associated = (field.associations ?? []).map((one): Json => ({
    object_type: one,
    ...typeOf(organization, one),
  }));
  const own = holder === 'shared' ? { associations: associated } : typeOf(organization, holder);
  return Object.keys(own).length > 0 && holder !== 'shared' ? { ...own, required: false } : own;
}

function typeOf(organization: Organization, holder: CustomFieldHolder): JsonObject {
  if (holder === 'activity') return { custom_activity_type_id: organization.activityTypeId };
  if (holder === 'custom_object_type') return { custom_object_type_id: organization.objectTypeId };
  return {};
}
