import { describe, expect, test } from 'vitest';
import type { Slice } from '../../src/core/stream.js';
import { at, fakeClose, idsOf, listAnswer, rowsOf } from './fake-close.js';

const range = { part: 'list', from: at('2026-01-01'), to: at('2026-11-23') };
const groups: Slice = { stream: 'groups', ...range };
const subscriptions: Slice = { stream: 'sequence_subscriptions', ...range };

describe('one record for each parent', () => {
  const answer = (missing: string) => (asked: Parameters<typeof listAnswer>[1]) => {
    if (asked.path === '/group/') return listAnswer(rowsOf('group', 4), asked);
    const id = asked.path.split('/')[2] ?? '';
    return id === missing ? 'CLOSE_NOT_FOUND' : { id, members: [{ user_id: 'user_1' }] };
  };

  test('is read whole, in the order of the ids, and is a complete pass', async () => {
    const pages = await fakeClose(answer('')).read(groups);
    expect(idsOf(pages)).toEqual(['group_0', 'group_1', 'group_2', 'group_3']);
    expect(pages.at(-1)?.pass?.keys.length).toBe(4);
  });

  test('one that vanishes meanwhile is passed over', async () => {
    const pages = await fakeClose(answer('group_2')).read(groups);
    expect(idsOf(pages)).toEqual(['group_0', 'group_1', 'group_3']);
  });

  test('goes on after each parent', async () => {
    const close = fakeClose(answer(''));
    const [, second] = await close.read(groups, { pagesMax: 2 });
    const before = close.asked.length;
    const rest = await close.read(groups, { position: second?.next ?? null });
    expect(idsOf(rest)).toEqual(['group_2', 'group_3']);
    expect(close.asked.slice(before).map(({ path }) => path)).not.toContain('/group/group_0/');
  });

  test('no parent, or no right to read them', async () => {
    const none = await fakeClose(() => ({ data: [] })).read(groups);
    expect(none).toMatchObject([{ records: [], next: null, pass: { keys: [] } }]);
    const refused = await fakeClose(() => 'CLOSE_FORBIDDEN').read(groups);
    expect(refused).toMatchObject([{ next: null, isSkipped: true }]);
    expect(refused[0]?.pass).toBeUndefined();
  });
});

describe('one list for each parent', () => {
  test('is paged, resumed from any page, and no complete pass', async () => {
    const close = fakeClose((asked) => {
      if (asked.path === '/sequence/') return listAnswer(rowsOf('seq', 3), asked);
      return listAnswer(rowsOf(`sub_${String(asked.params['sequence_id'])}`, 8), asked);
    });
    const whole = await close.read(subscriptions);
    const all = new Set(idsOf(whole));
    expect(all.size).toBe(24);
    expect(whole.at(-1)).toMatchObject({ next: null });
    expect(whole.every(({ pass }) => pass === undefined)).toBe(true);
    for (const [index, page] of whole.entries()) {
      if (page.next === null) continue;
      const rest = await close.read(subscriptions, { position: page.next });
      expect(new Set([...idsOf(whole.slice(0, index + 1)), ...idsOf(rest)])).toEqual(all);
      expect(rest.length).toBe(whole.length - index - 1);
    }
  });
});
