/** Values of custom fields. A field without a value is left out of the record (Close docs, leads). */
import type { Json, JsonObject } from '../json.js';
import { dateText, MICROS_PER_DAY, timeText } from '../moment.js';
import type { CustomField, CustomFieldHolder } from './organization.js';
import type { Random } from '../random.js';
import { familyNames, sentences } from './vocabulary.js';
import type { WorldData } from '../world/world-data.js';

export interface CustomValues {
  /** By `custom.<field id>`, as on every object. */
  readonly flat: JsonObject;
  /** By the field's name: the older form, still on leads. */
  readonly byName: JsonObject;
}

export function customValues(
  data: WorldData,
  holder: CustomFieldHolder,
  random: Random,
): CustomValues {
  const flat: JsonObject = {};
  const byName: JsonObject = {};
  for (const field of data.organization.customFields[holder]) {
    if (random.chance(0.45)) continue;
    const value = field.isMultiple
      ? someValues(data, field, random)
      : oneValue(data, field, random);
    flat[`custom.${field.id}`] = value;
    byName[field.name] = value;
  }
  return { flat, byName };
}

function someValues(data: WorldData, field: CustomField, random: Random): Json[] {
  const values = new Set<Json>();
  for (let count = 1 + random.below(3); count > 0; count--)
    values.add(oneValue(data, field, random));
  return [...values];
}

function oneValue(data: WorldData, field: CustomField, random: Random): Json {
  const time = data.organization.foundedMicros + random.below(500) * MICROS_PER_DAY;
  switch (field.type) {
    case 'text':
      return random.pick(familyNames);
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
  }
}
