import { describe, expect, it } from 'vitest';
import {
  byteLength,
  chooseName,
  COLUMN_BYTES_MAX,
  schemaName,
  TABLE_BYTES_MAX,
} from '../../src/core/naming.js';

const NONE: ReadonlySet<string> = new Set();

describe('schemaName', () => {
  it.each([
    ['Stitch Closeio', 'stitch_closeio'],
    ['Stitch Close.io', 'stitch_closeio'],
    ['Recurly Stitch', 'recurly_stitch'],
    ['Close.io (EU) – Sales', 'closeio_eu_sales'],
    ['  padded  ', 'padded'],
    ['a - b', 'a_b'],
    ['__a__', 'a'],
    ["Bob's CRM", 'bobs_crm'],
    ['Bob’s CRM', 'bobs_crm'],
    ['Fünke & Söhne', 'funke_sohne'],
    ['ÉCOLE', 'ecole'],
    ['İstanbul', 'istanbul'],
    ['ﬁnance', 'finance'],
    ['1st', '1st'],
    ['Straße GROẞ', 'strasse_gross'],
    ['Søren Ørsted', 'soren_orsted'],
    ['Łódź', 'lodz'],
    ['Đà Nẵng', 'da_nang'],
    ['Æther Œuvre Þór Guðrún', 'aether_oeuvre_thor_gudrun'],
    ['Ħamrun ŋ ŧ ĸ', 'hamrun_n_t_k'],
    ['Diyarbakır IŞIK', 'diyarbakir_isik'],
    ['株式会社 Close', 'close'],
    ['🚀 Rocket 🚀 CRM', 'rocket_crm'],
    ['Ｃｌｏｓｅ №５', 'close_no5'],
    ['tab\tnew\nline\0nul', 'tab_new_line_nul'],
    ['\ud800half', 'half'],
    ['select', 'select'],
    ['Отдел sales', 'sales'],
    ['a"; DROP SCHEMA x; --', 'a_drop_schema_x'],
    ['x'.repeat(63), 'x'.repeat(63)],
  ])('makes of %j the schema %s', (name, schema) => {
    expect(schemaName(name)).toEqual({ schema });
  });

  it.each([
    ['', 'NAME_EMPTY'],
    ['  ', 'NAME_EMPTY'],
    ['(…)', 'NAME_EMPTY'],
    ['株式会社', 'NAME_EMPTY'],
    ['🚀', 'NAME_EMPTY'],
    ['Отдел продаж', 'NAME_EMPTY'],
    ['...', 'NAME_EMPTY'],
    ['ß'.repeat(31), undefined],
    ['ß'.repeat(32), 'NAME_TOO_LONG'],
    ['P.u.b.l.i.c', 'NAME_RESERVED'],
    ['(closehaul)', 'NAME_RESERVED'],
    ['\0', 'NAME_EMPTY'],
    ['x'.repeat(64), 'NAME_TOO_LONG'],
    ['Public', 'NAME_RESERVED'],
    ['closehaul', 'NAME_RESERVED'],
    ['Close-haul', undefined],
    ['Information Schema', 'NAME_RESERVED'],
    ['pg catalog', 'NAME_RESERVED'],
    ['PG_toast', 'NAME_RESERVED'],
    ['pgadmin', undefined],
  ])('says of %j: %s', (name, problem) => {
    expect(schemaName(name).problem).toBe(problem);
  });

  it('gives one schema for a name composed and decomposed', () => {
    expect(schemaName('e\u0301cole')).toEqual(schemaName('\u00e9cole'));
  });
});

describe('chooseName', () => {
  it.each([
    'name',
    'a__b',
    '_type',
    'CUSTOMER ID',
    'custom__1-4: channel',
    'from',
    'é',
    'A',
    'a.b',
  ])('takes %j as it is, since names are quoted', (name) => {
    expect(chooseName(name, 'path', NONE, COLUMN_BYTES_MAX)).toBe(name);
  });

  it.each([
    ['a"b', 'ab'],
    ['a\0b', 'ab'],
    ['"', 'field'],
    ['', 'field'],
    ['a\ud800', 'a\ufffd'],
  ])('makes %j a name that PostgreSQL takes: %j', (wanted, name) => {
    expect(chooseName(wanted, 'path', NONE, COLUMN_BYTES_MAX)).toBe(name);
  });

  it('keeps a name of exactly the limit and shortens one that is a byte longer', () => {
    const fits = 'x'.repeat(COLUMN_BYTES_MAX);

    expect(chooseName(fits, 'p', NONE, COLUMN_BYTES_MAX)).toBe(fits);
    expect(chooseName(`${fits}x`, 'p', NONE, COLUMN_BYTES_MAX)).toMatch(/^x{50}_[0-9a-f]{8}$/);
  });

  it.each([
    ['é', 2],
    ['ß', 2],
    ['漢', 3],
    ['😀', 4],
  ])('counts %s as %i bytes, and cuts no character in two', (character, bytes) => {
    const fits = Math.floor(COLUMN_BYTES_MAX / bytes);
    const long = character.repeat(fits + 1);

    const name = chooseName(long, 'p', NONE, COLUMN_BYTES_MAX);

    expect(chooseName(character.repeat(fits), 'p', NONE, 59)).toBe(character.repeat(fits));
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(COLUMN_BYTES_MAX);
    expect(Buffer.byteLength(name)).toBeGreaterThan(COLUMN_BYTES_MAX - bytes);
    expect(name.isWellFormed()).toBe(true);
    expect(name.slice(0, -9)).toBe(character.repeat(Math.floor(50 / bytes)));
  });

  it('tells two long names apart that share all that is left of them', () => {
    const start = 'x'.repeat(80);

    const first = chooseName(`${start}a`, `${start}a`, NONE, TABLE_BYTES_MAX);
    const second = chooseName(`${start}b`, `${start}b`, NONE, TABLE_BYTES_MAX);

    expect(first).not.toBe(second);
    expect(first.slice(0, 54)).toBe(second.slice(0, 54));
  });

  it('gives a name that is taken a tag from the path', () => {
    const taken = new Set(['a__b']);

    const name = chooseName('a__b', 'a__b', taken, COLUMN_BYTES_MAX);

    expect(name).toMatch(/^a__b_[0-9a-f]{8}$/);
    expect(chooseName('a__b', 'a__b', taken, COLUMN_BYTES_MAX)).toBe(name);
    expect(chooseName('a__b', 'other', taken, COLUMN_BYTES_MAX)).not.toBe(name);
  });

  it('never changes the tag that it makes of a path: stored names must be found again', () => {
    expect(chooseName('a__b', 'a.b', new Set(['a__b']), 59)).toBe('a__b_108bf50c');
    expect(chooseName('', 'é😀', new Set(['field']), 59)).toBe('field_44cc4da1');
  });

  it('finds another name when the tag clashes too', () => {
    const taken = new Set(['a', chooseName('a', 'p', new Set(['a']), 59)]);

    const name = chooseName('a', 'p', taken, 59);

    expect(taken.has(name)).toBe(false);
    expect(name).toMatch(/^a_[0-9a-f]{8}$/);
  });
});

describe('byteLength', () => {
  it.each(['', 'a', 'é', '漢', '😀', 'a😀é漢'])('counts %j as UTF-8 does', (text) => {
    expect(byteLength(text)).toBe(Buffer.byteLength(text));
  });
});
