/** Telephone numbers, dialers, connected mailboxes, send-as, templates, scheduling links. */
import type { Json, JsonObject } from '../../json.js';
import { paragraphs, smsTexts, subjects } from '../vocabulary.js';
import type { SettingKind, SettingMaker } from './kind.js';

export const phoneNumbers: SettingKind = {
  prefix: 'phon',
  idLength: 43,
  objectType: 'phone_number',
  times: 'offset',
  make: (maker) => [
    { ...phoneNumber(maker, 'Front desk', null), id: maker.data.organization.phoneNumberId },
    phoneNumber(maker, 'Direct', maker.user(1)),
    phoneNumber(maker, 'Old line', maker.user(8)),
  ],
};

function phoneNumber(maker: SettingMaker, label: string, userId: string | null): JsonObject {
  const isGroup = userId === null;
  const last = String(maker.random.below(100)).padStart(2, '0');
  return {
    ...maker.record(4, { label, type: isGroup ? 'virtual' : 'internal', user_id: userId }),
    number: `+141555501${last}`,
    number_formatted: `+1 415-555-01${last}`,
    country: 'US',
    carrier: 'twilio',
    is_group_number: isGroup,
    is_verified: false,
    participants: isGroup ? [maker.user(0), maker.user(1), maker.user(2)] : [],
    phone_numbers: [],
    phone_numbers_formatted: [],
    sms_enabled: true,
    mms_enabled: isGroup,
    forward_to: '',
    forward_to_formatted: null,
    forward_to_enabled: false,
    press_1_to_accept: false,
    voicemail_greeting_url: null,
    // A date for some and a time for others; the price is text (recorded events, 2022).
    next_billing_on: isGroup ? '2026-12-01' : '2026-12-01T00:00:00+00:00',
    last_billed_price: '1.15',
  };
}

export const blockedPhoneNumbers: SettingKind = {
  prefix: 'blocked',
  idLength: 22,
  times: 'offset',
  make: (maker) => [maker.record(90, { number: '+14155550177', reason: 'spam', type: 'inbound' })],
};

export const dialers: SettingKind = {
  prefix: 'dial',
  idLength: 22,
  times: 'naive',
  make: (maker) =>
    (['power', 'predictive'] as const).map((type, place) =>
      maker.record(100 + place, {
        type,
        status: place === 0 ? 'active' : 'ended',
        source_type: 'saved-search',
        source_value: `save_${maker.organizationId.slice(5)}`,
        target_type: 'contact',
        ring_mode: 'all',
        caller_id: maker.data.organization.phoneNumberId,
        users: [{ user_id: maker.user(1), state: 'offline', is_active: place === 0 }],
      }),
    ),
};

/** Only those that the key's own user may use are listed (Close docs, connected accounts). */
export const connectedAccounts: SettingKind = {
  prefix: 'emailacct',
  idLength: 43,
  times: 'offset',
  make: (maker) =>
    (['google', 'custom_email', 'zoom', 'microsoft'] as const).map((_type, place) => {
      const userId = maker.user(place);
      return {
        ...maker.record(6 + place, { _type, user_id: userId }),
        email: `user${String(place + 1)}@sandbox.example`,
        default_identity: { name: 'Sandbox', email: `user${String(place + 1)}@sandbox.example` },
        identities: [{ name: 'Sandbox', email: `user${String(place + 1)}@sandbox.example` }],
        imap: _type === 'custom_email' ? server(993) : null,
        smtp: _type === 'custom_email' ? server(587) : {},
        enabled_features: ['email_sending', 'email_syncing'],
        available_calendars: [],
        synced_calendars: [],
        email_sync_status: 'active',
        calendar_sync_status: 'active',
        receive_attempts_count: 0,
        signature: null,
      };
    }),
};

function server(port: number): JsonObject {
  return { host: 'mail.sandbox.example', port, use_ssl: true, username: 'user2' };
}

/** Only those that the key's own user takes part in are listed (Close docs, send as). */
export const sendAs: SettingKind = {
  prefix: 'sendas',
  idLength: 22,
  times: 'offset',
  make: (maker) =>
    [
      [1, 0],
      [0, 2],
      [3, 4],
    ].map(([allowing, allowed], place) => ({
      id: maker.id(),
      allowing_user_id: maker.user(allowing),
      allowed_user_id: maker.user(allowed),
      organization_id: maker.organizationId,
      date_created: maker.time(8 + place),
      date_updated: maker.time(8 + place),
    })),
};

export const unsubscribedEmails: SettingKind = {
  prefix: 'unsub',
  idLength: 22,
  objectType: 'unsubscribed_email',
  times: 'offset',
  make: (maker) => [
    { id: maker.id(), email: 'no-more@partner.example', ...maker.dated(70), source: 'link' },
  ],
};

/** Archived ones are listed only when asked for (Close's OpenAPI document). */
export const emailTemplates: SettingKind = {
  prefix: 'tmpl',
  idLength: 43,
  objectType: 'email_template',
  times: 'offset',
  make: (maker) =>
    ['First contact', 'Reminder', 'Vertrag', 'Summer 2019'].map((name, place) => ({
      ...maker.record(10 + place, { name }),
      // Emails name the first.
      ...(place === 0 ? { id: `tmpl_${maker.data.organization.phoneNumberId.slice(5)}` } : {}),
      subject: maker.random.pick(subjects),
      body: `<p>${maker.random.pick(paragraphs)}</p><p>{{ user.first_name }}</p>`,
      attachments: place === 2 ? [attachment(maker)] : [],
      is_shared: place !== 1,
      is_archived: place === 3,
      unsubscribe_link_option: null,
    })),
};

function attachment(maker: SettingMaker): Json {
  return {
    url: `https://app.close.com/go/file/${maker.organizationId}/0/`,
    filename: 'Vertrag.pdf',
    size: 48_000,
    content_type: 'application/pdf',
    content_id: null,
  };
}

export const smsTemplates: SettingKind = {
  prefix: 'smstmpl',
  idLength: 22,
  objectType: 'sms_template',
  times: 'naive',
  make: (maker) =>
    ['On my way', 'Old greeting'].map((name, place) =>
      maker.record(12 + place, {
        name,
        text: maker.random.pick(smsTexts),
        attachments: [],
        is_shared: true,
        is_archived: place === 1,
        status: place === 1 ? 'archived' : 'active',
      }),
    ),
};

export const schedulingLinks: SettingKind = {
  prefix: 'schlink',
  idLength: 22,
  times: 'naive',
  make: (maker) => [
    maker.record(50, {
      name: '30 minutes',
      url: 'https://meet.example/30',
      user_id: maker.user(0),
    }),
  ],
};

export const sharedSchedulingLinks: SettingKind = {
  prefix: 'sschlink',
  idLength: 22,
  times: 'naive',
  make: (maker) => [maker.record(51, { name: 'Demo', url: 'https://meet.example/demo' })],
};
