/** The fields of a Meeting. Its `date_created` is its start, which may lie ahead (recorded, 2025). */
import type { ActivityContext } from './activity-record.js';
import { base62 } from './ids.js';
import type { Json, JsonObject } from './json.js';
import { MICROS_PER_MINUTE, timeText } from './moment.js';
import { sentences, subjects } from './vocabulary.js';

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
