import { describe, expect, it } from 'vitest';
import { foldCustomFields, unknownCustomFields } from '../../src/core/custom-fields.js';
import type { JsonRecord, JsonValue } from '../../src/core/record.js';

const labels = new Map([
  ['cf_1', 'Industry'],
  ['cf_2', 'Region'],
  ['cf_3', 'Industry'],
]);

describe('foldCustomFields', () => {
  it('makes one of the two forms that Close sends', () => {
    const record = {
      id: 'lead_1',
      'custom.cf_1': 'Tech',
      custom: { Industry: 'Tech' },
      'custom.cf_2': ['EU', 'US'],
    };

    expect(foldCustomFields(record, labels)).toEqual({
      id: 'lead_1',
      custom: { Industry: 'Tech', Region: ['EU', 'US'] },
    });
  });

  it('lets the id stand for a label that is not known', () => {
    expect(foldCustomFields({ 'custom.cf_9': 5 }, labels)).toEqual({ custom: { cf_9: 5 } });
  });

  it('keeps the old form of a record that has no other', () => {
    const record = { id: 'lead_1', custom: { Industry: 'Tech' } };

    expect(foldCustomFields(record, labels)).toEqual(record);
  });

  it('leaves a record without custom fields as it is', () => {
    const record = { id: 'lead_1', customers: 3, customer: { a: 1 } };

    expect(foldCustomFields(record, labels)).toEqual(record);
  });

  it('folds the contacts and the opportunities of a lead too', () => {
    const record: JsonRecord = {
      contacts: [{ 'custom.cf_1': 'a' }, null, 'odd', ['odd']],
      opportunities: [{ id: 'oppo_1', 'custom.cf_2': 'b' }],
      tasks: [{ 'custom.cf_1': 'not one of theirs' }],
    };

    expect(foldCustomFields(record, labels)).toEqual({
      contacts: [{ custom: { Industry: 'a' } }, null, 'odd', ['odd']],
      opportunities: [{ id: 'oppo_1', custom: { Region: 'b' } }],
      tasks: [{ 'custom.cf_1': 'not one of theirs' }],
    });
  });

  it('takes contacts that are no list as any other field', () => {
    expect(foldCustomFields({ contacts: { 'custom.cf_1': 'a' } }, labels)).toEqual({
      contacts: { 'custom.cf_1': 'a' },
    });
  });

  it('keeps both values of two fields with one label, in whatever order they come', () => {
    const expected = { custom: { Industry: 'one', 'Industry cf_3': 'three' } };

    const forth = foldCustomFields({ 'custom.cf_1': 'one', 'custom.cf_3': 'three' }, labels);
    const back = foldCustomFields({ 'custom.cf_3': 'three', 'custom.cf_1': 'one' }, labels);

    expect([forth, back]).toEqual([expected, expected]);
  });

  it('keeps a field that is called or labelled __proto__', () => {
    const record = JSON.parse('{"__proto__": "x", "custom.cf_p": "y"}') as JsonRecord;

    const folded = foldCustomFields(record, new Map([['cf_p', '__proto__']]));

    expect(JSON.stringify(folded)).toBe('{"__proto__":"x","custom":{"__proto__":"y"}}');
    expect(Object.getPrototypeOf(folded)).toBe(Object.prototype);
  });

  it('does not change the record that it is given', () => {
    const record = Object.freeze({ 'custom.cf_1': 'Tech', contacts: Object.freeze([{}]) });

    expect(() => foldCustomFields(record, labels)).not.toThrow();
  });

  it('stands contacts inside contacts, 20,000 deep', () => {
    let record: JsonValue = {};
    for (let depth = 0; depth < 20_000; depth += 1) record = { contacts: [record] };

    expect(() => foldCustomFields(record, labels)).not.toThrow();
    expect(() => unknownCustomFields([record], labels)).not.toThrow();
  });
});

describe('unknownCustomFields', () => {
  it('names each id once, wherever foldCustomFields would look for its label', () => {
    const records: JsonRecord[] = [
      { 'custom.cf_1': 1, 'custom.cf_8': 1, custom: { 'custom.cf_7': 1 } },
      { contacts: [{ 'custom.cf_9': 1 }, null], opportunities: [{ 'custom.cf_8': 1 }] },
      { tasks: [{ 'custom.cf_6': 1 }] },
    ];

    expect([...unknownCustomFields(records, labels)].sort()).toEqual(['cf_8', 'cf_9']);
  });

  it('finds nothing where each label is known', () => {
    expect(unknownCustomFields([{ 'custom.cf_2': null }], labels).size).toBe(0);
  });
});
