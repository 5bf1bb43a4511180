import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/errors.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { readThrough, type ReadOptions, type ReadThrough } from './read-through.js';

/**
 * What Close and the network do to us, one fault after the other, while all of an account is read:
 * what is read in the end is the same as without the fault. Each fault has a test of its own edge
 * cases too; docs/faults.md says where.
 */
let sandbox: Sandbox;
let good: ReadThrough;

beforeAll(async () => {
  sandbox = await startSandbox({
    ...{ seed: 'faults', leads: 25, activities: 180, from: '2026-06-01', rateLimit: 0 },
    ...{ until: '2026-11-01T00:00:00Z', now: () => new Date('2026-11-01T00:01:00Z') },
  });
  good = await readThrough(sandbox);
});
afterAll(() => sandbox.stop());

async function readUnder(faults: readonly string[], options?: ReadOptions): Promise<ReadThrough> {
  const before = { ...sandbox.stats().faultsByName };
  sandbox.setFaults(faults);
  const read = await readThrough(sandbox, options).finally(() => sandbox.setFaults([]));
  // A fault that never happened proves nothing.
  const { faultsByName } = sandbox.stats();
  const names = faults.map((fault) => /^[^=]*/.exec(fault)?.[0] ?? '');
  for (const name of names.filter((each) => !FORMS.test(each)))
    expect(faultsByName[name] ?? 0, name).toBeGreaterThan(before[name] ?? 0);
  return read;
}

/** They say how a 429 is told, and strike with another fault. */
const FORMS = /^rate-limit-(headers|body|reset)$/;

it('without a fault, every stream is read', () => {
  expect(good.failures).toEqual([]);
  expect(Object.keys(good.records).length).toBeGreaterThanOrEqual(28);
  expect(Object.keys(good.records['activities'] ?? {}).length).toBeGreaterThanOrEqual(180);
});

type Case = readonly [
  fault: string,
  faults: readonly string[],
  failures: readonly ErrorCode[],
  options?: ReadOptions,
];

function toCase([name, faults, failures, options = {}]: Case) {
  return { name, faults, failures, options };
}

/** One that is read by keyset, one by windows, one by search, a whole list, one list for each parent. */
const EACH_METHOD = ['leads', 'activities', 'contacts', 'users', 'groups'];

const STORM = 'rate-limit-storm=3';

/** Each fault strikes every so-many-th request; the numbers are prime, so that they do not always meet. */
const MENDED: readonly Case[] = [
  ['F16: 429, told as today', [STORM], []],
  ['F16: 429 with fractional seconds', [STORM, 'rate-limit-headers=fractional'], []],
  ['F16: 429 with the header in three', [STORM, 'rate-limit-headers=split'], []],
  ['F16: 429 with all headers of all times', [STORM, 'rate-limit-headers=layers'], []],
  ['F16: 429 with Retry-After alone', [STORM, 'rate-limit-headers=reset-only'], []],
  ['F16: 429 that tells nothing', [STORM, 'rate-limit-headers=none'], []],
  ['F16: 429 with an HTML body', [STORM, 'rate-limit-body=html'], []],
  ['F16: 429 with a body of long ago', [STORM, 'rate-limit-body=nested'], []],
  ['F16: 429 with a negative reset', [STORM, 'rate-limit-reset=-5'], []],
  [
    'F16: 429 with a reset of years',
    [STORM, 'rate-limit-reset=1000000000'],
    ['CLOSE_RATE_LIMITED'],
  ],
  ['F16: 429 with a reset in words', [STORM, 'rate-limit-reset=soon'], []],
  ['F16: 429 though requests remain', ['hidden-limit=5'], []],
  ['F18: 500', ['server-error=3'], ['CLOSE_UNAVAILABLE']],
  ['F18: 502 in HTML', ['bad-gateway=3'], ['CLOSE_UNAVAILABLE']],
  ['F18: 503', ['unavailable=3'], ['CLOSE_UNAVAILABLE']],
  ['F18: 504, empty', ['gateway-timeout=3'], ['CLOSE_UNAVAILABLE']],
  ['F18: 408', ['request-timeout=3'], ['CLOSE_UNAVAILABLE']],
  ['F18: ten in a row', ['unavailable=1*10'], ['CLOSE_UNAVAILABLE']],
  ['F19: no answer', ['hang=1*2'], ['CLOSE_UNAVAILABLE'], { timeoutMs: 500 }],
  ['F19: the last byte never comes', ['stall=1*2'], ['CLOSE_UNAVAILABLE'], { timeoutMs: 500 }],
  ['F19: a drip', ['drip=1*1'], [], { streams: ['leads'] }],
  ['F20: a body that is cut', ['cut-body=3'], ['CLOSE_BODY_INCOMPLETE']],
  ['F20: half a body, properly ended', ['early-end=3'], ['CLOSE_BODY_INCOMPLETE']],
  ['F20: a length that lies', ['wrong-length=3'], ['CLOSE_BODY_INCOMPLETE']],
  ['F21: gzip', ['gzip'], []],
  ['F21: gzip with a bit flipped', ['gzip-flip=3'], ['CLOSE_BODY_INCOMPLETE']],
  ['F21: gzip without its trailer', ['gzip-no-trailer=3'], ['CLOSE_BODY_INCOMPLETE']],
  ['F21: gzip that is cut', ['gzip-cut=3'], ['CLOSE_BODY_INCOMPLETE']],
  ['F21: gzip that is none', ['gzip-lie=3'], ['CLOSE_BODY_INCOMPLETE']],
  ['F22: HTML', ['html=3'], ['CLOSE_UNEXPECTED_BODY']],
  ['F22: HTML that calls itself JSON', ['html-as-json=3'], ['CLOSE_UNEXPECTED_BODY']],
  ['F22: an error under 200', ['error-body=3'], ['CLOSE_UNEXPECTED_BODY']],
  ['F22: nothing under 200', ['empty-body=3'], ['CLOSE_UNEXPECTED_BODY']],
  ['F22: 204', ['no-content=3'], ['CLOSE_UNEXPECTED_BODY']],
  ['F22: null', ['null-body=3'], ['CLOSE_UNEXPECTED_BODY']],
  ['F22: JSON that calls itself HTML', ['wrong-type=3'], []],
  ['F22: data that is no list', ['data-object=3'], ['CLOSE_UNEXPECTED_BODY']],
  [
    'F23: pages past the size cap are halved',
    ['slow=1'],
    [],
    { bodyBytesMax: 40_000, streams: ['leads', 'activities'] },
  ],
  ['F30: each connection ends behind its answer', ['lost-keep-alive'], []],
  ['F30: connections that break before an answer', ['reset=3'], []],
];

