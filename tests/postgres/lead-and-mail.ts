import { foldCustomFields, type CustomField } from '../../src/core/custom-fields.js';
import type { JsonRecord } from '../../src/core/record.js';

/**
 * A lead and a bounced mail as Close sends them, with all that it nests in them: shapes of two real
 * records, values invented. Custom values come in both of their forms.
 */
const field = (id: string, label: string): readonly [string, CustomField] => [
  id,
  { id, label, currentName: label, type: 'text' },
];
const FIELDS = new Map([
  [
    'lead',
    new Map([
      field('cf_industry', 'Industry'),
      field('cf_owner', 'Lead Owner'),
      field('cf_source', 'Referral Source'),
      field('cf_vendor', 'Current Vendor/Software'),
    ]),
  ],
  ['contact', new Map([field('cf_role', 'Role at work')])],
]);

const opportunity: JsonRecord = {
  ...{ id: 'oppo_1', lead_id: 'lead_A', lead_name: 'Marsh Pottery', note: "Wants Gob's kiln." },
  ...{ value: 300000, value_formatted: '$3,000', value_currency: 'USD', value_period: 'one_time' },
  ...{ confidence: 75, status_id: 'stat_2', status_label: 'Demo done', status_type: 'active' },
  ...{ status_display_name: 'Demo done', annualized_value: 300000, expected_value: 225000 },
  ...{ annualized_expected_value: 225000, date_won: '2021-07-16', date_lost: null },
  ...{ contact_id: null, contact_name: null, organization_id: 'orga_1' },
  ...{ user_id: 'user_1', user_name: 'Remi', created_by: 'user_1', created_by_name: 'Remi' },
  ...{ updated_by: 'user_1', updated_by_name: 'Remi' },
  date_created: '2021-07-13T11:39:04.817000+00:00',
  date_updated: '2021-07-13T11:39:04.817000+00:00',
};

const link = { name: 'Search', url: 'https://search.example/?q=pottery' };

const sentLead: JsonRecord = {
  ...{ id: 'lead_A', name: 'Marsh Pottery', display_name: 'Marsh Pottery', url: null },
  ...{ description: null, status_id: 'stat_1', status_label: 'Interested', tasks: [] },
  ...{ organization_id: 'orga_1', html_url: 'https://app.example/lead/lead_A/' },
  ...{ created_by: 'user_1', created_by_name: 'Remi' },
  ...{ updated_by: 'user_1', updated_by_name: 'Remi' },
  date_created: '2021-07-05T11:39:00.850000+00:00',
  date_updated: '2022-11-08T16:28:54.174000+00:00',
  custom: {
    ...{ Industry: 'Crafts', 'Lead Owner': 'user_1', 'Referral Source': 'Search' },
    'Current Vendor/Software': 'Mud & Co',
  },
  ...{ 'custom.cf_industry': 'Crafts', 'custom.cf_owner': 'user_1' },
  ...{ 'custom.cf_source': 'Search', 'custom.cf_vendor': 'Mud & Co' },
  opportunities: [opportunity],
  addresses: [
    {
      ...{ label: 'business', address_1: '1 Kiln Lane', city: 'Stoke', state: 'CA' },
      ...{ zipcode: '04105', country: 'US' },
    },
  ],
  integration_links: [link],
  contacts: [
    {
      ...{ id: 'cont_1', lead_id: 'lead_A', name: 'Ada', display_name: 'Ada', title: 'Potter' },
      ...{ urls: [], emails: [{ email: 'ada@mail.example', type: 'office' }] },
      phones: [
        {
          phone: '+12025550186',
          phone_formatted: '+1 202-555-0186',
          type: 'office',
          country: 'US',
        },
      ],
      ...{ integration_links: [link], 'custom.cf_role': ['Gatekeeper'] },
    },
    {
      ...{ id: 'cont_2', lead_id: 'lead_A', name: 'Tobias Fünke', title: 'Glazer (deputy)' },
      ...{ urls: [], emails: [{ email: 'tobias@mail.example', type: 'office' }], phones: [] },
      ...{ integration_links: [link], 'custom.cf_role': ['Gatekeeper'] },
    },
  ],
};

const daemon = [{ email: 'daemon@mail.example', name: 'Mail Delivery' }];

export const mail: JsonRecord = {
  ...{ id: 'acti_A', _type: 'Email', direction: 'incoming', status: 'inbox', template_id: null },
  ...{ subject: 'Not delivered', sender: 'Mail Delivery <daemon@mail.example>' },
  ...{ lead_id: 'lead_A', user_id: 'user_1', user_name: 'Remi', organization_id: 'orga_1' },
  ...{ email_account_id: 'emailacct_1', thread_id: 'acti_B', body_text: 'Sorry', body_html: null },
  ...{ need_smtp_credentials: false, has_reply: false },
  date_created: '2022-11-08T16:09:09+00:00',
  date_updated: '2022-11-08T16:28:54.140000+00:00',
  ...{ cc: [], bcc: [], opens: [], send_attempts: [], users: [] },
  ...{ to: ['ada@mail.example'], message_ids: ['<3@mail.example>'] },
  references: ['<1@mail.example>', '<2@mail.example>'],
  attachments: [{ filename: 'icon.png', size: 1450, content_type: 'image/png' }],
  body_text_quoted: [{ text: 'Sorry', expand: true }],
  body_html_quoted: [{ html: '<p>Sorry</p>', expand: true }],
  envelope: {
    ...{ subject: 'Not delivered', message_id: '<3@mail.example>', is_autoreply: true },
    ...{ date: 'Tue, 08 Nov 2022 08:09:09 -0800 (PST)', in_reply_to: '<4@mail.example>' },
    ...{ from: daemon, sender: daemon, to: [{ email: 'ada@mail.example', name: '' }] },
    ...{ cc: [], bcc: [], reply_to: [] },
  },
};

/** The lead as it goes to its tables: one column for both forms of a custom value. */
export const lead = foldCustomFields(
  sentLead,
  { own: 'lead', nested: { contacts: 'contact' } },
  FIELDS,
);
