import { describe, expect, it } from 'vitest';
import {
  foldCustomFields,
  keepFields,
  unknownCustomFields,
  type CustomField,
  type CustomFields,
} from '../../src/core/custom-fields.js';
import { DeclaredText, type JsonRecord, type JsonValue } from '../../src/core/record.js';

const families = {
  own: 'lead',
  nested: { contacts: 'contact', opportunities: 'opportunity' },
} as const;

function field(id: string, label: string, type: string | null = null): CustomField {
  return { id, label, currentName: label, type };
}

function byId(...fields: CustomField[]): Map<string, CustomField> {
  return new Map(fields.map((each) => [each.id, each]));
}

const labels: CustomFields = new Map([
  [
    'lead',
    byId(field('cf_1', 'Industry'), field('cf_2', 'Region'), field('cf_3', 'Industry cf_3')),
  ],
  ['contact', byId(field('cf_1', 'Industry'))],
  ['opportunity', byId(field('cf_2', 'Zone'))],
]);

describe('foldCustomFields', () => {
  it('makes one of the two forms that Close sends', () => {
    const record = {
      id: 'lead_1',
      'custom.cf_1': 'Tech',
      custom: { Industry: 'Tech' },
      'custom.cf_2': ['EU', 'US'],
    };

    expect(foldCustomFields(record, families, labels)).toEqual({
      id: 'lead_1',
      custom: { Industry: 'Tech', Region: ['EU', 'US'] },
    });
  });

  it('lets the id stand for a label that is not known', () => {
    expect(foldCustomFields({ 'custom.cf_9': 5 }, families, labels)).toEqual({
      custom: { cf_9: 5 },
    });
  });

  it('keeps the old form of a record that has no other', () => {
    const record = { id: 'lead_1', custom: { Industry: 'Tech' } };

    expect(foldCustomFields(record, families, labels)).toEqual(record);
  });

  it('leaves a record without custom fields as it is', () => {
    const record = { id: 'lead_1', customers: 3, customer: { a: 1 } };

    expect(foldCustomFields(record, families, labels)).toEqual(record);
  });

  it('folds the contacts and the opportunities of a lead too, each by its own family', () => {
    const record: JsonRecord = {
      contacts: [{ 'custom.cf_1': 'a' }, null, 'odd', ['odd']],
      opportunities: [{ id: 'oppo_1', 'custom.cf_2': 'b' }],
      tasks: [{ 'custom.cf_1': 'not one of theirs' }],
    };

    expect(foldCustomFields(record, families, labels)).toEqual({
      contacts: [{ custom: { Industry: 'a' } }, null, 'odd', ['odd']],
      opportunities: [{ id: 'oppo_1', custom: { Zone: 'b' } }],
      tasks: [{ 'custom.cf_1': 'not one of theirs' }],
    });
  });

  it('takes contacts that are no list as any other field', () => {
    expect(foldCustomFields({ contacts: { 'custom.cf_1': 'a' } }, families, labels)).toEqual({
      contacts: { 'custom.cf_1': 'a' },
    });
  });

  it('keeps both values of two fields with one label, in whatever order they come', () => {
    const expected = { custom: { Industry: 'one', 'Industry cf_3': 'three' } };

    const forth = foldCustomFields(
      { 'custom.cf_1': 'one', 'custom.cf_3': 'three' },
      families,
      labels,
    );
    const back = foldCustomFields(
      { 'custom.cf_3': 'three', 'custom.cf_1': 'one' },
      families,
      labels,
    );

    expect([forth, back]).toEqual([expected, expected]);
  });

  it('keeps a field that is called or labelled __proto__', () => {
    const record = JSON.parse('{"__proto__": "x", "custom.cf_p": "y"}') as JsonRecord;

    const folded = foldCustomFields(
      record,
      families,
      new Map([['lead', byId(field('cf_p', '__proto__'))]]),
    );

    expect(JSON.stringify(folded)).toBe('{"__proto__":"x","custom":{"__proto__":"y"}}');
    expect(Object.getPrototypeOf(folded)).toBe(Object.prototype);
  });

  it('does not change the record that it is given', () => {
    const record = Object.freeze({ 'custom.cf_1': 'Tech', contacts: Object.freeze([{}]) });

    expect(() => foldCustomFields(record, families, labels)).not.toThrow();
  });

  it('stands contacts inside contacts, 20,000 deep', () => {
    let record: JsonValue = {};
    for (let depth = 0; depth < 20_000; depth += 1) record = { contacts: [record] };

    expect(() => foldCustomFields(record, families, labels)).not.toThrow();
    expect(() => unknownCustomFields([record], families, labels)).not.toThrow();
  });
});

