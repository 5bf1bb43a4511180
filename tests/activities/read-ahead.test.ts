import { describe, expect, it } from 'vitest';
import { readAhead } from '../../src/activities/read-ahead.js';

/** A source that counts its pages and takes `fetchMs` for each, on a clock that only it moves. */
function slowSource(pages: number, fetchMs: number) {
  const state = { fetched: 0, nowMs: 0, isClosed: false };
  async function* generate(): AsyncGenerator<number> {
    try {
      while (state.fetched < pages) {
        state.fetched += 1;
        state.nowMs += fetchMs;
        yield await Promise.resolve(state.fetched);
      }
    } finally {
      state.isClosed = true;
    }
  }
  return { state, generate };
}

/** Lets every page that is being fetched arrive. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

describe('readAhead', () => {
  it('gives every page, in order, whatever it fetches ahead', async () => {
    const { state, generate } = slowSource(9, 500);
    const seen: number[] = [];

    for await (const page of readAhead(generate(), { pagesMax: 2, nowMs: () => state.nowMs })) {
      seen.push(page);
    }

    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('fetches one page ahead from a quick source, so that a kill costs no more', async () => {
    const { state, generate } = slowSource(9, 10);
    const ahead: number[] = [];

    for await (const page of readAhead(generate(), { pagesMax: 2, nowMs: () => state.nowMs })) {
      await settle();
      ahead.push(state.fetched - page);
    }

    expect(ahead).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0]);
  });

  it('fetches up to the limit ahead from a slow source', async () => {
    const { state, generate } = slowSource(9, 500);
    const ahead: number[] = [];

    for await (const page of readAhead(generate(), { pagesMax: 2, nowMs: () => state.nowMs })) {
      await settle();
      ahead.push(state.fetched - page);
    }

    expect(Math.max(...ahead)).toBe(2);
  });

  it('closes the source when its reader stops early', async () => {
    const { state, generate } = slowSource(9, 500);

    for await (const page of readAhead(generate(), { pagesMax: 2, nowMs: () => state.nowMs })) {
      if (page === 3) break;
    }

    expect(state.isClosed).toBe(true);
  });

  it('throws a failure when its turn comes, after the pages before it', async () => {
    async function* failing(): AsyncGenerator<number> {
      yield await Promise.resolve(1);
      throw new Error('cut');
    }
    const seen: number[] = [];

    const reading = (async () => {
      for await (const page of readAhead(failing(), { pagesMax: 2, nowMs: () => 0 }))
        seen.push(page);
    })();

    await expect(reading).rejects.toThrow('cut');
    expect(seen).toEqual([1]);
  });
});
