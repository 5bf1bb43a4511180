/** Tasks: those that people set (`lead`) and some that Close makes by itself. */
import { makePhone, someContact } from './contact.js';
import type { JsonObject } from '../json.js';
import { leadDisplayName } from './contact.js';
import { dateText, MICROS_PER_DAY, MICROS_PER_HOUR, timeText } from '../moment.js';
import { formatMoney } from './opportunity.js';
import { Random } from '../random.js';
import { sentences, subjects } from './vocabulary.js';
import type { WorldData } from '../world/world-data.js';

const STREAM = 60;
/** Priorities are `high` and `medium`, views `inbox`, `future` and `archive` (Close docs, tasks). */
const PRIORITIES = ['medium', 'medium', 'high'] as const;
const OTHER_TYPES = [
  ...(['missed_call', 'incoming_email', 'opportunity_due', 'email_followup'] as const),
  ...(['answered_detached_call', 'voicemail', 'incoming_sms', 'outgoing_call'] as const),
] as const;
export type TaskType = 'lead' | (typeof OTHER_TYPES)[number];

/** Those that people or the API can make (Close docs, tasks). */
export function isPeoplesTask(type: TaskType): boolean {
  return type === 'lead' || type === 'outgoing_call';
}

/** It never changes. The data is laid out with tasks of type `lead` completed only. */
export function taskType(data: WorldData, index: number): TaskType {
  const set = data.tables.tasks.fieldsOf(index)?._type;
  const known = OTHER_TYPES.find((type) => type === set);
  if (known) return known;
  const isLater = index >= data.tables.tasks.baseCount;
  if (isLater || data.wasTaskComplete(index)) return 'lead';
  const random = new Random(data.seed, STREAM, index);
  return random.chance(0.8) ? 'lead' : random.pick(OTHER_TYPES);
}

export function madeTaskText(data: WorldData, index: number): string {
  return new Random(data.seed, STREAM + 1, index).pick(sentences);
}

export function taskRecord(data: WorldData, index: number, nowMicros: number): JsonObject {
  const table = data.tables.tasks;
  const random = new Random(data.seed, STREAM + 2, index);
  const lead = table.leadOf(index);
  const type = taskType(data, index);
  const someone = someContact(data, table, index, random);
  const contact = random.chance(0.3) ? someone : undefined;
  const due = table.createdAt(index) + random.below(20) * MICROS_PER_DAY;
  const date = random.chance(0.5)
    ? dateText(due)
    : timeText(Math.floor(due / MICROS_PER_HOUR) * MICROS_PER_HOUR);
  const isComplete = data.isTaskComplete(index);
  const user = random.pick(data.organization.users);
  const record: JsonObject = {
    id: table.ids.encode(index),
    _type: type,
    lead_id: data.tables.leads.ids.encode(lead),
    lead_name: leadDisplayName(data, lead),
    organization_id: data.organization.id,
    assigned_to: random.pick(data.organization.users).id,
    contact_id: contact?.id ?? null,
    contact_name: contact?.name ?? null,
    object_type: null,
    object_id: null,
    date,
    is_complete: isComplete,
    view: isComplete ? 'archive' : due > nowMicros ? 'future' : 'inbox',
    priority: random.pick(PRIORITIES),
    resolution: null,
    deduplication_key: null,
    agent_config_id: null,
    sequence_id: null,
    sequence_subscription_id: null,
    is_primary_lead_notification: true,
    created_by: user.id,
    updated_by: user.id,
    date_created: timeText(table.createdAt(index)),
    date_updated: timeText(table.updatedAt(index)),
    ...typeFields(data, index, type, random),
    ...completionFields(data, index),
    ...(type === 'lead' ? { due_date: date, is_dateless: false } : {}),
    ...table.fieldsOf(index),
  };
  return Object.assign(record, {
    assigned_to_name: data.userName(record.assigned_to),
    created_by_name: data.userName(record.created_by),
    updated_by_name: data.userName(record.updated_by),
  });
}

/** A completed task names the activity of its completion (recorded answers, 2017 and 2026). */
function completionFields(data: WorldData, index: number): JsonObject {
  const activity = data.completionOf(index);
  if (activity === undefined) return {};
  return { object_type: 'taskcompleted', object_id: data.tables.activities.ids.encode(activity) };
}

function typeFields(data: WorldData, index: number, type: TaskType, random: Random): JsonObject {
  switch (type) {
    case 'lead':
      return { text: madeTaskText(data, index) };
    case 'outgoing_call':
      return { text: madeTaskText(data, index) };
    case 'missed_call':
      return { phone: makePhone(random).phone, local_phone: '+14155550100', object_type: 'call' };
    case 'answered_detached_call':
      return { phone: makePhone(random).phone, object_type: 'call' };
    case 'voicemail':
      return {
        ...{ phone: makePhone(random).phone, local_phone: '+14155550100', object_type: 'call' },
        ...{ voicemail_url: `https://app.close.com/call/${String(index)}/voicemail/` },
        voicemail_duration: 3 + random.below(60),
      };
    case 'incoming_sms':
      return { phone: makePhone(random).phone, body_preview: random.pick(sentences) };
    case 'email_followup':
      return {
        subject: random.pick(subjects),
        body_preview: random.pick(sentences),
        email_id: null,
        total_emails_count_in_thread: 1 + random.below(5),
        object_type: 'emailthread',
      };
    case 'incoming_email':
      return {
        subject: random.pick(subjects),
        body_preview: random.pick(sentences),
        emails: [],
        cleared_followups: [],
        object_type: 'emailthread',
      };
    case 'opportunity_due': {
      const value = (1 + random.below(90)) * 10_000;
      return {
        opportunity_note: random.pick(sentences),
        opportunity_value: value,
        opportunity_value_formatted: formatMoney(value),
        opportunity_value_period: 'one_time',
        object_type: 'opportunity',
      };
    }
  }
}