describe('what passes leaves nothing out', () => {
  it.each(MENDED.map(toCase))('$name', async ({ faults, failures, options }) => {
    const streams = options.streams ?? EACH_METHOD;
    const read = await readUnder(faults, { ...options, streams });
    expect(read.records).toEqual(expected(streams));
    expect(read.failures).toEqual(failures);
  });
});

function expected(streams: readonly string[] = Object.keys(good.records)): ReadThrough['records'] {
  return Object.fromEntries(streams.map((name) => [name, good.records[name] ?? {}]));
}

/** Lists that are not what they should be. */
type ListCase = readonly [name: string, fault: string, streams?: readonly string[]];

const LISTS: readonly ListCase[] = [
  ['rows that come twice', 'duplicate-rows'],
  ['rows in no order', 'shuffled-rows'],
  ['pages longer than asked for', 'long-pages'],
  ['pages shorter than asked for', 'short-pages'],
  ['times in two forms', 'mixed-times'],
  ['the page before, once more', 'repeat-page=4', ['leads', 'activities', 'opportunities']],
  ['the page before, once more, of a search', 'repeat-page=2:/data/search/', ['custom_objects']],
  ['the page before, once more, of a whole list', 'repeat-page=2:/user/', ['users']],
  ['"has_more" that is missing', 'has-more-missing=1:/status/', ['lead_statuses']],
  ['"has_more" that is false too early', 'has-more-false=3', ['leads', 'opportunities', 'tasks']],
];

describe('lists that lie', () => {
  it.each(LISTS.map(([name, fault, streams]) => ({ name, fault, streams })))(
    '$name',
    async ({ fault, streams }) => {
      const { records } = await readUnder([fault], { ...(streams !== undefined && { streams }) });
      for (const name of streams ?? Object.keys(good.records)) {
        expect(idsOf(records[name]), name).toEqual(idsOf(good.records[name]));
      }
    },
  );

  it('a filter of leads that is ignored: all are read, and those before it left out', async () => {
    const streams = ['leads'];
    const { records } = await readUnder(['ignored-filters=query'], { streams });
    expect(records).toEqual(expected(streams));
  });

  it('a window that is ignored: the list is named, and nothing is taken for its rows', async () => {
    const fault = 'ignored-filters=date_created__gte,date_created__lt';
    const failure = readUnder([fault], { streams: ['activities'] });
    await expect(failure).rejects.toMatchObject({ code: 'CLOSE_FILTER_IGNORED' });
  });

  it('a cursor that leads nowhere: the log is named, and not asked for ever', async () => {
    // More events in a day than one answer has.
    const busy = await startSandbox({
      ...{ seed: 'cursor', leads: 40, activities: 600, from: '2026-10-28', rateLimit: 0 },
      ...{ until: '2026-11-01T00:00:00Z', now: () => new Date('2026-11-01T00:01:00Z') },
      faults: ['cursor-loop'],
    });
    const failure = readThrough(busy, { streams: ['event_log'] }).finally(() => busy.stop());
    await expect(failure).rejects.toMatchObject({ code: 'CLOSE_PAGING_LOOP' });
    expect(busy.stats().requests).toBeLessThanOrEqual(60);
  });

  it('"has_more" that is never false: the list is named, and not asked for ever', async () => {
    const before = sandbox.stats().requests;
    const failure = readUnder(['has-more-true'], { streams: ['opportunities'] });
    await expect(failure).rejects.toMatchObject({ code: 'CLOSE_PAGING_LOOP' });
    expect(sandbox.stats().requests - before).toBeLessThanOrEqual(60);
  });
});

