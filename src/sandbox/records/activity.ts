/** Activities: what all have in common, and the short kinds. The long ones have files of their own. */
import { unpackStatusChange, type ActivityType } from '../world/activity-columns.js';
import { callFields } from './call-and-meeting.js';
import { someContact, makePhone, type ContactFacts } from './contact.js';
import { withCustomChanges } from './custom-values.js';
import { emailFields } from './email.js';
import type { JsonObject } from '../json.js';
import { meetingFields } from './call-and-meeting.js';
import { timeText } from '../moment.js';
import { customActivityFields, formFields, whatsAppFields } from './newer-activities.js';
import { formatMoney } from './opportunity.js';
import type { User } from './organization.js';
import { Random } from '../random.js';
import { madeTaskText } from './task.js';
import { sentences, smsTexts } from './vocabulary.js';
import type { WorldData } from '../world/world-data.js';

const STREAM = 80;

/** What the fields of one kind are made from. */
export interface ActivityContext {
  readonly data: WorldData;
  readonly index: number;
  readonly random: Random;
  /** The lead that the activity was made for. */
  readonly lead: number;
  readonly user: User;
  readonly contact: ContactFacts | undefined;
  readonly created: number;
  readonly updated: number;
}

export function activityRecord(data: WorldData, index: number): JsonObject {
  const table = data.tables.activities;
  const random = new Random(data.seed, STREAM, index);
  const lead = table.firstLeadOf(index);
  const type = data.activityType(index);
  const context: ActivityContext = {
    data,
    index,
    random,
    lead,
    user: random.pick(data.organization.users),
    contact: hasContact(type) ? someContact(data, table, index, random) : undefined,
    created: table.createdAt(index),
    updated: table.updatedAt(index),
  };
  const record = commonFields(context, type);
  Object.assign(record, fieldMakers[type](context), table.fieldsOf(index));
  return type === 'Custom'
    ? withCustomChanges(data, 'activity', record, table.fieldsOf(index))
    : record;
}

function hasContact(type: ActivityType): boolean {
  return (
    type === 'Call' ||
    type === 'Email' ||
    type === 'SMS' ||
    type === 'Meeting' ||
    type === 'WhatsAppMessage'
  );
}

function commonFields(context: ActivityContext, type: ActivityType): JsonObject {
  const { data, index, user, contact, created } = context;
  const editor = context.random.chance(0.85) ? user : context.random.pick(data.organization.users);
  const createdText = timeText(created);
  const record: JsonObject = {
    _type: type,
    id: data.tables.activities.ids.encode(index),
    organization_id: data.organization.id,
    lead_id: data.tables.leads.ids.encode(data.tables.activities.leadOf(index)),
    contact_id: contact?.id ?? null,
    user_id: user.id,
    user_name: user.name,
    users: [],
    created_by: user.id,
    created_by_name: user.name,
    updated_by: editor.id,
    updated_by_name: editor.name,
    date_created: createdText,
    date_updated: timeText(context.updated),
    activity_at: createdText,
  };
  // A TaskCompleted has no `contact_id` at all (recorded answers, 2026).
  if (type === 'TaskCompleted') delete record.contact_id;
  return record;
}

const fieldMakers: Readonly<Record<ActivityType, (context: ActivityContext) => JsonObject>> = {
  Call: callFields,
  Email: emailFields,
  Meeting: meetingFields,
  Note: noteFields,
  SMS: smsFields,
  Created: createdFields,
  LeadStatusChange: leadStatusFields,
  OpportunityStatusChange: opportunityStatusFields,
  TaskCompleted: taskCompletedFields,
  Custom: customActivityFields,
  WhatsAppMessage: whatsAppFields,
  FormSubmission: formFields,
  LeadMerge: () => ({ merge_status: 'completed' }),
};

function createdFields({ data, random }: ActivityContext): JsonObject {
  const source = random.pick(['api', 'import', 'ui']);
  // Nobody has recorded the id of an import; this one has the form of all others.
  const importId = `impo_${data.organization.id.slice(5)}`;
  return { source, import_id: source === 'import' ? importId : null };
}

