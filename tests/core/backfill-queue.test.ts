import { describe, expect, it } from 'vitest';
import {
  dueJob,
  enqueue,
  parseBackfill,
  updateJob,
  type BackfillJob,
  type BackfillRequest,
} from '../../src/core/backfill-queue.js';
import { parseInstant, type Instant } from '../../src/core/instant.js';

const at = (text: string): Instant => parseInstant(text) as Instant;
const now = at('2026-11-24T12:00:00Z');
const known = ['red', 'blue'];

describe('parseBackfill', () => {
  it.each([
    ['2024-01-01', { from: at('2024-01-01') }],
    [' 2024-01-01 ', { from: at('2024-01-01') }],
    [{ from: '2024-01-01' }, { from: at('2024-01-01') }],
    [
      { from: '2024-01-01T08:00:00+01:00', to: '2024-07-01', streams: ['blue'], id: 'h1' },
      {
        from: at('2024-01-01T07:00:00Z'),
        to: at('2024-07-01'),
        streams: ['blue'],
        id: 'h1',
      },
    ],
    [{ from: '2024-01-01', to: null, streams: null, id: null }, { from: at('2024-01-01') }],
    [{ from: '0001-01-01' }, { from: at('0001-01-01') }],
  ])('reads %j', (input, expected) => {
    const whole = { to: null, streams: null, id: null, ...expected };

    expect(parseBackfill(input, now, known)).toEqual({ request: whole });
  });

  it.each([
    ['2027-01-01', null],
    ['9999-12-31T23:59:59Z', null],
    ['2026-11-24T12:00:00Z', now],
  ])('reads up to now where "to" is %s', (to, expected) => {
    const parsed = parseBackfill({ from: '2024-01-01', to }, now, known);

    expect(parsed).toMatchObject({ request: { to: expected } });
  });

  it.each<[unknown, RegExp]>([
    [undefined, /date, or an object/],
    [null, /date, or an object/],
    [0, /date, or an object/],
    [20240101, /date, or an object/],
    [true, /date, or an object/],
    [[], /date, or an object/],
    [['2024-01-01'], /date, or an object/],
    [{}, /"from"/],
    ['', /"from"/],
    ['yesterday', /"from"/],
    ['2023-02-29', /"from"/],
    ['0000-00-00', /"from"/],
    ['x'.repeat(1_000_000), /"from"/],
    [{ from: 20240101 }, /"from"/],
    [{ from: null }, /"from"/],
    [{ from: { $date: 1 } }, /"from"/],
    [{ from: '2026-11-25' }, /future/],
    [{ from: '2024-01-01', to: '2024-01-01' }, /after/],
    [{ from: '2024-01-01', to: '2023-01-01' }, /after/],
    [{ from: '2024-01-01', to: 'later' }, /"to"/],
    [{ from: '2024-01-01', to: 5 }, /"to"/],
    [{ from: '2024-01-01', to: '' }, /"to"/],
    [{ from: '2024-01-01', streams: 'red' }, /"streams"/],
    [{ from: '2024-01-01', streams: [] }, /empty/],
    [{ from: '2024-01-01', streams: [1] }, /"streams"/],
    [{ from: '2024-01-01', streams: ['red', 'green'] }, /does not have/],
    [{ from: '2024-01-01', streams: ['toString'] }, /does not have/],
    [{ from: '2024-01-01', id: '' }, /"id"/],
    [{ from: '2024-01-01', id: 7 }, /"id"/],
    [{ from: '2024-01-01', id: 'a/b' }, /"id"/],
    [{ from: '2024-01-01', id: 'x'.repeat(65) }, /"id"/],
    [{ from: '2024-01-01', id: 'a\n' }, /"id"/],
    [{ from: '2024-01-01', until: '2024-02-01' }, /other than/],
    [JSON.parse('{"from": "2024-01-01", "__proto__": {"to": 1}}'), /other than/],
  ])('refuses %j and says why', (input, reason) => {
    const parsed = parseBackfill(input, now, known);

    expect('reason' in parsed && parsed.reason).toMatch(reason);
  });

  it('takes any stream as long as nobody knows which there are', () => {
    const parsed = parseBackfill({ from: '2024-01-01', streams: ['green'] }, now, null);

    expect(parsed).toMatchObject({ request: { streams: ['green'] } });
  });

  it('never repeats what it was given', () => {
    const secret = 'jane@example.com';

    for (const input of [secret, { [secret]: 1 }, { from: '2024-01-01', streams: [secret] }]) {
      expect(JSON.stringify(parseBackfill(input, now, known))).not.toContain(secret);
    }
  });
});

const request = (from: string, to: string | null, more: Partial<BackfillRequest> = {}) =>
  ({ from: at(from), to: to === null ? null : at(to), streams: null, id: null, ...more }) as const;

/** The jobs after these requests, one after the other, with ids 1, 2, 3, … */
function queueOf(...requests: readonly BackfillRequest[]): readonly BackfillJob[] {
  let jobs: readonly BackfillJob[] = [];
  for (const [index, next] of requests.entries()) {
    const result = enqueue(jobs, next, String(index + 1));
    if ('jobs' in result) jobs = result.jobs;
  }
  return jobs;
}

