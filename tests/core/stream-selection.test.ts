import { describe, expect, it } from 'vitest';
import { selectStreams } from '../../src/core/stream-selection.js';

const known = ['a', 'b', 'c'];

/** The streams that are chosen and the fields that are left out, or the term that is not known. */
function chosen(...terms: string[]): unknown {
  const selection = selectStreams(terms, known);
  if ('unknown' in selection) return selection.unknown;
  return [selection.streams.join(), Object.fromEntries(selection.leftOut)];
}

describe('selectStreams', () => {
  it.each([
    [[], ['a,b,c', {}]],
    [['all'], ['a,b,c', {}]],
    [
      ['c', 'a'],
      ['a,c', {}],
    ],
    [['-b'], ['a,c', {}]],
    [
      ['all', '-b'],
      ['a,c', {}],
    ],
    [
      ['a', 'b', '-b'],
      ['a', {}],
    ],
    [
      ['a', 'a'],
      ['a', {}],
    ],
    [
      [' a ', ''],
      ['a', {}],
    ],
    [['a.-x'], ['a,b,c', { a: ['x'] }]],
    [
      ['a', 'a.-x', 'a.-y', 'b.-x'],
      ['a', { a: ['x', 'y'], b: ['x'] }],
    ],
  ])('%j', (terms, expected) => {
    expect(chosen(...terms)).toEqual(expected);
  });

  it.each(['d', '-d', 'd.-x', 'a.-', '-a.-x', 'all.-x', 'a.x', 'constructor'])(
    'names %s as not known',
    (term) => {
      expect(chosen('a', term)).toBe(term);
    },
  );

  it('without terms takes all', () => {
    expect(selectStreams(null, known)).toMatchObject({ streams: known });
  });
});