describe('unknownCustomFields', () => {
  it('names each id once, wherever foldCustomFields would look for its label', () => {
    const records: JsonRecord[] = [
      { 'custom.cf_1': 1, 'custom.cf_8': 1, custom: { 'custom.cf_7': 1 } },
      { contacts: [{ 'custom.cf_9': 1 }, null], opportunities: [{ 'custom.cf_8': 1 }] },
      { tasks: [{ 'custom.cf_6': 1 }] },
    ];

    const unknown = unknownCustomFields(records, families, labels);
    expect(unknown).toEqual(
      new Map([
        ['lead', new Set(['cf_8'])],
        ['contact', new Set(['cf_9'])],
        ['opportunity', new Set(['cf_8'])],
      ]),
    );
  });

  it('finds nothing where each field is known', () => {
    expect(unknownCustomFields([{ 'custom.cf_2': null }], families, labels).size).toBe(0);
  });
});

describe('what a definition tells of its values', () => {
  const typed: CustomFields = new Map([
    [
      'lead',
      byId(
        field('cf_d', 'Day', 'date'),
        field('cf_t', 'Text', 'text'),
        field('cf_h', 'Old', 'hidden'),
      ),
    ],
  ]);
  const fold = (record: JsonRecord): JsonValue =>
    foldCustomFields(record, families, typed)['custom'] ?? null;

  it('is kept beside texts: a date is a time, and a text that looks like one is not', () => {
    const record = { 'custom.cf_d': '2024-01-31', 'custom.cf_t': '2024-01-31T00:00:00Z' };
    expect(fold(record)).toEqual({
      Day: new DeclaredText('2024-01-31', true),
      Text: new DeclaredText('2024-01-31T00:00:00Z', false),
    });
  });

  it('holds for each of several values', () => {
    expect(fold({ 'custom.cf_d': ['2024-01-31', null] })).toEqual({
      Day: [new DeclaredText('2024-01-31', true), null],
    });
  });

  it('changes nothing that is no text, and nothing of a hidden field', () => {
    expect(fold({ 'custom.cf_t': 5, 'custom.cf_h': 'x', 'custom.cf_d': false })).toEqual({
      Text: 5,
      Old: 'x',
      Day: false,
    });
  });
});

describe('keepFields', () => {
  const none: ReadonlySet<string> = new Set();

  it('labels new fields by their names, the second of one name with its id', () => {
    const definitions = [
      { id: 'cf_1', name: 'Same', type: 'text' },
      { id: 'cf_2', name: 'Same', type: 'date' },
    ];
    expect(keepFields(new Map(), definitions, none)).toEqual([
      { id: 'cf_1', label: 'Same', currentName: 'Same', type: 'text' },
      { id: 'cf_2', label: 'Same cf_2', currentName: 'Same', type: 'date' },
    ]);
  });

  it('keeps the label of a field that was renamed or retyped', () => {
    const kept = byId(field('cf_1', 'Industry', 'text'));
    expect(keepFields(kept, [{ id: 'cf_1', name: 'Branch', type: 'choices' }], none)).toEqual([
      { id: 'cf_1', label: 'Industry', currentName: 'Branch', type: 'choices' },
    ]);
  });

  it('never gives a label that another field had first, though it is renamed away', () => {
    const kept = byId({ ...field('cf_1', 'Industry'), currentName: 'Branch' });
    const definitions = [
      { id: 'cf_1', name: 'Branch', type: null },
      { id: 'cf_2', name: 'Industry', type: null },
    ];
    expect(keepFields(kept, definitions, none)).toEqual([
      { id: 'cf_2', label: 'Industry cf_2', currentName: 'Industry', type: null },
    ]);
  });

  it('calls a field by its id that records hold and no definition names', () => {
    const byDefinitions = keepFields(new Map(), [], new Set(['cf_9']));
    expect(byDefinitions).toEqual([{ id: 'cf_9', label: 'cf_9', currentName: null, type: null }]);
    expect(keepFields(new Map(), null, new Set(['cf_9']))).toEqual(byDefinitions);
  });

  it('notes a field that is gone, and nothing when the definitions may not be read', () => {
    const kept = byId(field('cf_1', 'Industry', 'text'));
    expect(keepFields(kept, [], none)).toEqual([
      { id: 'cf_1', label: 'Industry', currentName: null, type: 'text' },
    ]);
    expect(keepFields(kept, null, none)).toEqual([]);
  });
});