describe('enqueue', () => {
  it('adds a job that waits', () => {
    expect(queueOf(request('2024-01-01', '2024-02-01'))).toEqual([
      {
        id: '1',
        from: at('2024-01-01'),
        to: at('2024-02-01'),
        streams: null,
        status: 'queued',
        records: 0,
        hasStarted: false,
        retryAtMs: null,
      },
    ]);
  });

  it.each([
    ['2024-03-01', '2024-05-01', '2024-02-01', '2024-05-01'],
    ['2024-01-01', '2024-02-15', '2024-01-01', '2024-03-01'],
    ['2024-01-01', null, '2024-01-01', null],
    ['2024-02-10', '2024-02-20', '2024-02-01', '2024-03-01'],
  ])('widens one that waits when %s to %s overlaps or touches it', (from, to, first, last) => {
    const jobs = queueOf(request('2024-02-01', '2024-03-01'), request(from, to));

    expect(jobs).toHaveLength(1);
    expect(jobs[0]).toMatchObject({
      id: '1',
      from: at(first),
      to: last === null ? null : at(last),
    });
  });

  it.each([
    ['ends before it', request('2024-01-01', '2024-01-31')],
    ['begins after it', request('2024-03-02', null)],
    ['is for other streams', request('2024-02-01', '2024-03-01', { streams: ['red'] })],
    ['has an id of its own', request('2024-02-01', '2024-03-01', { id: 'mine' })],
  ])('adds a second job when the request %s', (_, second) => {
    expect(queueOf(request('2024-02-01', '2024-03-01'), second)).toHaveLength(2);
  });

  it('takes two lists of the same streams for the same', () => {
    const jobs = queueOf(
      request('2024-01-01', null, { streams: ['red', 'blue'] }),
      request('2024-01-01', null, { streams: ['blue', 'red', 'red'] }),
    );

    expect(jobs).toHaveLength(1);
  });

  it('never widens a job that runs already: it would not read the rest', () => {
    const [first] = queueOf(request('2024-02-01', '2024-03-01'));

    const result = enqueue([{ ...first!, status: 'running' }], request('2024-02-01', null), '2');

    expect(result).toMatchObject({ jobs: [{ id: '1' }, { id: '2' }] });
  });

  it.each(['queued', 'running', 'done', 'incomplete'] as const)(
    'finds the job of an id again when it is %s, and adds nothing',
    (status) => {
      const [first] = queueOf(request('2024-01-01', null, { id: 'h1' }));
      const jobs = [{ ...first!, status }];

      const result = enqueue(jobs, request('2024-01-01', null, { id: 'h1' }), 'other');

      expect(result).toEqual({ jobs, job: jobs[0] });
    },
  );

  it('refuses another range under an id that is known: the answer would promise what is not done', () => {
    const jobs = queueOf(request('2024-01-01', '2024-03-01', { id: 'h1' }));

    for (const other of [
      request('2023-01-01', '2024-03-01', { id: 'h1' }),
      request('2024-01-01', '2024-04-01', { id: 'h1' }),
      request('2024-01-01', '2024-03-01', { id: 'h1', streams: ['leads'] }),
    ]) {
      expect(enqueue(jobs, other, 'other')).toEqual({
        reason: expect.stringMatching(/another id/) as string,
      });
    }
  });

  it('never joins a job that has run in part: what is done of it would not be read again', () => {
    const [first] = queueOf(request('2024-02-01', '2024-03-01'));
    const paused = { ...first!, hasStarted: true };

    const result = enqueue([paused], request('2024-02-01', '2024-03-01'), '2');

    expect(result).toMatchObject({ jobs: [{ id: '1' }, { id: '2' }] });
  });

  it('lets 50 wait and refuses the next, except one that is there already', () => {
    const requests = Array.from({ length: 51 }, (_, index) =>
      request('2024-01-01', null, { id: `job-${index}` }),
    );

    const jobs = queueOf(...requests);

    expect(jobs).toHaveLength(50);
    expect(enqueue(jobs, requests[50]!, 'x')).toHaveProperty('reason');
    expect(enqueue(jobs, requests[7]!, 'x')).toMatchObject({ job: { id: 'job-7' } });
    const done = updateJob(jobs, 'job-3', { status: 'done' });
    expect(enqueue(done, requests[50]!, 'x')).toMatchObject({ job: { id: 'job-50' } });
  });
});

describe('updateJob', () => {
  const jobs = queueOf(
    ...Array.from({ length: 15 }, (_, index) =>
      request('2024-01-01', null, { id: `job-${index}` }),
    ),
  );

  it('changes one job and no other', () => {
    const changed = updateJob(jobs, 'job-3', { status: 'running', records: 7 });

    expect(changed.filter((job, index) => job !== jobs[index])).toEqual([
      { ...jobs[3], status: 'running', records: 7 },
    ]);
  });

  it('leaves the list as it is for an id that it does not know', () => {
    expect(updateJob(jobs, 'nobody', { status: 'done' })).toEqual(jobs);
  });

  it('keeps the last ten that ended, and each that has not', () => {
    let changed = jobs;
    for (let index = 0; index < 12; index += 1) {
      const status = index % 2 === 0 ? 'done' : 'incomplete';
      changed = updateJob(changed, `job-${index}`, { status });
    }

    expect(changed.map(({ id }) => id)).toEqual(jobs.slice(2).map(({ id }) => id));
  });
});

describe('dueJob', () => {
  const [waiting] = queueOf(request('2024-01-01', null));

  it('is the first that waits, or an incomplete one whose time has come', () => {
    const parked = { ...waiting!, id: 'parked', status: 'incomplete', retryAtMs: 500 } as const;

    expect(dueJob([parked, waiting!], 499)?.id).toBe('1');
    expect(dueJob([parked, waiting!], 500)?.id).toBe('parked');
    expect(dueJob([parked], 499)).toBeUndefined();
    expect(dueJob([{ ...waiting!, status: 'done' }], 500)).toBeUndefined();
  });
});
