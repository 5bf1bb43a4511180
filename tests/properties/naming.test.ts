import fc from 'fast-check';
import { expect, it } from 'vitest';
import { byteLength, chooseName, schemaName } from '../../src/core/naming.js';
import { anyText } from './seeded.js';

const limit = fc.constantFrom(59, 63);
const wanted = fc.oneof(
  anyText,
  fc.string({ unit: 'grapheme', minLength: 20, maxLength: 90 }),
  fc.constantFrom('a', 'a__b', 'x'.repeat(59), 'x'.repeat(80), `${'x'.repeat(80)}y`),
);

/** Names in the order of arrival, each with the index of its field as its path. */
function nameAll(fields: readonly string[], bytesMax: number): string[] {
  const names: string[] = [];
  for (const [index, field] of fields.entries()) {
    names.push(chooseName(field, `${index}:${field}`, new Set(names), bytesMax));
  }
  return names;
}

it('gives no two fields one name, and each a name that PostgreSQL takes as it is', () => {
  fc.assert(
    fc.property(fc.array(wanted, { maxLength: 40 }), limit, (fields, bytesMax) => {
      const names = nameAll(fields, bytesMax);

      expect(new Set(names).size).toBe(fields.length);
      for (const name of names) {
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(bytesMax);
        expect(name).toMatch(/^[^"\0]+$/u);
        expect(name.isWellFormed()).toBe(true);
      }
    }),
  );
});

it('never renames a field when another one comes', () => {
  fc.assert(
    fc.property(fc.array(wanted, { minLength: 1, maxLength: 40 }), limit, (fields, bytesMax) => {
      const before = nameAll(fields.slice(0, -1), bytesMax);

      expect(nameAll(fields, bytesMax).slice(0, -1)).toEqual(before);
    }),
  );
});

it('gives a field that shares its name with none the same name in any order of arrival', () => {
  const cleaned = (field: string): string => field.replace(/[\0"]/g, '').toWellFormed() || 'field';
  fc.assert(
    fc.property(
      fc
        .uniqueArray(wanted, { maxLength: 40 })
        .chain((fields) =>
          fc.tuple(fc.constant(fields), fc.shuffledSubarray(fields, { minLength: fields.length })),
        ),
      limit,
      ([fields, others], bytesMax) => {
        const nameOf = (order: readonly string[]): Map<string, string> => {
          const names = new Map<string, string>();
          for (const field of order) {
            names.set(field, chooseName(field, field, new Set(names.values()), bytesMax));
          }
          return names;
        };
        const [first, second] = [nameOf(fields), nameOf(others)];

        const shared = fields.map(cleaned).filter((name, at, all) => all.indexOf(name) !== at);
        for (const field of fields.filter((each) => !shared.includes(cleaned(each)))) {
          expect(second.get(field)).toBe(first.get(field));
        }
      },
    ),
  );
});

it('leaves alone what fits, is free and needs no cleaning', () => {
  fc.assert(
    fc.property(wanted, limit, (name, bytesMax) => {
      fc.pre(name !== '' && !/["\0]/.test(name) && name.isWellFormed());
      fc.pre(Buffer.byteLength(name) <= bytesMax);

      expect(chooseName(name, 'path', new Set(), bytesMax)).toBe(name);
    }),
  );
});

it('counts bytes as UTF-8 has them', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(byteLength(text)).toBe(Buffer.byteLength(text));
    }),
  );
});

it('makes of any integration name a schema that needs no quotes, or says why not', () => {
  fc.assert(
    fc.property(wanted, (name) => {
      const { schema, problem } = schemaName(name);

      if (problem !== undefined) return;
      expect(schema).toMatch(/^[a-z0-9]+(_[a-z0-9]+)*$/);
      expect(schema.length).toBeLessThanOrEqual(63);
      expect(schemaName(schema)).toEqual({ schema });
    }),
  );
});