function noteFields({ random, created }: ActivityContext): JsonObject {
  const lines = Array.from({ length: 1 + random.below(3) }, () => random.pick(sentences));
  const isPinned = random.chance(0.03);
  return {
    note: lines.join('\n'),
    note_html: `<body>${lines.map((line) => `<p>${line}</p>`).join('')}</body>`,
    note_mentions: [],
    title: random.chance(0.1) ? random.pick(smsTexts) : null,
    pinned: isPinned,
    pinned_at: isPinned ? timeText(created + 1_000) : null,
    attachments: [],
    source: random.pick(['api', 'ui']),
  };
}

function smsFields({ random, contact, created, data }: ActivityContext): JsonObject {
  const isInbound = random.chance(0.4);
  const remote = contact?.phone ?? makePhone(random);
  const isScheduled = !isInbound && random.chance(0.05);
  const hasFailed = !isInbound && !isScheduled && random.chance(0.03);
  return {
    direction: isInbound ? 'inbound' : 'outbound',
    status: isInbound ? 'inbox' : isScheduled ? 'scheduled' : hasFailed ? 'error' : 'sent',
    text: random.pick(smsTexts),
    cost: random.chance(0.5) ? '1' : null,
    local_phone: '+14155550100',
    local_phone_formatted: '+1 415-555-0100',
    local_country_iso: 'US',
    remote_phone: remote.phone,
    remote_phone_formatted: remote.formatted,
    remote_country_iso: remote.country,
    template_id: null,
    attachments: random.chance(0.04) ? [smsPicture(data.tables.activities.ids.encode(0))] : [],
    date_sent: isScheduled ? null : timeText(created),
    date_scheduled: isScheduled ? timeText(created + 3_600_000_000) : null,
    error_message: hasFailed ? 'The number cannot receive text messages.' : null,
    source: 'Close.io',
    sequence_id: null,
    sequence_name: null,
    sequence_subscription_id: null,
  };
}

function smsPicture(name: string): JsonObject {
  return {
    url: `https://app.close.com/go/sms/${name}/picture.jpg`,
    filename: 'picture.jpg',
    size: 48_213,
    content_type: 'image/jpeg',
    media_id: `media_${name.slice(-22)}`,
    thumbnail_url: `https://app.close.com/go/sms/${name}/thumbnail.jpg`,
  };
}

function leadStatusFields({ data, index }: ActivityContext): JsonObject {
  const { from, to } = unpackStatusChange(data.activityDetail(index));
  const { leadStatuses } = data.organization;
  return {
    old_status_id: leadStatuses[from]?.id ?? null,
    old_status_label: leadStatuses[from]?.label ?? null,
    new_status_id: leadStatuses[to]?.id ?? null,
    new_status_label: leadStatuses[to]?.label ?? null,
  };
}

/** `opportunity_date_won` is a time here, though `date_won` is a date (recorded answers, 2022). */
function opportunityStatusFields({
  data,
  index,
  lead,
  random,
  created,
}: ActivityContext): JsonObject {
  const { from, to, opportunityPosition } = unpackStatusChange(data.activityDetail(index));
  const opportunity = data.opportunityAt(lead, opportunityPosition);
  const old = data.organization.opportunityStatuses[from];
  const next = data.organization.opportunityStatuses[to];
  const value = (1 + random.below(500)) * 10_000;
  return {
    opportunity_id: data.tables.opportunities.ids.encode(opportunity),
    opportunity_value: value,
    opportunity_value_currency: 'USD',
    opportunity_value_formatted: formatMoney(value),
    opportunity_value_period: 'one_time',
    opportunity_confidence: random.below(21) * 5,
    opportunity_date_won: next?.type === 'won' ? timeText(created) : null,
    old_status_id: old?.id ?? null,
    old_status_label: old?.label ?? null,
    old_status_type: old?.type ?? null,
    old_pipeline_id: old?.pipelineId ?? null,
    old_pipeline_name: old?.pipelineName ?? null,
    new_status_id: next?.id ?? null,
    new_status_label: next?.label ?? null,
    new_status_type: next?.type ?? null,
    new_pipeline_id: next?.pipelineId ?? null,
    new_pipeline_name: next?.pipelineName ?? null,
  };
}

function taskCompletedFields({ data, index, user }: ActivityContext): JsonObject {
  const task = data.activityDetail(index);
  return {
    task_id: data.tables.tasks.ids.encode(task),
    task_text: madeTaskText(data, task),
    task_assigned_to: user.id,
    task_assigned_to_name: user.name,
  };
}
