/** Opportunities. Money is in cents, `value_formatted` in units (Close docs, opportunities). */
import { integrationLinks, someContact } from './contact.js';
import { customValues, withCustomChanges } from './custom-values.js';
import type { JsonObject } from '../json.js';
import { leadDisplayName } from './contact.js';
import { dateText, timeText } from '../moment.js';
import { Random } from '../random.js';
import { sentences } from './vocabulary.js';
import type { WorldData } from '../world/world-data.js';

const STREAM = 40;
const PERIODS = ['one_time', 'monthly', 'annual'] as const;
const PERIODS_PER_YEAR: Readonly<Record<string, number>> = { one_time: 1, monthly: 12, annual: 1 };

/** `$1,234` or `$1,234.50`: cents are shown only when there are any. */
export function formatMoney(cents: number): string {
  const whole = Math.trunc(cents / 100);
  const rest = Math.abs(cents % 100);
  // By hand: `toLocaleString` takes longer than the whole rest of the record.
  const grouped = String(whole).replace(/\B(?=(?:\d{3})+$)/g, ',');
  return rest === 0 ? `$${grouped}` : `$${grouped}.${String(rest).padStart(2, '0')}`;
}

export function opportunityRecord(data: WorldData, index: number): JsonObject {
  const table = data.tables.opportunities;
  const random = new Random(data.seed, STREAM, index);
  const lead = table.leadOf(index);
  const { users, opportunityStatuses } = data.organization;
  const someone = someContact(data, table, index, random);
  const contact = random.chance(0.6) ? someone : undefined;
  const user = random.pick(users);
  const note = random.chance(0.8) ? random.pick(sentences) : '';
  const id = table.ids.encode(index);
  const record: JsonObject = {
    id,
    lead_id: data.tables.leads.ids.encode(lead),
    lead_name: leadDisplayName(data, lead),
    organization_id: data.organization.id,
    contact_id: contact?.id ?? null,
    contact_name: contact?.name ?? null,
    user_id: user.id,
    status_id: opportunityStatuses[data.opportunityStatusNumber(index)]?.id ?? '',
    value: random.chance(0.92)
      ? (1 + random.below(500)) * (random.chance(0.1) ? 1_050 : 10_000)
      : null,
    value_period: random.pick(PERIODS),
    value_currency: data.organization.currency,
    confidence: random.below(21) * 5,
    note,
    note_html: note === '' ? '' : `<body><p>${note}</p></body>`,
    date_won: null,
    date_lost: null,
    attachments: [],
    integration_links: integrationLinks(id, random, 0.05),
    created_by: user.id,
    updated_by: random.pick(users).id,
    date_created: timeText(table.createdAt(index)),
    date_updated: timeText(table.updatedAt(index)),
    ...customValues(data, { holder: 'opportunity', index, lead: table.firstLeadOf(index) }, random),
    ...table.fieldsOf(index),
  };
  withCustomChanges(data, 'opportunity', record, table.fieldsOf(index));
  return withDerivedFields(data, record, table.firstUpdatedAt(index));
}

/** Labels, names and sums follow from the fields that can be set, so they are made last. */
function withDerivedFields(data: WorldData, record: JsonObject, closed: number): JsonObject {
  const status = data.organization.opportunityStatuses.find(({ id }) => id === record.status_id);
  const value = typeof record.value === 'number' ? record.value : null;
  const confidence = typeof record.confidence === 'number' ? record.confidence : 0;
  const period = typeof record.value_period === 'string' ? record.value_period : 'one_time';
  const perYear = value === null ? null : value * (PERIODS_PER_YEAR[period] ?? 1);
  const suffix = period === 'one_time' ? '' : ` ${period}`;
  const expected = (amount: number | null): number | null =>
    amount === null ? null : Math.round((amount * confidence) / 100);
  return Object.assign(record, {
    user_name: data.userName(record.user_id),
    created_by_name: data.userName(record.created_by),
    updated_by_name: data.userName(record.updated_by),
    status_label: status?.label ?? null,
    status_display_name: status?.label ?? null,
    status_type: status?.type ?? null,
    pipeline_id: status?.pipelineId ?? null,
    pipeline_name: status?.pipelineName ?? null,
    value_formatted: value === null ? null : formatMoney(value) + suffix,
    annualized_value: perYear,
    expected_value: expected(value),
    annualized_expected_value: expected(perYear),
    date_won: record.date_won ?? (status?.type === 'won' ? dateText(closed) : null),
    date_lost: record.date_lost ?? (status?.type === 'lost' ? timeText(closed) : null),
  });
}
