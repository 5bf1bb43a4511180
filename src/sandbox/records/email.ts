/** Emails and the threads that they belong to. */
import type { ActivityContext } from './activity.js';
import { someContact } from './contact.js';
import { base62 } from '../ids.js';
import type { Json, JsonObject } from '../json.js';
import { MICROS_PER_HOUR, MICROS_PER_SECOND, timeText } from '../moment.js';
import { Random } from '../random.js';
import { paragraphs, sentences, subjects } from './vocabulary.js';
import type { WorldData } from '../world/world-data.js';

const THREAD_STREAM = 90;

/** What the emails of one thread share. */
function threadFacts(data: WorldData, thread: number): { subject: string; rootMessageId: string } {
  const random = new Random(data.seed, THREAD_STREAM, thread);
  const subject = random.pick(subjects);
  return { subject, rootMessageId: `<${base62(random, 16)}@mail.example>` };
}

interface Party {
  readonly email: string;
  readonly name: string;
}
interface Mail {
  readonly isIncoming: boolean;
  readonly isFirst: boolean;
  readonly from: Party;
  readonly to: readonly Party[];
  readonly cc: readonly Party[];
  readonly bcc: readonly Party[];
  readonly subject: string;
  readonly messageId: string;
  readonly rootMessageId: string;
  readonly status: string;
}

export function emailFields(context: ActivityContext): JsonObject {
  const { random, created, data } = context;
  const mail = makeMail(context);
  const isDraft = mail.status === 'draft' || mail.status === 'scheduled';
  const isTemplate = !mail.isIncoming && random.chance(0.2);
  return {
    direction: mail.isIncoming ? 'incoming' : 'outgoing',
    status: mail.status,
    subject: mail.subject,
    sender: `${mail.from.name} <${mail.from.email}>`,
    to: addresses(mail.to),
    cc: addresses(mail.cc),
    bcc: addresses(mail.bcc),
    envelope: envelope(mail, created, isDraft),
    ...bodies(mail, random),
    attachments: random.chance(0.1) ? [attachment(context)] : [],
    ...opens(mail, context),
    message_ids: isDraft ? [] : [mail.messageId],
    references: mail.isFirst ? [] : [mail.rootMessageId],
    in_reply_to_id: mail.isFirst ? null : previousEmailId(context),
    thread_id: data.tables.threads.ids.encode(data.activityDetail(context.index)),
    template_id: isTemplate ? `tmpl_${data.organization.phoneNumberId.slice(5)}` : null,
    template_name: isTemplate ? 'First contact' : null,
    sequence_id: null,
    sequence_name: null,
    sequence_subscription_id: null,
    bulk_email_action_id: null,
    email_account_id: isDraft ? null : `emailacct_${context.user.id.slice(5)}`,
    send_as_id: null,
    send_attempts: mail.status === 'error' ? [failedAttempt(created)] : [],
    date_sent: isDraft ? null : timeText(created),
    date_scheduled: mail.status === 'scheduled' ? timeText(created + MICROS_PER_HOUR) : null,
    need_smtp_credentials: mail.status === 'error',
    has_reply: random.chance(0.2),
    followup_sequence_id: null,
    followup_sequence_delay: null,
  };
}

function makeMail({ random, data, index, user, contact, created }: ActivityContext): Mail {
  const thread = data.activityDetail(index);
  const { subject, rootMessageId } = threadFacts(data, thread);
  const isFirst = data.chainOf(thread)[0] === index;
  const isIncoming = created % MICROS_PER_SECOND === 0;
  const us: Party = { email: user.email, name: user.name };
  const them: Party = contact
    ? { email: contact.email, name: contact.originalName }
    : { email: `info@lead-${String(index)}.example`, name: '' };
  const draw = random.fraction();
  const outgoing =
    draw < 0.03 ? 'draft' : draw < 0.04 ? 'scheduled' : draw < 0.06 ? 'error' : 'sent';
  return {
    isIncoming,
    isFirst,
    from: isIncoming ? them : us,
    to: [isIncoming ? us : them],
    cc: random.chance(0.15) ? [{ email: 'accounts@partner.example', name: 'Zoë Accounts' }] : [],
    bcc: !isIncoming && random.chance(0.05) ? [{ email: 'archive@sandbox.example', name: '' }] : [],
    subject: isFirst ? subject : `Re: ${subject}`,
    messageId: isFirst ? rootMessageId : `<${base62(random, 16)}@mail.example>`,
    rootMessageId,
    status: isIncoming ? 'inbox' : outgoing,
  };
}

function addresses(parties: readonly Party[]): string[] {
  return parties.map(({ email, name }) => (name === '' ? email : `"${name}" <${email}>`));
}

