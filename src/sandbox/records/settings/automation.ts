/** Sequences and their subscriptions, smart views, bulk actions, exports, webhooks. */
import type { Json, JsonObject } from '../../json.js';
import { base62 } from '../../ids.js';
import { MICROS_PER_DAY, naiveTimeText } from '../../moment.js';
import { Random } from '../../random.js';
import type { SettingKind, SettingMaker } from './kind.js';

const SUBSCRIPTION_STREAM = 78;
const SUBSCRIBED_SHARE = 0.12;

/** People are named by `created_by_id` here, times are naive (recorded answers, 2026). */
export const sequences: SettingKind = {
  prefix: 'seq',
  idLength: 22,
  objectType: 'sequence',
  times: 'naive',
  make: (maker) =>
    ['New leads', 'Verlängerung', 'Paused'].map((name, place) => ({
      id: maker.id(),
      organization_id: maker.organizationId,
      name,
      status: place === 2 ? 'paused' : 'active',
      timezone: 'Europe/Dublin',
      schedule: place === 1 ? { ranges: [{ weekday: 1, start: '09:00', end: '17:00' }] } : null,
      schedule_id: place === 1 ? `sched_${base62(maker.random, 22)}` : null,
      owner_id: maker.user(0),
      allow_manual_enrollment: true,
      trigger_query: null,
      steps: Array.from({ length: 1 + place }, (_, step) => sequenceStep(maker, step)),
      ...datedById(maker, 30 + place),
    })),
};

function sequenceStep(maker: SettingMaker, step: number): Json {
  const stepType = (['email', 'call', 'sms'] as const)[step] ?? 'call';
  return {
    id: `seqstep_${base62(maker.random, 22)}`,
    step_type: stepType,
    delay: step * 86_400,
    required: stepType === 'call',
    email_template_id:
      stepType === 'email' ? `tmpl_${maker.data.organization.phoneNumberId.slice(5)}` : null,
    sms_template_id: null,
    step_allowed_delay: null,
    threading: stepType === 'email' ? 'new_thread' : null,
    ...datedById(maker, 30),
  };
}

function datedById(maker: SettingMaker, days: number): JsonObject {
  const time = maker.time(days);
  const user = maker.user(0);
  return { created_by_id: user, updated_by_id: user, date_created: time, date_updated: time };
}

export const sequenceSubscriptions: SettingKind = {
  prefix: 'sub',
  idLength: 22,
  objectType: 'sequence_subscription',
  times: 'naive',
  make: (maker) => {
    const { leads } = maker.data.tables;
    const sequenceIds = [0, 1, 2].map((place) => maker.otherId(sequences, 'sequences', place));
    const found: JsonObject[] = [];
    for (let lead = 0; lead < leads.baseCount; lead++) {
      const [contact] = maker.data.firstContactsOf(lead);
      const random = new Random(maker.data.seed, SUBSCRIPTION_STREAM, lead);
      if (contact === undefined || !random.chance(SUBSCRIBED_SHARE)) continue;
      found.push(subscription(maker, lead, contact, random, random.pick(sequenceIds)));
    }
    return found;
  },
};

function subscription(
  maker: SettingMaker,
  lead: number,
  contact: number,
  random: Random,
  sequenceId: string | null,
): JsonObject {
  const { leads, contacts } = maker.data.tables;
  const started = leads.createdAt(lead) + MICROS_PER_DAY + random.below(1_000_000);
  const isFinished = random.chance(0.5);
  const user = random.pick(maker.data.organization.users);
  return {
    id: `sub_${base62(random, 22)}`,
    organization_id: maker.organizationId,
    sequence_id: sequenceId,
    lead_id: leads.ids.encode(lead),
    contact_id: contacts.ids.encode(contact),
    contact_email: `contact.${String(contact)}@lead-${String(lead)}.example`,
    sender_account_id: `emailacct_${user.id.slice(5)}`,
    sender_name: user.name,
    sender_email: user.email,
    calls_assigned_to: [user.id],
    status: isFinished ? 'finished' : 'active',
    pause_reason: null,
    finish_reason: isFinished ? 'replied' : null,
    start_date: naiveTimeText(started),
    created_by_id: user.id,
    updated_by_id: user.id,
    date_created: naiveTimeText(started),
    date_updated: naiveTimeText(started + (isFinished ? MICROS_PER_DAY : 0)),
  };
}

/** `type` is `lead` where nobody asks for others (Close's OpenAPI document). */
export const smartViewTypes = [
  ...(['lead', 'contact', 'opportunity', 'call', 'email', 'sms', 'meeting', 'note'] as const),
  ...(['whatsapp_message', 'custom_activity', 'form_submission'] as const),
] as const;

