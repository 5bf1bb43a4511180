/** The kinds of activity that came to Close last; nobody has recorded them (Close's OpenAPI document). */
import type { JsonObject } from '../json.js';
import { base62 } from '../ids.js';
import type { ActivityContext } from './activity.js';
import { makePhone } from './contact.js';
import { customValues } from './custom-values.js';
import { paragraphs, sentences, smsTexts } from './vocabulary.js';

export function customActivityFields(context: ActivityContext): JsonObject {
  const { data, random, index, lead } = context;
  const { activityTypeId, otherActivityTypeId } = data.organization;
  const isOther = random.chance(0.3);
  const values = customValues(data, { holder: 'activity', index, lead }, random);
  return {
    custom_activity_type_id: isOther ? otherActivityTypeId : activityTypeId,
    status: random.chance(0.8) ? 'published' : 'draft',
    pinned: random.chance(0.05),
    pinned_at: null,
    // The other type has no fields of its own.
    ...(isOther ? {} : values),
  };
}

export function whatsAppFields({ random, contact, data }: ActivityContext): JsonObject {
  const isIncoming = random.chance(0.5);
  const remote = contact?.phone ?? makePhone(random);
  const text = random.pick(smsTexts);
  return {
    direction: isIncoming ? 'incoming' : 'outgoing',
    external_whatsapp_message_id: `wamid.${base62(random, 24)}`,
    text,
    message_markdown: text,
    message_html: `<p>${text}</p>`,
    local_phone: '+14155550100',
    local_phone_formatted: '+1 415-555-0100',
    remote_phone: remote.phone,
    remote_phone_formatted: remote.formatted,
    response_to_id: null,
    integration_link: `https://whatsapp.example/${data.organization.id}`,
    integration_name: 'Messages',
    attachments: [],
  };
}

export function formFields({ random, data }: ActivityContext): JsonObject {
  const answer = random.pick(sentences);
  return {
    form_id: `form_${data.organization.id.slice(5)}`,
    form_configuration_id: `formconf_${data.organization.id.slice(5)}`,
    form_name: 'Contact us',
    values: { field_1: answer, field_2: random.pick(paragraphs) },
    values_by_name: { Question: answer },
    ip_address: `203.0.113.${String(random.below(256))}`,
    origin: 'https://www.sandbox.example',
    source_url: 'https://www.sandbox.example/contact?utm_source=fair',
  };
}
