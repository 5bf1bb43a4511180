import { describe, expect, test } from 'vitest';
import { fieldText } from '../../src/close/list-page.js';
import type { Slice } from '../../src/core/stream.js';
import { at, fakeClose, idsOf, listAnswer, NOW_MS, rowsOf } from './fake-close.js';
import { instantFromMillis } from '../../src/core/instant.js';

const range = { from: at('2026-01-01'), to: at('2026-11-23') };
const roles: Slice = { stream: 'roles', part: 'list', ...range };
const bulkActions: Slice = { stream: 'bulk_actions', part: 'list', ...range };

describe('a small list', () => {
  test('is read whole, and its last page tells all keys', async () => {
    const close = fakeClose((asked) => listAnswer(rowsOf('role', 7), asked));
    const pages = await close.read(roles);
    const keys = rowsOf('role', 7).map(({ id }) => id);
    expect([...new Set(idsOf(pages))]).toEqual(keys);
    expect(pages.at(-1)?.pass).toEqual({ keys, startedAt: instantFromMillis(NOW_MS) });
    expect(pages.slice(0, -1).every(({ pass }) => pass === undefined)).toBe(true);
  });

  test('goes on where it stopped, and still tells all keys', async () => {
    const close = fakeClose((asked) => listAnswer(rowsOf('role', 7), asked));
    const [first] = await close.read(roles, { pagesMax: 1 });
    const rest = await close.read(roles, { position: first?.next ?? null });
    expect(rest.at(-1)?.pass?.keys.length).toBe(7);
    expect(close.asked.filter(({ params }) => params['_skip'] === 0).length).toBe(1);
  });

  test('without has_more is one page, and an empty one is a complete pass too', async () => {
    const close = fakeClose(() => ({ data: [] }));
    const pages = await close.read(roles);
    expect(pages.map(({ pass }) => pass?.keys)).toEqual([[]]);
  });

  test('a row that vanishes while the list is paged hides no other', async () => {
    let rows = rowsOf('role', 9);
    const close = fakeClose((asked) => {
      const answer = listAnswer(rows, asked);
      if (close.asked.length === 1) rows = rows.slice(2);
      return answer;
    });
    const keys = (await close.read(roles)).at(-1)?.pass?.keys ?? [];
    expect(rows.filter((row) => !keys.includes(fieldText(row, 'id')))).toEqual([]);
  });

  test.each(['CLOSE_FORBIDDEN', 'CLOSE_NOT_FOUND'] as const)(
    'one of several that is refused (%s) leaves a note and no complete pass',
    async (code) => {
      const close = fakeClose((asked) =>
        asked.path === '/bulk_action/edit/' ? code : listAnswer(rowsOf(asked.path, 2), asked),
      );
      const pages = await close.read(bulkActions);
      expect(idsOf(pages).length).toBe(6);
      const last = pages.at(-1);
      expect(last).toMatchObject({ next: null });
      expect(last?.note).toContain('/bulk_action/edit/');
      expect([last?.pass, last?.isSkipped]).toEqual([undefined, undefined]);
    },
  );

  test('all of them refused is a part that was skipped', async () => {
    const close = fakeClose(() => 'CLOSE_FORBIDDEN');
    const pages = await close.read(bulkActions);
    expect(pages.at(-1)).toMatchObject({ next: null, isSkipped: true });
    expect(close.asked.length).toBe(4);
  });

  test('any other error ends the reading', async () => {
    const close = fakeClose(() => 'CLOSE_UNAVAILABLE');
    await expect(close.read(roles)).rejects.toMatchObject({ code: 'CLOSE_UNAVAILABLE' });
  });
});

describe('what lies inside the organization', () => {
  const me = { id: 'user_1', memberships: [{ organization_id: 'orga_1' }] };
  const organization = {
    id: 'orga_1',
    memberships: [{ id: 'memb_1', user: { id: 'user_1' } }],
    inactive_memberships: [{ id: 'memb_2', user: { id: 'user_2' } }, { id: 'memb_3' }],
  };
  const close = () =>
    fakeClose(({ path }) => {
      if (path === '/me/') return me;
      return path === '/user/' ? { data: [{ id: 'user_1' }] } : organization;
    });

  test('the organization itself', async () => {
    const one = close();
    expect(idsOf(await one.read({ ...roles, stream: 'organizations' }))).toEqual(['orga_1']);
    expect(one.asked.map(({ path }) => path)).toEqual(['/me/', '/organization/orga_1/']);
  });

  test('memberships, those that ended included', async () => {
    const pages = await close().read({ ...roles, stream: 'memberships' });
    expect(idsOf(pages)).toEqual(['memb_1', 'memb_2', 'memb_3']);
  });

  test('users, those that left included', async () => {
    const pages = await close().read({ ...roles, stream: 'users' });
    expect(pages.at(-1)?.pass?.keys).toEqual(['user_1', 'user_2']);
  });
});
