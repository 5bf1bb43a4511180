import { describe, expect, test } from 'vitest';
import type { CloseClient } from '../../src/close/client.js';
import type { CloseWarning } from '../../src/close/list-page.js';
import { createCloseSource } from '../../src/close/source.js';
import { CLOSE_STREAMS } from '../../src/close/streams.js';
import type { Page } from '../../src/core/ports.js';
import type { JsonRecord } from '../../src/core/record.js';
import { ClosehaulError, type ErrorCode } from '../../src/errors.js';
import {
  activitySlice,
  leadSlice,
  rowsEvery,
  START,
  MovingList,
  readSlice,
} from './moving-list.js';
import { codeThrownBy, NEVER, thrownBy } from './test-client.js';

type Answerer = (path: string, params: Readonly<Record<string, unknown>>) => JsonRecord | ErrorCode;

function sourceOf(answer: Answerer) {
  const warnings: CloseWarning[] = [];
  const asked: string[] = [];
  const client: CloseClient = {
    connection: 'Test Closeio',
    close: () => undefined,
    post: () => Promise.reject(new Error('nothing is searched here')),
    get: (path, params) => {
      asked.push(path);
      const body = answer(path, params);
      if (typeof body === 'string')
        return Promise.reject(new ClosehaulError(body, { path, connection: 'c' }));
      return Promise.resolve({ body, bytes: 9, requests: 1, tripMs: 0 });
    },
  };
  const source = createCloseSource({ client, warn: (warning) => warnings.push(warning) });
  return { source, warnings, asked };
}

async function collect(pages: AsyncGenerator<Page>): Promise<Page[]> {
  const all: Page[] = [];
  for await (const page of pages) all.push(page);
  return all;
}

describe('identify', () => {
  test.each([
    [{ id: 'user_1', memberships: [{ organization_id: 'orga_1' }], organizations: [] }],
    [{ id: 'user_1', organizations: [{ id: 'orga_1' }] }],
  ])('reads %j', async (me) => {
    expect(await sourceOf(() => me).source.identify(NEVER)).toEqual({
      organizationId: 'orga_1',
      userId: 'user_1',
    });
  });

  test.each([{}, { id: 'user_1' }, { id: 7, organizations: [{ id: 'orga_1' }] }])(
    'refuses %j',
    async (me) => {
      const { source } = sourceOf(() => me);
      expect(await codeThrownBy(() => source.identify(NEVER))).toBe('CLOSE_UNEXPECTED_BODY');
    },
  );
});

describe('customFields', () => {
  test('pages through, shared fields included', async () => {
    const fields = Array.from({ length: 250 }, (_, index) => ({
      id: `cf_${index}`,
      name: `Field ${index}`,
      type: index % 2 === 0 ? 'date' : null,
    }));
    const { source, asked } = sourceOf((_path, params) => {
      const skip = Number(params['_skip']);
      return { data: fields.slice(skip, skip + 100), has_more: skip + 100 < 250 };
    });
    const read = await source.customFields('lead', NEVER);
    expect(read).toHaveLength(250);
    expect(read?.slice(-2)).toEqual([
      { id: 'cf_248', name: 'Field 248', type: 'date' },
      { id: 'cf_249', name: 'Field 249', type: null },
    ]);
    expect(asked).toEqual(Array(3).fill('/custom_field/lead/'));
  });

  test('ends when Close repeats itself', async () => {
    const { source, asked } = sourceOf(() => ({
      data: [{ id: 'cf_1', name: 'A' }],
      has_more: true,
    }));
    expect(await source.customFields('lead', NEVER)).toEqual([
      { id: 'cf_1', name: 'A', type: null },
    ]);
    expect(asked.length).toBe(2);
  });

  test.each(['CLOSE_FORBIDDEN', 'CLOSE_NOT_FOUND'] as const)('is null on %s', async (code) => {
    const { source } = sourceOf(() => code);
    expect(await source.customFields('activity', NEVER)).toBeNull();
  });

  test('lets other errors through', async () => {
    const { source } = sourceOf(() => 'CLOSE_UNAVAILABLE');
    await expect(source.customFields('lead', NEVER)).rejects.toBeInstanceOf(ClosehaulError);
  });
});

