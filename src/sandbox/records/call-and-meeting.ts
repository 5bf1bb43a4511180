/** The fields of the two kinds of conversation, Calls and Meetings. */
import { base62 } from '../ids.js';
import type { Json, JsonObject } from '../json.js';
import { MICROS_PER_MINUTE, timeText } from '../moment.js';
import type { Random } from '../random.js';
import type { ActivityContext } from './activity.js';
import { makePhone, type Phone } from './contact.js';
import { sentences, subjects } from './vocabulary.js';

const RECORDING_KEPT_MICROS = 30 * 86_400_000_000;

interface Outcome {
  readonly status: string;
  readonly disposition: string;
  readonly isTalk: boolean;
}
const OUTCOMES: readonly Outcome[] = [
  { status: 'completed', disposition: 'answered', isTalk: true },
  { status: 'completed', disposition: 'answered', isTalk: true },
  { status: 'completed', disposition: 'vm-left', isTalk: false },
  { status: 'no-answer', disposition: 'no-answer', isTalk: false },
  { status: 'busy', disposition: 'busy', isTalk: false },
  { status: 'failed', disposition: 'error', isTalk: false },
];

/** `cost` is text or null: US cents as a decimal (Close docs, calls). */
export function callFields(context: ActivityContext): JsonObject {
  const { random, contact, created, data, index } = context;
  const outcome = random.pick(OUTCOMES);
  const isInbound = random.chance(0.25);
  const remote = contact?.phone ?? makePhone(random);
  const isExternal = random.chance(0.08);
  const note = random.chance(0.3) ? random.pick(sentences) : null;
  const id = data.tables.activities.ids.encode(index);
  return {
    direction: isInbound ? 'inbound' : 'outbound',
    status: outcome.status,
    disposition: isExternal ? null : outcome.disposition,
    duration: outcome.isTalk ? 5 + random.below(1_800) : 0,
    cost: isExternal ? null : random.chance(0.5) ? String(1 + random.below(40)) : null,
    date_answered: outcome.isTalk ? timeText(created + 4_000_000) : null,
    ...phoneFields(remote, isExternal),
    note,
    note_html: note === null ? null : `<body><p>${note}</p></body>`,
    call_method: random.chance(0.8) ? 'regular' : 'power',
    source: isExternal ? 'External' : 'Close.io',
    ...recordingFields(outcome, isInbound, created, id, random),
    ...transferFields(context, outcome.isTalk && random.chance(0.06)),
    is_joinable: false,
    is_to_group_number: false,
    is_forwarded: false,
    forwarded_to: null,
    coach_legs: [],
    dialer_id: null,
    dialer_saved_search_id: null,
    parent_meeting_id: null,
    outcome_id: null,
    sequence_id: null,
    sequence_name: null,
    sequence_subscription_id: null,
  };
}

function phoneFields(remote: Phone, isExternal: boolean): JsonObject {
  return {
    phone: remote.phone,
    remote_phone: remote.phone,
    remote_phone_formatted: remote.formatted,
    remote_country_iso: remote.country,
    local_phone: isExternal ? null : '+14155550100',
    local_phone_formatted: isExternal ? null : '+1 415-555-0100',
    local_country_iso: isExternal ? '' : 'US',
  };
}

function recordingFields(
  outcome: Outcome,
  isInbound: boolean,
  created: number,
  id: string,
  random: Random,
): JsonObject {
  const isRecorded = outcome.isTalk && random.chance(0.5);
  const hasVoicemail = isInbound && !outcome.isTalk && random.chance(0.4);
  return {
    has_recording: isRecorded,
    recording_url: isRecorded ? `https://app.close.com/call/${id}/recording/` : null,
    recording_duration: isRecorded ? 5 + random.below(1_800) : null,
    recording_expires_at: isRecorded ? timeText(created + RECORDING_KEPT_MICROS) : null,
    voicemail_url: hasVoicemail ? `https://app.close.com/call/${id}/voicemail/` : null,
    voicemail_duration: hasVoicemail ? 3 + random.below(60) : 0,
  };
}

function transferFields(
  { random, data, user }: ActivityContext,
  isTransferred: boolean,
): JsonObject {
  const other = random.pick(data.organization.users);
  return {
    transferred_from: isTransferred ? '+14155550100' : null,
    transferred_from_user_id: isTransferred ? user.id : null,
    transferred_to: isTransferred ? '+14155550101' : null,
    transferred_to_user_id: isTransferred ? other.id : null,
  };
}

/** `date_created` of a Meeting is its start, which may lie ahead (recorded, 2025). */
export function meetingFields(context: ActivityContext): JsonObject {
  const { random, created, updated, user, contact } = context;
  const minutes = random.pick([15, 30, 45, 60]);
  const attendees: Json[] = [
    {
      name: user.name,
      email: user.email,
      status: 'yes',
      is_organizer: true,
      user_id: user.id,
      contact_id: null,
    },
  ];
  if (contact) {
    attendees.push({
      name: contact.originalName,
      email: contact.email,
      status: random.pick(['noreply', 'yes', 'no', 'maybe']),
      is_organizer: false,
      user_id: null,
      contact_id: contact.id,
    });
  }
  const isAhead = created > updated;
  const status = isAhead
    ? 'upcoming'
    : random.pick(['completed', 'completed', 'canceled', 'declined-by-lead']);
  const calendarId = base62(random, 26);
  return {
    title: random.pick(subjects),
    status,
    starts_at: timeText(created),
    ends_at: timeText(created + minutes * MICROS_PER_MINUTE),
    duration: minutes * 60,
    location: random.chance(0.4) ? 'Quay Street 4, 2. Stock' : null,
    note: random.chance(0.5) ? random.pick(sentences) : '',
    attendees,
    is_recurring: random.chance(0.1),
    calendar_event_link: `https://calendar.example/event?eid=${calendarId}`,
    calendar_event_uids: [`${calendarId}@calendar.example`],
    connected_account_id: `emailacct_${user.id.slice(5)}`,
    integrations: [],
    conference_links: random.chance(0.5) ? [{ url: `https://meet.example/${calendarId}` }] : [],
    provider_calendar_id: user.email,
    provider_calendar_type: 'google',
    provider_calendar_event_id: calendarId,
    user_note: null,
    user_note_html: null,
    summary: null,
    attached_call_ids: [],
    transcripts: [],
    source: 'calendar',
    outcome_id: null,
  };
}