export const smartViews: SettingKind = {
  prefix: 'save',
  idLength: 43,
  objectType: 'saved_search',
  times: 'offset',
  make: (maker) => [
    ...smartViewTypes.map((type, place) => smartView(maker, `All ${type}s`, type, place, true)),
    smartView(maker, 'My own', 'lead', 0, false),
    smartView(maker, 'Somebody else’s', 'lead', 3, false),
  ],
};

function smartView(
  maker: SettingMaker,
  name: string,
  type: string,
  place: number,
  isShared: boolean,
): JsonObject {
  return maker.record(15 + place, {
    name,
    type,
    query: type === 'lead' ? 'sort:-date_updated' : null,
    s_query: { query: { type: 'object_type', object_type: type }, results_limit: null, sort: [] },
    is_shared: isShared,
    is_user_dependent: false,
    user_id: maker.user(place % 4),
    selected_fields: null,
    shared_with: isShared ? [] : null,
  });
}

/** What all four kinds of bulk action have in common (Close's OpenAPI document). */
function bulkAction(objectType: string, prefix: string, own: (maker: SettingMaker) => JsonObject) {
  const kind: SettingKind = {
    prefix,
    idLength: 43,
    objectType: `bulk_action.${objectType}`,
    times: 'offset',
    make: (maker) => [
      maker.record(110, {
        status: 'done',
        query: 'status:"Bad Fit"',
        s_query: null,
        sort: [],
        results_limit: null,
        n_leads: 12,
        n_leads_processed: 12,
        n_objects: 12,
        n_objects_processed: 12,
        send_done_email: false,
        ...own(maker),
      }),
    ],
  };
  return kind;
}

export const bulkEmails = bulkAction('email', 'bulkemail', (maker) => ({
  template_id: `tmpl_${maker.data.organization.phoneNumberId.slice(5)}`,
  sender: 'Sandbox <user1@sandbox.example>',
  contact_preference: 'lead',
  email_account_id: null,
}));
export const bulkEdits = bulkAction('edit', 'bulkedit', (maker) => ({
  type: 'set_lead_status',
  custom_field_name: null,
  custom_field_value: null,
  lead_status_id: maker.data.organization.leadStatuses[0]?.id ?? null,
}));
export const bulkDeletes = bulkAction('delete', 'bulkdelete', () => ({
  bulk_object_type: 'lead',
}));
export const bulkSequenceSubscriptions = bulkAction(
  'sequence_subscription',
  'bulkseqsub',
  (maker) => ({
    action_type: 'subscribe',
    sequence_id: maker.otherId(sequences, 'sequences', 0),
    sender_name: 'Sandbox',
    sender_email: 'user1@sandbox.example',
    sender_account_id: null,
    calls_assigned_to: [maker.user(1)],
    from_phone_number_id: null,
  }),
);

export const exports: SettingKind = {
  prefix: 'expo',
  idLength: 43,
  times: 'offset',
  make: (maker) =>
    (['leads', 'opportunities'] as const).map((type, place) =>
      maker.record(120 + place, {
        type: place === 0 ? type : 'opportunities',
        format: place === 0 ? 'json' : 'csv',
        status: 'done',
        query: '',
        s_query: null,
        download_url: `https://exports.example/${maker.organizationId}/${type}.gz`,
        n_docs: 2_000,
        n_docs_processed: 2_000,
        send_done_email: false,
      }),
    ),
};

/** `signature_key` comes with the creation only (recorded answers, 2026). */
export const webhooks: SettingKind = {
  prefix: 'whsub',
  idLength: 22,
  times: 'naive',
  make: (maker) => {
    const event_id = `ev_${base62(maker.random, 22)}`;
    const attempt = { attempt_number: 1, datetime: '2026-06-19T12:11:39.429745+00:00', event_id };
    return [
      {
        id: maker.id(),
        url: 'https://hooks.sandbox.example/close',
        status: 'active',
        events: [{ object_type: 'lead', action: 'updated', extra_filter: null }],
        verify_ssl: true,
        counters: { first_fail: 1, first_success: 1, retry_success: 1 },
        history: {
          errors: [{ ...attempt, error: 'HTTPError', response_status_code: 404 }],
          successes: [{ ...attempt, error: null, response_status_code: 200 }],
        },
        health_status: null,
        latest_error: 'Exception name: HTTPError, Status code: 404',
        pause_reason: null,
        recent_consecutive_fail_buckets_cnt: 0,
        ...maker.dated(130),
      },
    ];
  },
};
