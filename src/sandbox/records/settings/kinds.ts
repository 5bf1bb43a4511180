/** All kinds of settings and small records that are kept as they are. */
import type { JsonObject } from '../../json.js';
import { withCustomChanges } from '../custom-values.js';
import * as automation from './automation.js';
import * as comments from './comments.js';
import * as communication from './communication.js';
import * as customization from './customization.js';
import type { SettingKind } from './kind.js';

export const settingKinds = {
  groups: customization.groups,
  roles: customization.roles,
  integration_links: customization.integrationLinks,
  outcomes: customization.outcomes,
  playbooks: customization.playbooks,
  custom_activity_types: customization.customActivityTypes,
  custom_object_types: customization.customObjectTypes,
  custom_objects: {
    ...customization.customObjects,
    render: (data, record): JsonObject =>
      withCustomChanges(data, 'custom_object_type', { ...record }, record),
  } satisfies SettingKind,
  phone_numbers: communication.phoneNumbers,
  blocked_phone_numbers: communication.blockedPhoneNumbers,
  dialer: communication.dialers,
  connected_accounts: communication.connectedAccounts,
  send_as: communication.sendAs,
  unsubscribed_emails: communication.unsubscribedEmails,
  email_templates: communication.emailTemplates,
  sms_templates: communication.smsTemplates,
  scheduling_links: communication.schedulingLinks,
  shared_scheduling_links: communication.sharedSchedulingLinks,
  sequences: automation.sequences,
  sequence_subscriptions: automation.sequenceSubscriptions,
  smart_views: automation.smartViews,
  bulk_emails: automation.bulkEmails,
  bulk_edits: automation.bulkEdits,
  bulk_deletes: automation.bulkDeletes,
  bulk_sequence_subscriptions: automation.bulkSequenceSubscriptions,
  exports: automation.exports,
  webhooks: automation.webhooks,
  comments: comments.comments,
  comment_threads: comments.commentThreads,
} as const satisfies Readonly<Record<string, SettingKind>>;

export type SettingName = keyof typeof settingKinds;
/** Those that hang below a lead and go with it. */
export const leadSettings: readonly SettingName[] = [
  'custom_objects',
  'sequence_subscriptions',
  'comments',
  'comment_threads',
];