/** The date of an envelope is in the form of RFC 2822, not ISO 8601 (recorded answers, 2022). */
function envelope(mail: Mail, created: number, isDraft: boolean): JsonObject {
  const list = (parties: readonly Party[]): Json[] =>
    parties.map(({ email, name }) => ({ email, name }));
  return {
    from: list([mail.from]),
    sender: list([mail.from]),
    to: list(mail.to),
    cc: list(mail.cc),
    bcc: list(mail.bcc),
    reply_to: mail.isIncoming ? list([mail.from]) : [],
    date: isDraft ? null : new Date(created / 1_000).toUTCString().replace('GMT', '+0000'),
    message_id: isDraft ? null : mail.messageId,
    in_reply_to: mail.isFirst ? null : mail.rootMessageId,
    is_autoreply: false,
    subject: mail.subject,
  };
}

function bodies(mail: Mail, random: Random): JsonObject {
  const parts = Array.from({ length: 2 + random.below(3) }, () => random.pick(paragraphs));
  const text = parts.join('\r\n\r\n');
  const html = `<div dir="ltr">${parts.map((part) => `<p>${part}</p>`).join('')}</div>`;
  const quoted = mail.isFirst ? '' : random.pick(sentences);
  return {
    body_text: quoted === '' ? text : `${text}\r\n\r\n> ${quoted}`,
    body_html: quoted === '' ? html : `${html}<blockquote>${quoted}</blockquote>`,
    body_text_quoted: [
      { text, expand: true },
      ...(quoted === '' ? [] : [{ text: `> ${quoted}`, expand: false }]),
    ],
    body_html_quoted: [
      { html, expand: true },
      ...(quoted === '' ? [] : [{ html: `<blockquote>${quoted}</blockquote>`, expand: false }]),
    ],
    body_preview: Array.from((parts[0] ?? '').slice(0, 120))
      .slice(0, 100)
      .join(''),
  };
}

function attachment({ data, index, random }: ActivityContext): JsonObject {
  const id = data.tables.activities.ids.encode(index);
  const filename = random.pick(['Angebot.pdf', 'contract v2.docx', '見積書.pdf', 'photo.jpg']);
  return {
    url: `https://app.close.com/go/file/${id}/0/`,
    filename,
    size: 1_000 + random.below(3_000_000),
    content_type: filename.endsWith('pdf') ? 'application/pdf' : 'application/octet-stream',
    content_id: null,
  };
}

function opens(mail: Mail, { random, updated, created }: ActivityContext): JsonObject {
  // Opening an email moves its `date_updated` (recorded events, 2022).
  if (mail.isIncoming || updated - created < MICROS_PER_HOUR) {
    return { opens: [], opens_summary: null };
  }
  const count = 1 + random.below(3);
  const list = Array.from({ length: count }, (_, position) => ({
    opened_at: timeText(updated - (count - 1 - position) * MICROS_PER_SECOND),
    opened_by: mail.to[0]?.email ?? null,
    ip_address: `203.0.113.${String(random.below(256))}`,
    user_agent: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)',
  }));
  return { opens: list, opens_summary: count === 1 ? 'Opened' : `Opened ${String(count)} times` };
}

function failedAttempt(created: number): JsonObject {
  return {
    date: timeText(created + 2 * MICROS_PER_SECOND),
    error_class: 'SMTPAuthenticationError',
    error_message: '535 5.7.8 Username and password not accepted',
  };
}

function previousEmailId({ data, index }: ActivityContext): string | null {
  const emails = data.chainOf(data.activityDetail(index));
  const previous = emails[emails.indexOf(index) - 1];
  return previous === undefined ? null : data.tables.activities.ids.encode(previous);
}

/** A conversation, with cut-down copies of its latest emails. */
export function threadRecord(
  data: WorldData,
  thread: number,
  emailRecords: JsonObject[],
): JsonObject {
  const table = data.tables.threads;
  const lead = table.leadOf(thread);
  const random = new Random(data.seed, THREAD_STREAM + 1, thread);
  const user = random.pick(data.organization.users);
  const contact = someContact(data, table, thread, random);
  const latest = emailRecords.at(-1);
  const createdText = timeText(table.createdAt(thread));
  return {
    _type: 'EmailThread',
    id: table.ids.encode(thread),
    organization_id: data.organization.id,
    lead_id: data.tables.leads.ids.encode(lead),
    contact_id: contact?.id ?? null,
    user_id: user.id,
    user_name: user.name,
    users: [user.id],
    created_by: user.id,
    created_by_name: user.name,
    updated_by: user.id,
    updated_by_name: user.name,
    date_created: createdText,
    date_updated: timeText(table.updatedAt(thread)),
    activity_at: latest?.activity_at ?? createdText,
    latest_normalized_subject: threadFacts(data, thread).subject,
    n_emails: emailRecords.length,
    participants: [
      { email: user.email, name: user.name },
      ...(contact ? [{ email: contact.email, name: contact.originalName }] : []),
    ],
    latest_emails: emailRecords.slice(-5).map(cutDown),
  };
}

function cutDown(email: JsonObject): JsonObject {
  const kept = ['id', '_type', 'direction', 'status', 'subject', 'sender', 'to', 'cc', 'bcc'];
  kept.push(
    'envelope',
    'body_preview',
    'date_created',
    'date_updated',
    'activity_at',
    'attachments',
  );
  return Object.fromEntries(kept.map((key) => [key, email[key] ?? null]));
}
