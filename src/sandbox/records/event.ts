/**
 * Events as the API gives them. What they carry is close to, but not the same as, what the lists
 * give: some keys are in the one only, some in the other (recorded events and lists, 2022).
 */
import { IdCodec } from '../ids.js';
import type { Json, JsonObject } from '../json.js';
import { MICROS_PER_MS, naiveTimeText, timeText } from '../moment.js';
import {
  FIRST_LATER_NUMBER,
  isRecord,
  type LogEvent,
  type RecordSubject,
} from '../world/event-log.js';
import { activityObjectTypes, actorOf, objectTypeOf } from '../world/event-recording.js';
import type { KeptState, WorldData } from '../world/world-data.js';
import { makeRecord } from './make-record.js';

/** Keys of the list's record that no event has, by object type or its first part. */
const LIST_ONLY: Readonly<Record<string, readonly string[]>> = {
  lead: ['contacts', 'opportunities', 'tasks', 'custom', 'html_url', 'integration_links'],
  contact: ['display_name', 'integration_links'],
  opportunity: ['integration_links', 'status_display_name'],
  task: ['contact_name'],
  'task.opportunity_due': [
    ...['contact_name', 'opportunity_note', 'opportunity_value'],
    ...['opportunity_value_formatted', 'opportunity_value_period'],
  ],
  [activityObjectTypes.Email]: ['body_html_quoted', 'body_text_quoted'],
  'activity.email_thread': ['latest_emails'],
  [activityObjectTypes.Call]: ['coach_legs'],
  [activityObjectTypes.SMS]: ['sequence_id', 'sequence_name', 'sequence_subscription_id'],
};

export class EventMaker {
  private readonly ids: IdCodec;
  private readonly requestIds: IdCodec;

  constructor(private readonly data: WorldData) {
    this.ids = new IdCodec('ev', data.seed, 7, 'short');
    this.requestIds = new IdCodec('req', data.seed, 8, 'short');
  }

  numberOf(id: string): number | undefined {
    return this.ids.decode(id);
  }

  idOf(event: LogEvent): string {
    return this.ids.encode(event.number);
  }

  requestIdOf({ cause }: LogEvent): string | null {
    return cause.isSystem ? null : this.requestIds.encode(cause.request >>> 0);
  }

  userIdOf({ cause }: LogEvent): string | null {
    return actorOf(this.data, cause);
  }

  objectTypeOf({ subject }: LogEvent): string {
    if (!isRecord(subject)) return subject.objectType;
    const state = subject.after ?? subject.before;
    const { data } = this;
    if (!state || subject.table !== 'tasks') return objectTypeOf(data, subject);
    return data.tables.tasks.viewing(subject.index, state, () => objectTypeOf(data, subject));
  }

  objectIdOf({ subject }: LogEvent): string {
    if (!isRecord(subject)) return subject.id;
    return this.data.tables[subject.table].ids.encode(subject.index);
  }

  leadIdOf({ subject }: LogEvent): string | null {
    if (!isRecord(subject)) return subject.leadId;
    const { table, index, before, after } = subject;
    const first = this.data.tables[table].firstLeadOf(index);
    return this.data.tables.leads.ids.encode((after ?? before)?.movedTo ?? first);
  }

  make(event: LogEvent): JsonObject {
    const { data, previous } = this.content(event);
    const isUpdate = event.action === 'updated';
    return {
      id: this.idOf(event),
      object_type: this.objectTypeOf(event),
      object_id: this.objectIdOf(event),
      lead_id: this.leadIdOf(event),
      action: event.action,
      changed_fields: isUpdate ? Object.keys(previous) : [],
      data,
      previous_data: isUpdate || event.action === 'deleted' ? previous : {},
      meta: event.cause.meta,
      request_id: this.requestIdOf(event),
      user_id: this.userIdOf(event),
      api_key_id: null,
      oauth_client_id: null,
      oauth_scope: null,
      organization_id: this.data.organization.id,
      date_created: eventTime(event.createdMs),
      date_updated: eventTime(event.updatedMs),
    };
  }

  /** `data` is null for a delete; `previous` is then the whole last object, else what differed. */
  private content(event: LogEvent): { data: JsonObject | null; previous: JsonObject } {
    const { subject } = event;
    const type = this.objectTypeOf(event);
    const make = (side: 'before' | 'after'): JsonObject | undefined => {
      if (!isRecord(subject)) return subject[side];
      const state = subject[side];
      return state && this.recordAt(subject, state, type);
    };
    const after = make('after');
    if (!after) return { data: null, previous: make('before') ?? {} };
    if (event.number < FIRST_LATER_NUMBER) {
      return { data: after, previous: earlierTimes(this.data, subject) };
    }
    const before = make('before');
    return { data: after, previous: before ? differing(before, after) : {} };
  }

  private recordAt({ table, index }: RecordSubject, state: KeptState, type: string): JsonObject {
    const { data } = this;
    const made = data.tables[table].viewing(index, state, () =>
      makeRecord(data, table, index, data.tables[table].updatedAt(index)),
    );
    return eventShape(data, type, made, state);
  }
}

function eventTime(ms: number): string {
  const text = naiveTimeText(ms * MICROS_PER_MS);
  return text.length === 19 ? `${text}.000000` : text;
}

/** Of an edit before the data was laid out nothing is known but that it moved the time. */
function earlierTimes(data: WorldData, subject: LogEvent['subject']): JsonObject {
  if (!isRecord(subject)) return {};
  const created = data.tables[subject.table].createdAt(subject.index);
  return { date_updated: timeText(created) };
}

function eventShape(
  data: WorldData,
  type: string,
  record: JsonObject,
  state: KeptState,
): JsonObject {
  const dropped = LIST_ONLY[type] ?? LIST_ONLY[type.split('.')[0] ?? ''] ?? [];
  const shaped: JsonObject = {};
  for (const [key, value] of Object.entries(record))
    if (!dropped.includes(key)) shaped[key] = value;
  if (type === 'lead') {
    shaped.contact_ids = (state.contacts ?? []).map((one) => data.tables.contacts.ids.encode(one));
  }
  if (type.startsWith('task.')) shaped.is_new = false;
  if (type === activityObjectTypes.Call) shaped.quality_info = null;
  if (type === 'activity.email_thread') {
    const latest = Array.isArray(record.latest_emails) ? record.latest_emails : [];
    shaped.email_ids = latest.map((email) => (email as JsonObject).id ?? null);
  }
  return shaped;
}

/** The old values of the fields that changed; null for those that are new. */
function differing(before: JsonObject, after: JsonObject): JsonObject {
  const previous: JsonObject = {};
  for (const key of new Set([...Object.keys(after), ...Object.keys(before)])) {
    const old: Json = before[key] ?? null;
    if (JSON.stringify(old) !== JSON.stringify(after[key] ?? null)) previous[key] = old;
  }
  return previous;
}