describe('fetchPages', () => {
  const to = rowsEvery(1, 2)[1]?.created ?? START;

  test.each(['CLOSE_FORBIDDEN', 'CLOSE_NOT_FOUND'] as const)(
    '%s skips an optional part with a warning, and fails another',
    async (code) => {
      const { source, warnings } = sourceOf(() => code);
      const optional = { ...activitySlice(START, to), part: 'emailthread' };
      const pages = await collect(source.fetchPages(optional, null, NEVER));
      const [page] = pages;
      expect(page).toMatchObject({ records: [], next: null, requests: 1, isSkipped: true });
      expect(page?.note).toContain('/activity/emailthread/');
      expect(warnings.map((warning) => warning.path)).toEqual(['/activity/emailthread/']);
      const thrown = source.fetchPages(activitySlice(START, to), null, NEVER).next();
      await expect(thrown).rejects.toMatchObject({ code });
    },
  );

  test.each([
    { has_more: false },
    { data: {}, has_more: false },
    { data: [null] },
    { data: ['text'] },
  ])('refuses %j', async (body) => {
    const { source } = sourceOf(() => body);
    const error = await thrownBy(() =>
      collect(source.fetchPages(leadSlice(START, to), null, NEVER)),
    );
    expect(error.code).toBe('CLOSE_UNEXPECTED_BODY');
  });

  test('an unknown stream or part is named', async () => {
    const { source } = sourceOf(() => ({ data: [] }));
    const slice = { ...leadSlice(START, to), part: 'nope' };
    const error = await thrownBy(() => collect(source.fetchPages(slice, null, NEVER)));
    expect([error.code, error.message]).toEqual([
      'CLOSE_STREAM_UNKNOWN',
      'This version of Closehaul reads no stream leads with a part nope.',
    ]);
  });

  test('halves the page when it is too large, and doubles it back', async () => {
    const list = new MovingList({ rows: rowsEvery(60_000, 60) });
    const limits: number[] = [];
    const client: CloseClient = {
      ...list.client,
      get: (path, params, signal) => {
        const [skip, limit] = [Number(params['_skip']), Number(params['_limit'])];
        limits.push(limit);
        // One giant row at place 12.
        if (skip <= 12 && skip + limit > 12 && limit > 3) {
          return Promise.reject(new ClosehaulError('CLOSE_BODY_TOO_LARGE', { path, bytesMax: 1 }));
        }
        return list.client.get(path, params, signal);
      },
    };
    const reading = await readSlice({ client }, activitySlice(START, parseEnd(list)), null, 10);
    expect(reading.ids.size).toBe(60);
    expect(Math.min(...limits)).toBe(2);
    expect(limits.at(-1)).toBe(10);
  });

  test('a single row that is too large fails with its code', async () => {
    const { source } = sourceOf(() => 'CLOSE_BODY_TOO_LARGE');
    await expect(
      collect(source.fetchPages(activitySlice(START, to), null, NEVER)),
    ).rejects.toMatchObject({
      code: 'CLOSE_BODY_TOO_LARGE',
    });
  });
});

function parseEnd(list: MovingList) {
  return list.now;
}

describe('the list of streams', () => {
  test('names are unique, and parts within a stream', () => {
    const names = CLOSE_STREAMS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { parts } of CLOSE_STREAMS) {
      expect(new Set(parts.map(({ name }) => name)).size).toBe(parts.length);
    }
  });

  test('key and clocks never count as volatile', () => {
    for (const stream of CLOSE_STREAMS) {
      for (const field of [stream.key, stream.versionField ?? '', stream.clockField]) {
        expect(stream.volatileFields).not.toContain(field);
      }
    }
  });

  test('the two that Stitch has, loaded as Stitch loads them', () => {
    const [leads, activities] = CLOSE_STREAMS;
    expect(leads).toMatchObject({
      name: 'leads',
      loading: 'upsert',
      key: 'id',
      clockField: 'date_updated',
    });
    expect(activities).toMatchObject({
      name: 'activities',
      loading: 'append',
      key: 'id',
      clockField: 'date_created',
    });
  });
});
