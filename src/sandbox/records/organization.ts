/**
 * The sandbox's one organization and its settings: users, statuses, pipelines, custom fields, roles.
 * They are few, fixed for a seed, and every record refers to them.
 */
import { base62, IdCodec } from '../ids.js';
import type { JsonObject } from '../json.js';
import { MICROS_PER_DAY, naiveTimeText, timeText } from '../moment.js';
import { Random } from '../random.js';
import { makeCustomFields, type CustomField, type CustomFieldHolder } from './custom-field.js';
import { familyNames, givenNames } from './vocabulary.js';

// What can be changed while the sandbox runs is not readonly. Nothing is ever taken out of a list:
// records refer to places in it.
export interface User {
  readonly id: string;
  name: string;
  firstName: string;
  lastName: string;
  readonly email: string;
  readonly membershipId: string;
  role: string;
  isActive: boolean;
}
export interface LeadStatus {
  readonly id: string;
  label: string;
  isGone?: boolean;
}
export interface OpportunityStatus extends LeadStatus {
  type: 'active' | 'won' | 'lost';
  readonly pipelineId: string;
  pipelineName: string;
}

export interface Organization {
  readonly id: string;
  readonly name: string;
  currency: string;
  readonly foundedMicros: number;
  readonly users: User[];
  readonly leadStatuses: LeadStatus[];
  readonly opportunityStatuses: OpportunityStatus[];
  readonly pipelines: { readonly id: string; name: string }[];
  /** A shared field is in the list of each family that it is associated with. */
  readonly customFields: Record<CustomFieldHolder, CustomField[]>;
  readonly phoneNumberId: string;
  readonly activityTypeId: string;
  readonly otherActivityTypeId: string;
  readonly objectTypeId: string;
}

const LEAD_STATUSES = ['Potential', 'Bad Fit', 'Qualified', 'Customer', 'Interested', 'Canceled'];
const PIPELINES = [
  ['Sales', ['Demo Completed', 'Proposal Sent', 'Contract Sent', 'Won', 'Lost']],
  ['Verlängerung', ['Angebot verschickt', 'In Prüfung', 'Verlängert', 'Gekündigt']],
] as const;
const USERS = 9;
const ROLES = ['admin', 'superuser', 'superuser', 'user', 'user', 'user', 'restricteduser'];

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
    currency: 'USD',
    foundedMicros,
    users,
    leadStatuses: LEAD_STATUSES.map((label) => ({ id: longId('stat'), label })),
    opportunityStatuses,
    pipelines,
    customFields: makeCustomFields(longId),
    phoneNumberId: longId('phon'),
    activityTypeId: shortId('actitype'),
    otherActivityTypeId: shortId('actitype'),
    objectTypeId: shortId('cotype'),
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
      role: ROLES[index] ?? 'user',
      isActive: index < USERS - 1,
    };
  });
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
      .filter((status) => status.pipelineId === id && status.isGone !== true)
      .map((status) => ({ id: status.id, label: status.label, type: status.type })),
    created_by: null,
    updated_by: null,
    date_created: time,
    date_updated: time,
  }));
}
