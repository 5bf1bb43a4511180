/** The lists of settings and small records: where each is, and what it can be asked. */
import { textOf, type JsonObject } from '../json.js';
import { userWithRole } from '../records/organization-records.js';
import type { SettingName } from '../records/settings/kinds.js';
import type { World } from '../world/world.js';
import { fieldError } from './api-error.js';
import type { Parameters } from './listing.js';
import type { Role } from './rights.js';

export interface SettingList {
  readonly path: string;
  readonly name: SettingName;
  /** Close's name of the model, for a 404. */
  readonly kind: string;
  /** Parameters that are compared with the field of their name; also as `<name>__in`. */
  readonly filters?: readonly string[];
  /** One of these must be given (`any`), or just one of them (`one`). */
  readonly requires?: { readonly how: 'any' | 'one'; readonly of: readonly string[] };
  /** Whether the list leaves a record out for reasons of its own. */
  readonly isListed?: (record: JsonObject, parameters: Parameters, own: string) => boolean;
  /** Keys that a single record has and the list has not. */
  readonly itemOnly?: readonly string[];
}

/** Archived ones are listed only when asked for. */
function isOfArchive(record: JsonObject, parameters: Parameters): boolean {
  return record.is_archived === (parameters.flag('is_archived') ?? false);
}

// From Close's OpenAPI document (read 2026-11) where no other source is named.
export const settingLists: readonly SettingList[] = [
  { path: '/role/', name: 'roles', kind: 'Role' },
  { path: '/group/', name: 'groups', kind: 'Group', itemOnly: ['members'] },
  { path: '/integration_link/', name: 'integration_links', kind: 'IntegrationLink' },
  { path: '/outcome/', name: 'outcomes', kind: 'Outcome' },
  {
    path: '/playbook/',
    name: 'playbooks',
    kind: 'Playbook',
    isListed: (record, parameters) =>
      !parameters.has('is_archived') || record.is_archived === parameters.flag('is_archived'),
  },
  { path: '/custom_activity/', name: 'custom_activity_types', kind: 'CustomActivityType' },
  { path: '/custom_object_type/', name: 'custom_object_types', kind: 'CustomObjectType' },
  {
    path: '/custom_object/',
    name: 'custom_objects',
    kind: 'CustomObject',
    filters: ['lead_id', 'custom_object_type_id'],
    requires: { how: 'any', of: ['lead_id'] },
  },
  {
    path: '/phone_number/',
    name: 'phone_numbers',
    kind: 'PhoneNumber',
    filters: ['number', 'user_id', 'is_group_number'],
  },
  { path: '/blocked_phone_number/', name: 'blocked_phone_numbers', kind: 'BlockedPhoneNumber' },
  {
    path: '/dialer/',
    name: 'dialer',
    kind: 'Dialer',
    filters: ['source_type', 'source_value', 'status'],
  },
  {
    path: '/connected_account/',
    name: 'connected_accounts',
    kind: 'ConnectedAccount',
    filters: ['user_id'],
    isListed: (record, _, own) => record.user_id === own,
  },
  {
    path: '/send_as/',
    name: 'send_as',
    kind: 'SendAs',
    filters: ['allowing_user_id', 'allowed_user_id'],
    isListed: ({ allowing_user_id, allowed_user_id }, _, own) =>
      allowing_user_id === own || allowed_user_id === own,
  },
  { path: '/unsubscribe/email/', name: 'unsubscribed_emails', kind: 'UnsubscribedEmail' },
  {
    path: '/email_template/',
    name: 'email_templates',
    kind: 'EmailTemplate',
    filters: ['is_shared'],
    isListed: isOfArchive,
  },
  { path: '/sms_template/', name: 'sms_templates', kind: 'SMSTemplate', isListed: isOfArchive },
  { path: '/scheduling_link/', name: 'scheduling_links', kind: 'SchedulingLink' },
  {
    path: '/shared_scheduling_link/',
    name: 'shared_scheduling_links',
    kind: 'SharedSchedulingLink',
  },
  { path: '/sequence/', name: 'sequences', kind: 'Sequence' },
  {
    path: '/sequence_subscription/',
    name: 'sequence_subscriptions',
    kind: 'SequenceSubscription',
    filters: ['sequence_id', 'contact_id', 'lead_id'],
    // Close docs, changelog of 2021-03-31.
    requires: { how: 'any', of: ['sequence_id', 'contact_id', 'lead_id'] },
  },
  {
    path: '/saved_search/',
    name: 'smart_views',
    kind: 'SavedSearch',
    isListed: (record, parameters, own) => {
      const types = parameters.list('type__in') ?? parameters.list('type') ?? ['lead'];
      const isVisible = record.is_shared === true || record.user_id === own;
      return isVisible && types.includes(textOf(record.type));
    },
  },
  {
    path: '/bulk_action/email/',
    name: 'bulk_emails',
    kind: 'BulkEmailAction',
    filters: ['template_id'],
  },
  { path: '/bulk_action/edit/', name: 'bulk_edits', kind: 'BulkEditAction' },
  { path: '/bulk_action/delete/', name: 'bulk_deletes', kind: 'BulkDeleteAction' },
  {
    path: '/bulk_action/sequence_subscription/',
    name: 'bulk_sequence_subscriptions',
    kind: 'BulkSequenceSubscriptionAction',
  },
  { path: '/export/', name: 'exports', kind: 'Export' },
  { path: '/webhook/', name: 'webhooks', kind: 'WebhookSubscription' },
  {
    path: '/comment/',
    name: 'comments',
    kind: 'Comment',
    filters: ['object_id', 'thread_id'],
    requires: { how: 'one', of: ['object_id', 'thread_id'] },
  },
  {
    path: '/comment_thread/',
    name: 'comment_threads',
    kind: 'CommentThread',
    isListed: (record, parameters) =>
      isNamed(record.id, parameters.list('ids')) &&
      isNamed(record.object_id, parameters.list('object_ids')),
  },
];

function isNamed(value: JsonObject[string] | undefined, names: readonly string[] | undefined) {
  return names === undefined || names.includes(textOf(value));
}

/** The records that a list gives for these parameters to a key with this role. */
export function listSettings(
  world: World,
  list: SettingList,
  parameters: Parameters,
  role: Role,
): JsonObject[] {
  checkRequired(list, parameters);
  const own = userWithRole(world.data.organization, role)?.id ?? '';
  const filters = (list.filters ?? []).flatMap((name) => {
    const wanted = parameters.list(`${name}__in`) ?? parameters.list(name);
    return wanted ? [{ name, wanted }] : [];
  });
  const found = world.settings
    .all(list.name)
    .filter((record) => filters.every(({ name, wanted }) => wanted.includes(textOf(record[name]))))
    .filter((record) => list.isListed?.(record, parameters, own) ?? true);
  return list.itemOnly ? found.map((record) => without(record, list.itemOnly ?? [])) : found;
}

function checkRequired({ requires }: SettingList, parameters: Parameters): void {
  if (!requires) return;
  const given = requires.of.filter((name) => parameters.has(name)).length;
  const isRight = requires.how === 'any' ? given > 0 : given === 1;
  if (isRight) return;
  const [name = ''] = requires.of;
  if (requires.of.length === 1) throw fieldError(name, 'This field is required.');
  const how = requires.how === 'any' ? 'At least' : 'Exactly';
  throw fieldError(name, `${how} one of ${requires.of.join(', ')} is required.`);
}

function without(record: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)));
}
