import { describe, expect, it } from 'vitest';
import { checkConnection, DEFAULT_EVERY } from '../../src/core/connection-request.js';
import { parseInstant, type Instant } from '../../src/core/instant.js';
import { ERRORS } from '../../src/errors.js';

const now = parseInstant('2026-11-24T12:34:56.789012Z') as Instant;
const check = (request: object): ReturnType<typeof checkConnection> =>
  checkConnection({ name: 'Stitch Closeio', ...request }, now);

describe('checkConnection', () => {
  it("fills in Stitch's defaults: half an hour, and a year of history from midnight", () => {
    expect(check({})).toEqual({
      connection: {
        name: 'Stitch Closeio',
        schema: 'stitch_closeio',
        startDate: '2025-11-24T00:00:00.000000Z',
        every: DEFAULT_EVERY,
        everyMs: 30 * 60_000,
        anchorMinutes: null,
        streams: null,
        layout: null,
      },
    });
  });

  it('takes what is asked for', () => {
    const request = {
      startDate: ' 2025-01-31T08:00:00+01:00 ',
      every: '6h',
      anchor: '02:30',
      streams: ['a', '-b'],
      layout: 'jsonb',
    };

    expect(check(request)).toEqual({
      connection: {
        name: 'Stitch Closeio',
        schema: 'stitch_closeio',
        startDate: '2025-01-31T07:00:00.000000Z',
        every: '6h',
        everyMs: 6 * 3_600_000,
        anchorMinutes: 150,
        streams: ['a', '-b'],
        layout: 'jsonb',
      },
    });
  });

  it('takes null for absent, as JSON often says it', () => {
    const nulls = { startDate: null, every: null, anchor: null, streams: null, layout: null };

    expect(check(nulls)).toEqual(check({}));
  });

  it.each([
    [{ name: '' }, 'NAME_EMPTY'],
    [{ name: 'x'.repeat(100) }, 'NAME_TOO_LONG'],
    [{ name: 'public' }, 'NAME_RESERVED'],
    [{ startDate: '' }, 'START_DATE_INVALID'],
    [{ startDate: '31.01.2025' }, 'START_DATE_INVALID'],
    [{ startDate: '2026-11-25' }, 'START_DATE_FUTURE'],
    [{ every: '' }, 'EVERY_INVALID'],
    [{ every: '1s' }, 'EVERY_INVALID'],
    [{ anchor: '' }, 'ANCHOR_INVALID'],
    [{ anchor: '25:00' }, 'ANCHOR_INVALID'],
    [{ layout: '' }, 'LAYOUT_UNKNOWN'],
    [{ layout: 'toString' }, 'LAYOUT_UNKNOWN'],
    // What tctl can send, whatever the type says.
    [{ name: 7 }, 'NAME_EMPTY'],
    [{ name: null }, 'NAME_EMPTY'],
    [{ startDate: 20250131 }, 'START_DATE_INVALID'],
    [{ startDate: {} }, 'START_DATE_INVALID'],
    [{ every: 30 }, 'EVERY_INVALID'],
    [{ every: ['30m'] }, 'EVERY_INVALID'],
    [{ anchor: ['02:00'] }, 'ANCHOR_INVALID'],
    [{ layout: ['stitch'] }, 'LAYOUT_UNKNOWN'],
  ])('answers %j with %s', (request, problem) => {
    expect(check(request)).toEqual({ problem });
    expect(ERRORS).toHaveProperty(problem);
  });
});
