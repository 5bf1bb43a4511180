/** The larger answers about the organization: `/organization/{id}/`, `/me/` and `/role/`. */
import { base62 } from '../ids.js';
import type { JsonObject } from '../json.js';
import { timeText } from '../moment.js';
import { customFieldRecords } from './custom-field.js';
import { pipelineRecords, userRecord, type Organization, type User } from './organization.js';
import { hashText, Random } from '../random.js';

const PERMISSIONS = [
  'bulk_delete',
  'bulk_edit',
  'calling',
  'export',
  'merge_leads',
  'view_all_leads',
];

export function organizationRecord(organization: Organization): JsonObject {
  return {
    ...organizationCore(organization),
    user_count: organization.users.filter((user) => user.isActive).length,
    payment_fail_date: null,
    cancellation_date: null,
    trial_ends: timeText(organization.foundedMicros + 14 * 86_400_000_000),
    memberships: memberships(organization, true),
    inactive_memberships: memberships(organization, false),
  };
}

function organizationCore(organization: Organization): JsonObject {
  const random = new Random(hashText(organization.id), 902, 0);
  const admin = organization.users[0]?.id ?? null;
  return {
    id: organization.id,
    name: organization.name,
    status: 'active',
    abandonment_message_url: '',
    billing_account_id: `acct_${base62(random, 43)}`,
    currency: organization.currency,
    currency_symbol: '$',
    enable_unsubscribe_link: false,
    require_unsubscribe_link: false,
    features: ['web-forms', 'workflow-filter-steps'],
    lead_custom_fields: customFieldRecords(organization, 'lead'),
    lead_statuses: organization.leadStatuses
      .filter((status) => status.isGone !== true)
      .map(({ id, label }) => ({ id, label })),
    leads_email: 'sandbox@leads.example',
    limit_of_connected_accounts_per_membership: 10,
    opportunity_statuses: organization.opportunityStatuses
      .filter((status) => status.isGone !== true)
      .map(({ id, label, type }) => ({ id, label, type })),
    pipelines: pipelineRecords(organization),
    plan_id: 'scale',
    plan_type: 'scale',
    plan_version: 5,
    predictive_dialer_status: 'disabled',
    transcript_enabled: true,
    created_by: null,
    updated_by: admin,
    date_created: timeText(organization.foundedMicros),
    date_updated: timeText(organization.foundedMicros + 8_466_000),
  };
}

function memberships(organization: Organization, isActive: boolean): JsonObject[] {
  return organization.users
    .filter((user) => user.isActive === isActive)
    .map((user) => ({
      ...membershipCore(organization, user),
      user_email: user.email,
      user_first_name: user.firstName,
      user_last_name: user.lastName,
      user_full_name: user.name,
      user_image: `https://images.example/${user.id}.png`,
      user_phone: isActive ? '+14155550100' : null,
      user_phone_formatted: isActive ? '+1 415-555-0100' : null,
      plan_type: 'scale',
      record_calls: false,
      country: 'US',
      show_onboarding: false,
    }));
}

function membershipCore(organization: Organization, user: User): JsonObject {
  return {
    id: user.membershipId,
    user_id: user.id,
    organization_id: organization.id,
    role: user.role,
    role_id: user.role,
    permissions_granted: [...PERMISSIONS],
    auto_record_calls: 'unset',
    default_caller_id: user.isActive ? organization.phoneNumberId : null,
    primary_personal_number: user.isActive ? organization.phoneNumberId : null,
    hangup_recording_url: null,
    is_free: false,
    may_workflows_impersonate: false,
    onboarding_status: 'done',
    track_email_opens: true,
  };
}

/** The user that a key with these rights belongs to. */
export function userWithRole(organization: Organization, role: string): User | undefined {
  return organization.users.find((one) => one.role === role) ?? organization.users[0];
}

/** The key's own user. */
export function meRecord(organization: Organization, role = 'admin'): JsonObject {
  const user = userWithRole(organization, role);
  if (!user) throw new Error('The organization has no users.');
  return {
    ...userRecord(organization, user),
    organizations: [organizationCore(organization)],
    memberships: [membershipCore(organization, user)],
    all_group_numbers: [],
    connected_accounts: [],
    country: 'IE',
    email_accounts: [],
    email_signatures: [],
    is_passwordless: true,
    outbound_carrier: 'twilio',
    phone: '+14155550100',
    phone_numbers: [],
    preferred_twilio_edge: null,
    totp_auth_state: 'disabled',
  };
}

/**
 * Built-in roles have bare words as ids, the same in every organization, and are dated to the
 * year 1 without an offset (recorded answers, 2022).
 */
export function roleRecords(organization: Organization): JsonObject[] {
  const names = {
    admin: 'Admin',
    superuser: 'Super User',
    user: 'User',
    restricteduser: 'Restricted User',
  };
  return Object.entries(names).map(([id, name]) => ({
    id,
    name,
    editable: false,
    permissions: id === 'restricteduser' ? [] : [...PERMISSIONS],
    visibility_user_lcf_behavior: null,
    visibility_user_lcf_ids: [],
    organization_id: organization.id,
    date_created: '0001-01-01T00:00:00',
    date_updated: '0001-01-01T00:00:00',
  }));
}
