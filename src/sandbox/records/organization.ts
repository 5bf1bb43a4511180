/**
 * The sandbox's one organization and its settings: users, statuses, pipelines, custom fields, roles.
 * They are few, fixed for a seed, and every record refers to them.
 */
import { base62, IdCodec } from '../ids.js';
import type { JsonObject } from '../json.js';
import { MICROS_PER_DAY, naiveTimeText, timeText } from '../moment.js';
import { Random } from '../random.js';
import { familyNames, givenNames, leadSources, products } from './vocabulary.js';

export interface User {
  readonly id: string;
  readonly name: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly email: string;
  readonly membershipId: string;
  readonly role: string;
  readonly isActive: boolean;
}
export interface LeadStatus {
  readonly id: string;
  readonly label: string;
}
export interface OpportunityStatus extends LeadStatus {
  readonly type: 'active' | 'won' | 'lost';
  readonly pipelineId: string;
  readonly pipelineName: string;
}
export type CustomFieldType =
  'text' | 'textarea' | 'number' | 'date' | 'datetime' | 'choices' | 'user';
export interface CustomField {
  readonly id: string;
  readonly name: string;
  readonly type: CustomFieldType;
  readonly choices: readonly string[] | undefined;
  readonly isMultiple: boolean;
}
export type CustomFieldHolder = 'lead' | 'contact' | 'opportunity' | 'activity';

export interface Organization {
  readonly id: string;
  readonly name: string;
  readonly foundedMicros: number;
  readonly users: readonly User[];
  readonly leadStatuses: readonly LeadStatus[];
  readonly opportunityStatuses: readonly OpportunityStatus[];
  readonly pipelines: readonly { readonly id: string; readonly name: string }[];
  readonly customFields: Readonly<Record<CustomFieldHolder, readonly CustomField[]>>;
  readonly phoneNumberId: string;
  readonly activityTypeId: string;
}

const LEAD_STATUSES = ['Potential', 'Bad Fit', 'Qualified', 'Customer', 'Interested', 'Canceled'];
const PIPELINES = [
  ['Sales', ['Demo Completed', 'Proposal Sent', 'Contract Sent', 'Won', 'Lost']],
  ['Verlängerung', ['Angebot verschickt', 'In Prüfung', 'Verlängert', 'Gekündigt']],
] as const;
const USERS = 9;

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
};

/** Makes the organization; the stream numbers of the ids are its own. */
export function makeOrganization(seed: number, foundedMicros: number): Organization {
  const random = new Random(seed, 900, 0);
  const longId = (prefix: string): string => `${prefix}_${base62(random, 43)}`;
  const shortId = (prefix: string): string => `${prefix}_${base62(random, 22)}`;
  const users = makeUsers(seed, random);
  const pipelines = PIPELINES.map(([name]) => ({ id: shortId('pipe'), name }));
  const opportunityStatuses = PIPELINES.flatMap(([pipelineName, labels], at) =>
    labels.map((label, position): OpportunityStatus => ({
      id: longId('stat'),
      label,
      type: statusType(position, labels.length),
      pipelineId: pipelines[at]?.id ?? '',
      pipelineName,
    })),
  );
  return {
    id: longId('orga'),
    name: 'Sandbox Trading Company',
    foundedMicros,
    users,
    leadStatuses: LEAD_STATUSES.map((label) => ({ id: longId('stat'), label })),
    opportunityStatuses,
    pipelines,
    customFields: {
      lead: FIELDS.lead.map((plan) => makeField(plan, longId, 'lead')),
      contact: FIELDS.contact.map((plan) => makeField(plan, longId, 'contact')),
      opportunity: FIELDS.opportunity.map((plan) => makeField(plan, longId, 'opportunity')),
      activity: FIELDS.activity.map((plan) => makeField(plan, longId, 'activity')),
    },
    phoneNumberId: longId('phon'),
    activityTypeId: shortId('actitype'),
  };
}

function statusType(position: number, count: number): OpportunityStatus['type'] {
  if (position === count - 1) return 'lost';
  return position === count - 2 ? 'won' : 'active';
}

function makeUsers(seed: number, random: Random): User[] {
  const ids = new IdCodec('user', seed, 901);
  return Array.from({ length: USERS }, (_, index): User => {
    const firstName = givenNames[(index * 7 + 1) % givenNames.length] ?? '';
    const lastName = familyNames[(index * 5 + 3) % familyNames.length] ?? '';
    return {
      id: ids.encode(index),
      name: `${firstName} ${lastName}`,
      firstName,
      lastName,
      email: `user${String(index + 1)}@sandbox.example`,
      membershipId: `memb_${base62(random, 43)}`,
      role: index === 0 ? 'admin' : index < 3 ? 'superuser' : 'user',
      isActive: index < USERS - 1,
    };
  });
}

/** Lead fields from before 2020 keep their old prefix `lcf_` (recorded answers of 2017 have it). */
function makeField(
  [name, type, choices, isMultiple = false]: FieldPlan,
  longId: (prefix: string) => string,
  holder: CustomFieldHolder,
): CustomField {
  const id = longId(holder === 'lead' && name === 'Source' ? 'lcf' : 'cf');
  return { id, name, type, choices, isMultiple };
}

export function userRecord(organization: Organization, user: User): JsonObject {
  return {
    id: user.id,
    email: user.email,
    first_name: user.firstName,
    last_name: user.lastName,
    image: user.role === 'user' ? null : `https://images.example/${user.id}.png`,
    google_profile_image_url: null,
    email_verified_at: timeText(organization.foundedMicros + 13_000),
    last_used_timezone: 'Europe/Dublin',
    organizations: [organization.id],
    date_created: timeText(organization.foundedMicros),
    date_updated: timeText(organization.foundedMicros + MICROS_PER_DAY + 123_000),
  };
}

export function leadStatusRecord(organization: Organization, status: LeadStatus): JsonObject {
  return { id: status.id, label: status.label, organization_id: organization.id };
}

export function opportunityStatusRecord(
  organization: Organization,
  status: OpportunityStatus,
): JsonObject {
  return {
    id: status.id,
    label: status.label,
    type: status.type,
    pipeline_id: status.pipelineId,
    organization_id: organization.id,
  };
}

/** Pipelines carry times without an offset (recorded answers, 2026). */
export function pipelineRecords(organization: Organization): JsonObject[] {
  const time = naiveTimeText(organization.foundedMicros + 283_820);
  return organization.pipelines.map(({ id, name }) => ({
    id,
    name,
    organization_id: organization.id,
    statuses: organization.opportunityStatuses
      .filter((status) => status.pipelineId === id)
      .map((status) => ({ id: status.id, label: status.label, type: status.type })),
    created_by: null,
    updated_by: null,
    date_created: time,
    date_updated: time,
  }));
}

export function customFieldRecords(
  organization: Organization,
  holder: CustomFieldHolder,
): JsonObject[] {
  const admin = organization.users[0]?.id ?? null;
  return organization.customFields[holder].map((field) => ({
    id: field.id,
    name: field.name,
    type: field.type,
    ...(field.choices ? { choices: [...field.choices] } : {}),
    accepts_multiple_values: field.isMultiple,
    is_shared: false,
    editable_with_roles: [],
    description: null,
    referenced_custom_type_id: null,
    back_reference_is_visible: null,
    organization_id: organization.id,
    created_by: admin,
    updated_by: admin,
    date_created: timeText(organization.foundedMicros + 5_000_000),
    date_updated: timeText(organization.foundedMicros + 5_000_000),
    ...(holder === 'activity'
      ? { custom_activity_type_id: organization.activityTypeId, required: false }
      : {}),
  }));
}
