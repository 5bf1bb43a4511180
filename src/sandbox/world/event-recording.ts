/** Which events a change makes: the sandbox compares how its records stood before and after. */
import type { JsonObject } from '../json.js';
import { MICROS_PER_MS } from '../moment.js';
import { Random } from '../random.js';
import { taskType } from '../records/task.js';
import type { ActivityType } from './activity-columns.js';
import {
  RETENTION_MS,
  type Cause,
  type EarlierEvents,
  type EventLog,
  type LogEvent,
  type PlainSubject,
} from './event-log.js';
import type { ToldChange } from './setting-changes.js';
import {
  tableNames,
  type KeptState,
  type RecordKey,
  type TouchedRecord,
  type WorldData,
} from './world-data.js';

const EARLIER_STREAM = 131;
/** An email is synchronized some seconds after it was made; that is no edit. */
const NO_EDIT_MICROS = 6_000_000;

/** How the log names each kind of activity (Close docs, list of event types, 2026-03). */
export const activityObjectTypes: Readonly<Record<ActivityType, string>> = {
  Call: 'activity.call',
  Email: 'activity.email',
  Note: 'activity.note',
  SMS: 'activity.sms',
  Meeting: 'activity.meeting',
  Created: 'activity.created',
  LeadStatusChange: 'activity.lead_status_change',
  OpportunityStatusChange: 'activity.opportunity_status_change',
  TaskCompleted: 'activity.task_completed',
  Custom: 'activity.custom_activity',
  WhatsAppMessage: 'activity.whatsapp_message',
  FormSubmission: 'activity.form_submission',
  LeadMerge: 'activity.lead_merge',
};

export function objectTypeOf(data: WorldData, { table, index }: RecordKey): string {
  switch (table) {
    case 'leads':
      return 'lead';
    case 'contacts':
      return 'contact';
    case 'opportunities':
      return 'opportunity';
    case 'tasks':
      return `task.${taskType(data, index)}`;
    case 'threads':
      return 'activity.email_thread';
    case 'activities':
      return activityObjectTypes[data.activityType(index)];
  }
}

/** Writes the events of one change; `merged` names the lead that another was merged into. */
export function recordEvents(
  log: EventLog,
  data: WorldData,
  touched: readonly TouchedRecord[],
  micros: number,
  cause: Cause,
  merged?: number,
): void {
  const ms = Math.floor(micros / MICROS_PER_MS);
  for (const { table, index, before } of touched) {
    const isAlive = data.tables[table].isAlive(index);
    if (!isAlive && !before) continue;
    const after = isAlive ? data.stateOf(table, index) : undefined;
    const action = actionOf({ table, index }, before, after, merged);
    if (action === undefined) continue;
    const name = `${table} ${String(index)}`;
    log.write(name, action, { table, index, before, after }, ms, cause);
  }
  log.prune(ms);
}

function actionOf(
  { table, index }: RecordKey,
  before: KeptState | undefined,
  after: KeptState | undefined,
  merged: number | undefined,
): string | undefined {
  if (!before) return 'created';
  if (!after) return 'deleted';
  if (table === 'leads') {
    if (index === merged) return 'merged';
    // Edits of its contacts and completed tasks move a lead without an event (Close docs, events).
    const isSame = String(before.contacts) === String(after.contacts);
    return hasNewFields(before, after) || !isSame ? 'updated' : undefined;
  }
  const was = before.change?.fields ?? {};
  const is = after.change?.fields ?? {};
  if (table === 'tasks')
    return is.is_complete === true && !was.is_complete ? 'completed' : 'updated';
  return table === 'activities' ? activityAction(was, is) : 'updated';
}

function hasNewFields(before: KeptState, after: KeptState): boolean {
  return JSON.stringify(before.change?.fields ?? {}) !== JSON.stringify(after.change?.fields ?? {});
}

const STATUS_ACTIONS = new Map<unknown, string>([
  ['completed', 'completed'],
  ['sent', 'sent'],
  ['canceled', 'canceled'],
  ['in-progress', 'started'],
]);

/** Some changes of an activity's status have actions of their own (Close docs, event types). */
function activityAction(was: JsonObject, is: JsonObject): string {
  if (was.date_answered !== is.date_answered && is.status === 'in-progress') return 'answered';
  return was.status === is.status ? 'updated' : (STATUS_ACTIONS.get(is.status) ?? 'updated');
}

/** The last change of each record that was laid out, where Close would remember it. */
export function earlierEvents(data: WorldData, untilMicros: number): EarlierEvents {
  const from = untilMicros - RETENTION_MS * MICROS_PER_MS;
  const keys: RecordKey[] = [];
  for (const table of tableNames) {
    const { baseCount } = data.tables[table];
    for (let index = 0; index < baseCount; index++) {
      const updated = data.tables[table].firstUpdatedAt(index);
      if (updated >= from && updated <= untilMicros) keys.push({ table, index });
    }
  }
  const timeOf = ({ table, index }: RecordKey): number =>
    Math.floor(data.tables[table].firstUpdatedAt(index) / MICROS_PER_MS);
  keys.sort((one, other) => timeOf(one) - timeOf(other));
  const ms = Float64Array.from(keys, timeOf);
  return {
    ms,
    read: (position) => earlierEvent(data, keys[position] ?? keys[0], position, ms[position] ?? 0),
  };
}

function earlierEvent(
  data: WorldData,
  key: RecordKey | undefined,
  number: number,
  ms: number,
): LogEvent {
  if (!key) throw new RangeError('There is no such event.');
  const { table, index } = key;
  const records = data.tables[table];
  const room = records.firstUpdatedAt(index) - records.createdAt(index);
  const after: KeptState = {
    change: undefined,
    movedTo: undefined,
    contacts: table === 'leads' ? data.firstContactsOf(index) : undefined,
  };
  const isEdit = room > NO_EDIT_MICROS;
  return {
    number,
    action: isEdit ? 'updated' : 'created',
    // All that is known of the state before an edit is that the record was there.
    subject: { table, index, before: isEdit ? after : undefined, after },
    createdMs: ms,
    updatedMs: ms,
    cause: { request: -1 - number, isSystem: table === 'threads', meta: {} },
  };
}

/** Who acted: nobody for what Close does by itself. */
export function actorOf(data: WorldData, cause: Cause): string | null {
  if (cause.isSystem) return null;
  const random = new Random(data.seed, EARLIER_STREAM, cause.request);
  return random.pick(data.organization.users.filter((user) => user.isActive)).id;
}

/** Of some settings the log tells nothing (Close docs, list of event types). */
export function recordSetting(
  log: EventLog,
  { objectType, action, before, after }: ToldChange,
  micros: number,
  cause: Cause,
): void {
  if (objectType === undefined) return;
  const subject = subjectOf(objectType, before, after);
  const ms = Math.floor(micros / MICROS_PER_MS);
  log.write(`${objectType} ${subject.id}`, action, subject, ms, cause);
}

function subjectOf(
  objectType: string,
  before: JsonObject | undefined,
  after: JsonObject | undefined,
): PlainSubject {
  const one = after ?? before ?? {};
  const { id, lead_id } = one;
  return {
    objectType,
    id: typeof id === 'string' ? id : '',
    leadId: typeof lead_id === 'string' ? lead_id : null,
    before,
    after,
  };
}
