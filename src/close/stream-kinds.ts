import { DAY_MS, HOUR_MS, MINUTE_MS } from '../core/instant.js';
import { isJsonRecord, type JsonRecord, type JsonValue } from '../core/record.js';
import type { ClosePath } from './request.js';
import type { Followed, ListPart, ListQuery } from './stream-part.js';

/**
 * Stitch's tap reads a day again, to see calls and meetings finished that it had met half done;
 * activity lists cannot be filtered by their last change (tap-closeio README). Only without events.
 */
const ACTIVITY_OVERLAP_MS = 24 * HOUR_MS;

/**
 * Close's search index lags by seconds, and Close itself advises to read the latest five minutes of
 * its event log again (docs, resources/events). Minutes are also the search's precision.
 */
const OVERLAP_MS = 5 * MINUTE_MS;

/**
 * Small lists are read whole, but not in each sync: a change that the event log names is read with
 * the log; users, roles, links and whatever else is not in the log is seen within this time.
 */
export const LIST_EVERY_MS = 6 * HOUR_MS;

/** What takes one request for each of many parents; the event log tells of changes meanwhile. */
const FAN_OUT_EVERY_MS = 24 * HOUR_MS;

export const activityPart = {
  method: 'window',
  // A month keeps `_skip` short on busy accounts, and a year takes 13 slices.
  sliceDays: 30,
  overlapMs: ACTIVITY_OVERLAP_MS,
  // A synced meeting's `date_created` is its start, which may lie ahead (recordings of 2025).
  readsFuture: true,
  followsEvents: true,
} as const;

/** A list with a clock of its own: what changed since the bookmark is asked for. */
export const ownClock = {
  // It finds its own way from any start, and ends at "now".
  sliceDays: null,
  overlapMs: OVERLAP_MS,
  readsFuture: false,
} as const;

const wholeList = {
  name: 'list',
  method: 'list',
  isWhole: true,
  isOptional: true,
  sliceDays: null,
  overlapMs: 0,
  readsFuture: false,
  everyMs: LIST_EVERY_MS,
} as const;

export const fanOut = { ...wholeList, method: 'fan-out', everyMs: FAN_OUT_EVERY_MS } as const;

/** A stream that is kept as it was read last. */
export const upserted = {
  loading: 'upsert',
  key: 'id',
  versionField: 'date_updated',
  clockField: 'date_updated',
  volatileFields: [],
  customFields: null,
} as const;

/**
 * What is read whole is always the present state, and many such records have no date of their own:
 * the one that was received last wins.
 */
export const listed = { ...upserted, versionField: null } as const;

/**
 * A small list, or several, read whole. `types`: the log's object types whose changes are seen by
 * reading it again; none where the log tells nothing.
 */
export function listOf(from: ClosePath | readonly ListQuery[], ...types: string[]): ListPart {
  const queries = typeof from === 'string' ? [{ path: from }] : from;
  if (types.length === 0) return { ...wholeList, queries };
  const byType = Object.fromEntries(types.map((type) => [type, null]));
  return { ...wholeList, queries, follows: { by: 'list', types: byType } };
}

/** Rows under several fields of one object. */
export function under(...fields: readonly string[]): NonNullable<ListQuery['pick']> {
  return (body) => fields.flatMap((field) => recordsIn(body[field]));
}

function recordsIn(value: JsonValue | undefined): readonly JsonRecord[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]).filter(isJsonRecord) : [];
}

/** Users that left are only inside the organization's memberships. */
export function formerUsers(body: JsonRecord): readonly JsonRecord[] {
  return under('inactive_memberships')(body).flatMap(({ user }) =>
    isJsonRecord(user) ? [user] : [],
  );
}

export const eventPart = {
  ...ownClock,
  method: 'events',
  path: '/event/',
  isOptional: true,
  retentionMs: 30 * DAY_MS,
} as const;

/** The object types of activities in the event log, with the path of one such activity. */
export const ACTIVITY_TYPES: Followed['types'] = {
  'activity.call': '/activity/call/:id/',
  'activity.created': '/activity/created/:id/',
  'activity.custom_activity': '/activity/custom/:id/',
  'activity.email': '/activity/email/:id/',
  'activity.form_submission': '/activity/form_submission/:id/',
  'activity.lead_merge': '/activity/lead_merge/:id/',
  'activity.lead_status_change': '/activity/status_change/lead/:id/',
  'activity.meeting': '/activity/meeting/:id/',
  'activity.note': '/activity/note/:id/',
  'activity.opportunity_status_change': '/activity/status_change/opportunity/:id/',
  'activity.sms': '/activity/sms/:id/',
  'activity.task_completed': '/activity/task_completed/:id/',
  'activity.whatsapp_message': '/activity/whatsapp_message/:id/',
  'activity.*': null,
  lead_merge: '/activity/lead_merge/:id/',
};

const SMART_VIEW_TYPES = [
  ...['lead', 'contact', 'opportunity', 'call', 'email', 'sms', 'meeting', 'note'],
  ...['whatsapp_message', 'custom_activity', 'form_submission'],
];

export const SMART_VIEW_LISTS: readonly ListQuery[] = [
  { path: '/saved_search/', params: { type__in: SMART_VIEW_TYPES } },
];

/** Archived ones are in no list that does not ask for them. */
export function withArchived(path: ListQuery['path']): readonly ListQuery[] {
  return [{ path }, { path, params: { is_archived: true } }];
}

/** Fields of an activity that change without any edit of it. */
export const VOLATILE_ACTIVITY_FIELDS: readonly string[] = [
  // Copies of a user's, a template's, a sequence's, a form's name: renaming that changes them
  // in every activity, without moving its date_updated.
  'created_by_name',
  'updated_by_name',
  'user_name',
  'task_assigned_to_name',
  'contact_name',
  'lead_name',
  'template_name',
  'sequence_name',
  'form_name',
  'integration_name',
  // Copies of a status and its pipeline.
  'old_status_label',
  'new_status_label',
  'old_status_type',
  'new_status_type',
  'old_pipeline_name',
  'new_pipeline_name',
  // The organization's currency, and what is computed from it.
  'opportunity_value_currency',
  'opportunity_value_formatted',
  // Computed from the number beside it.
  'local_phone_formatted',
  'remote_phone_formatted',
  'local_country_iso',
  'remote_country_iso',
  // True while a call runs; its end is told by `status`.
  'is_joinable',
  // The call's id under the application's host: recordings show one call under two hosts. That
  // there is a recording is told by has_recording and the durations.
  'recording_url',
  'voicemail_url',
];

/** Shared fields are in the lists of those that use them, too; the key is the same. */
export const CUSTOM_FIELD_LISTS: readonly ListQuery[] = [
  { path: '/custom_field/lead/' },
  { path: '/custom_field/contact/' },
  { path: '/custom_field/opportunity/' },
  { path: '/custom_field/activity/' },
  { path: '/custom_field/custom_object_type/' },
  { path: '/custom_field/shared/' },
];

export const BULK_ACTION_LISTS: readonly ListQuery[] = [
  { path: '/bulk_action/email/' },
  { path: '/bulk_action/edit/' },
  { path: '/bulk_action/delete/' },
  { path: '/bulk_action/sequence_subscription/' },
];
