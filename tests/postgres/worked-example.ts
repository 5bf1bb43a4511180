import type { JsonRecord } from '../../src/core/record.js';

/** The fields of `leads__opportunities` on Stitch's page for Close.io. */
export const OPPORTUNITY_FIELDS = [
  ...['value', 'date_lost', 'created_by', 'user_id', 'contact_id', 'updated_by_name', 'updated_by'],
  ...['status_id', 'user_name', 'organization_id', 'value_formatted', 'date_created', 'id'],
  ...['value_currency', 'value_period', 'lead_id', 'confidence', 'contact_name', 'date_updated'],
  ...['status_label', 'note', 'lead_name', 'status_type', 'created_by_name', 'date_won'],
] as const;

const opportunity: JsonRecord = {
  ...{ id: 'oppo_example', lead_id: 'lead_example', lead_name: 'Gene & Sons', note: 'wants two' },
  ...{ value: 120000, value_formatted: '$1,200', value_currency: 'USD', value_period: 'one_time' },
  ...{ confidence: 60, status_id: 'stat_1', status_label: 'Shown', status_type: 'active' },
  ...{
    date_won: '2022-03-04',
    date_lost: '2022-03-05',
    contact_id: 'cont_1',
    contact_name: 'Gene',
  },
  ...{ user_id: 'user_1', user_name: 'Ada', created_by: 'user_1', created_by_name: 'Ada' },
  ...{ updated_by: 'user_1', updated_by_name: 'Ada', organization_id: 'orga_1' },
  ...{
    date_created: '2022-03-01T10:00:00.100000+00:00',
    date_updated: '2022-03-02T10:00:00+00:00',
  },
};

const role = { custom: { 'Role at work': ['Gatekeeper'] } };
const link = { name: 'Search', url: 'https://search.example/?q=gene' };

/** A lead of the shape that Close gives, with invented values; custom fields have their labels. */
export const exampleLead: JsonRecord = {
  ...{ id: 'lead_example', name: 'Gene & Sons', display_name: 'Gene & Sons', url: null },
  ...{
    description: null,
    status_id: 'stat_9',
    status_label: 'Interested',
    organization_id: 'orga_1',
  },
  ...{
    html_url: 'https://app.example/lead/lead_example/',
    created_by: 'user_1',
    updated_by: 'user_1',
  },
  ...{ created_by_name: 'Ada', updated_by_name: 'Ada', tasks: [] },
  ...{
    date_created: '2021-07-05T11:39:00.850000+00:00',
    date_updated: '2022-11-08T16:28:54.174000+00:00',
  },
  custom: { Industry: 'Tailors', 'Lead Owner': 'user_1', 'Current Vendor/Software': 'Threads' },
  opportunities: [opportunity],
  addresses: [
    {
      ...{ label: 'business', address_1: '1 Main Street', address_2: '', city: 'Springfield' },
      zipcode: '01234',
    },
  ],
  integration_links: [link],
  contacts: [
    {
      ...{ id: 'cont_1', lead_id: 'lead_example', name: 'Gene', title: 'Tailor', urls: [] },
      ...{
        emails: [{ email: 'gene@example.com', type: 'office' }],
        integration_links: [link],
        ...role,
      },
      phones: [{ phone: '+12025550100', phone_formatted: '+1 202-555-0100', type: 'office' }],
    },
    {
      ...{ id: 'cont_2', lead_id: 'lead_example', name: 'Mona', title: null, urls: [], phones: [] },
      ...{
        emails: [{ email: 'mona@example.com', type: 'home' }],
        integration_links: [link],
        ...role,
      },
    },
  ],
};

const sender = [{ email: 'daemon@mail.example', name: 'Mail Delivery' }];

/** An incoming mail: the activity that nests most. */
export const bouncedMail: JsonRecord = {
  ...{
    id: 'acti_example',
    _type: 'Email',
    direction: 'incoming',
    status: 'inbox',
    template_id: null,
  },
  ...{
    lead_id: 'lead_example',
    organization_id: 'orga_1',
    subject: 'Not delivered',
    body_text: 'Sorry',
  },
  ...{
    date_created: '2022-11-08T16:09:09+00:00',
    date_updated: '2022-11-08T16:28:54.140000+00:00',
  },
  ...{ need_smtp_credentials: false, cc: [], bcc: [], opens: [], send_attempts: [] },
  ...{ to: ['ada@example.com'], message_ids: ['<m1@mail.example>'] },
  references: ['<first@mail.example>', '<second@mail.example>'],
  attachments: [{ filename: 'icon.png', size: 1450, content_type: 'image/png' }],
  body_text_quoted: [{ text: 'Sorry', expand: true }],
  body_html_quoted: [{ html: '<p>Sorry</p>', expand: true }],
  envelope: {
    ...{ subject: 'Not delivered', message_id: '<m1@mail.example>', is_autoreply: true },
    ...{ date: 'Tue, 08 Nov 2022 08:09:09 -0800 (PST)', in_reply_to: '<m0@mail.example>' },
    ...{ from: sender, sender, to: [{ email: 'ada@example.com', name: '' }] },
    ...{ cc: [], bcc: [], reply_to: [] },
  },
};
