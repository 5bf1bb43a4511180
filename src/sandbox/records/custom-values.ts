/** Values of custom fields. A field without a value is left out of the record (Close docs, leads). */
import type { Json, JsonObject } from '../json.js';
import { dateText, MICROS_PER_DAY, timeText } from '../moment.js';
import { hashText, Random } from '../random.js';
import type { WorldData } from '../world/world-data.js';
import type { CustomField, CustomFieldHolder, CustomFieldType } from './custom-field.js';
import { customObjectIds } from './custom-object-ids.js';
import { familyNames, sentences } from './vocabulary.js';

const STREAM = 75;

/** The record that the values are for. */
export interface CustomOwner {
  readonly holder: CustomFieldHolder;
  readonly index: number;
  readonly lead: number;
}

/** By `custom.<field id>`; `random` is that of the whole record. */
export function customValues(data: WorldData, owner: CustomOwner, random: Random): JsonObject {
  const values: JsonObject = {};
  for (const field of data.organization.customFields[owner.holder]) {
    if (!field.hasValues) continue;
    const own = field.isDrawnAlone
      ? new Random(data.seed, STREAM + (hashText(field.id) & 0xffff), owner.index)
      : random;
    if (own.chance(field.isDrawnAlone ? 0.7 : 0.45)) continue;
    // As it was at first: how many draws a value takes must not change with the field.
    const made = field.wasMultiple ? someValues : oneValue;
    const drawn = made(data, owner, field, own);
    const value = field.isGone || drawn === null ? undefined : asOfNow(field, drawn);
    if (value !== undefined) values[`custom.${field.id}`] = value;
  }
  return values;
}

/**
 * Makes values that changes have set fit their fields as they are now, and takes away what has no
 * value or no field any more: a deleted field leaves all answers at once (Close docs, custom
 * fields). `changes` are those of the record, which has them already.
 */
export function withCustomChanges(
  data: WorldData,
  holder: CustomFieldHolder,
  record: JsonObject,
  changes: JsonObject | undefined,
): JsonObject {
  for (const key in changes) {
    if (!key.startsWith('custom.')) continue;
    const value = changes[key] ?? null;
    const field = data.organization.customFields[holder].find(({ id }) => `custom.${id}` === key);
    const current = !field || field.isGone || value === null ? undefined : asOfNow(field, value);
    if (current === undefined) delete record[key];
    else record[key] = current;
  }
  return record;
}

/** The older form, still on leads: by the name of the field. Of two with one name one is lost. */
export function customByName(data: WorldData, record: JsonObject): JsonObject {
  const byName: JsonObject = {};
  for (const field of data.organization.customFields.lead) {
    const value = record[`custom.${field.id}`];
    if (value !== undefined) byName[field.name] = value;
  }
  return byName;
}

/** Only what is valid for the type as it is now is given (Close docs, custom fields). */
function asOfNow(field: CustomField, value: Json): Json | undefined {
  const list = (Array.isArray(value) ? value : [value])
    .map((one) => converted(one, field.firstType, field.type))
    .filter((one) => one !== undefined);
  if (list.length === 0) return undefined;
  return field.isMultiple ? list : list[0];
}

function converted(value: Json, from: CustomFieldType, to: CustomFieldType): Json | undefined {
  if (from === to) return value;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (to === 'text' || to === 'textarea' || to === 'hidden') return text;
  if (to === 'number') {
    const number = Number(text);
    return text.trim() === '' || Number.isNaN(number) ? undefined : number;
  }
  if (to === 'date' && from === 'datetime') return text.slice(0, 10);
  if (to === 'datetime' && from === 'date') return `${text}T00:00:00+00:00`;
  return to === 'choices' ? text : undefined;
}

function someValues(
  data: WorldData,
  owner: CustomOwner,
  field: CustomField,
  random: Random,
): Json[] {
  const values = new Set<Json>();
  for (let count = 1 + random.below(3); count > 0; count--) {
    const value = oneValue(data, owner, field, random);
    if (value !== null) values.add(value);
  }
  return [...values];
}

function oneValue(data: WorldData, owner: CustomOwner, field: CustomField, random: Random): Json {
  const time = data.organization.foundedMicros + random.below(500) * MICROS_PER_DAY;
  switch (field.firstType) {
    case 'text':
      return random.pick(familyNames);
    case 'hidden':
      return `key-${String(random.below(1_000_000))}`;
    case 'textarea':
      return `${random.pick(sentences)}\n\n${random.pick(sentences)}`;
    case 'number':
      return random.chance(0.3) ? random.below(4_000) / 8 : random.below(5_000);
    case 'date':
      return dateText(time);
    case 'datetime':
      return timeText(time);
    case 'choices':
      return random.pick(field.choices ?? ['']);
    case 'user':
      return random.pick(data.organization.users).id;
    case 'contact': {
      const contacts = data.firstContactsOf(owner.lead);
      return contacts.length === 0 ? null : data.tables.contacts.ids.encode(random.pick(contacts));
    }
    case 'custom_object': {
      const ids = customObjectIds(data, owner.lead);
      return ids.length === 0 ? null : random.pick(ids);
    }
  }
}