describe('what waiting does not mend', () => {
  it.each([
    ['F27: a key that was revoked', 'unauthorized', 'CLOSE_KEY_REJECTED', 'stop-connection'],
    ['F28: 403', 'forbidden=/lead/', 'CLOSE_FORBIDDEN', 'fail-stream'],
    ['F29: 404', 'not-found=/lead/', 'CLOSE_NOT_FOUND', 'fail-stream'],
    ['F29: 402', 'plan-limit=/lead/', 'CLOSE_BAD_REQUEST', 'fail-stream'],
    [
      'F26: a redirect to another host',
      'redirect=http://127.0.0.1:9',
      'CLOSE_REDIRECTED',
      'stop-connection',
    ],
    ['F26: a redirect to itself', 'redirect-self=1', 'CLOSE_REDIRECTED', 'stop-connection'],
    ['F23: a body that never ends', 'endless-body=1', 'CLOSE_BODY_TOO_LARGE', 'fail-stream'],
  ])('%s ends at once, with a code', async (_name, fault, code, recovery) => {
    const before = sandbox.stats().requests;
    const failure = readUnder([fault], { streams: ['leads'] });
    await expect(failure).rejects.toMatchObject({ code, recovery });
    // A page that is too large is asked for row by row before it is given up.
    const most = code === 'CLOSE_BODY_TOO_LARGE' ? 6 : 1;
    expect(sandbox.stats().requests - before).toBeLessThanOrEqual(most);
  });

  it('F23: bodies past the size cap even row by row', async () => {
    const failure = readUnder(['huge-body=2'], { streams: ['leads'], bodyBytesMax: 1_000_000 });
    await expect(failure).rejects.toMatchObject({ code: 'CLOSE_BODY_TOO_LARGE' });
  });

  it.each(['forbidden', 'not-found'])(
    'F28: %s on a list that a key may lack: it is told, and the rest is read',
    async (fault) => {
      const { records, notes } = await readUnder([`${fault}=/webhook/`]);
      expect(notes).toHaveLength(1);
      expect(notes[0]).toContain('/webhook/');
      const others = Object.keys(good.records).filter((name) => name !== 'webhooks');
      expect(records).toEqual(expected(others));
    },
  );

  it('F29: max_skip is no error: the windows are halved', async () => {
    const small = await startSandbox({
      ...{ seed: 'faults', leads: 25, activities: 180, from: '2026-06-01', rateLimit: 0 },
      ...{
        until: '2026-11-01T00:00:00Z',
        now: () => new Date('2026-11-01T00:01:00Z'),
        maxSkip: 20,
      },
    });
    const streams = ['leads', 'activities', 'opportunities', 'tasks'];
    const { records } = await readThrough(small, { streams }).finally(() => small.stop());
    expect(records).toEqual(expected(streams));
  });
});

describe('while the account changes', () => {
  it.each(['chaos=one', 'chaos=two', 'chaos=three', 'moving=1'])(
    'nothing is left out that was there all the time: %s',
    async (fault) => {
      const moving = await startSandbox({
        ...{ seed: fault, leads: 25, activities: 180, from: '2026-06-01', rateLimit: 0 },
        ...{ until: '2026-11-01T00:00:00Z', now: () => new Date('2026-11-01T00:01:00Z') },
      });
      const streams = ['leads', 'activities', 'opportunities', 'tasks', 'contacts'];
      const before = await readThrough(moving, { streams });
      moving.setFaults([fault]);
      const { records } = await readThrough(moving, { streams, timeoutMs: 5_000 });
      moving.setFaults([]);
      const after = await readThrough(moving, { streams });
      expect(moving.stats().faults).toBeGreaterThan(0);
      await moving.stop();
      for (const name of streams) {
        const there = idsOf(after.records[name]).filter((id) => before.records[name]?.[id]);
        const lost = there.filter((id) => records[name]?.[id] === undefined);
        expect(lost, name).toEqual([]);
      }
    },
  );
});

function idsOf(records: Readonly<Record<string, string>> = {}): string[] {
  return Object.keys(records).sort();
}
