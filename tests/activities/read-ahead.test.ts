import { describe, expect, it } from 'vitest';
import { readAhead } from '../../src/activities/read-ahead.js';

/** A source that counts its pages. */
function countingSource(pages: number) {
  const state = { fetched: 0, isClosed: false };
  async function* generate(): AsyncGenerator<number> {
    try {
      while (state.fetched < pages) {
        state.fetched += 1;
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
    const { generate } = countingSource(9);
    const seen: number[] = [];

    for await (const page of readAhead(generate())) {
      seen.push(page);
    }

    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('fetches one page ahead, so that a kill costs no more', async () => {
    const { state, generate } = countingSource(9);
    const ahead: number[] = [];

    for await (const page of readAhead(generate())) {
      await settle();
      ahead.push(state.fetched - page);
    }

    expect(ahead).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0]);
  });

  it('closes the source when its reader stops early', async () => {
    const { state, generate } = countingSource(9);

    for await (const page of readAhead(generate())) {
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
      for await (const page of readAhead(failing())) seen.push(page);
    })();

    await expect(reading).rejects.toThrow('cut');
    expect(seen).toEqual([1]);
  });
});
