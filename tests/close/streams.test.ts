import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CLOSE_STREAMS } from '../../src/close/streams.js';
import { denest } from '../../src/core/denest.js';
import { LAYOUTS } from '../../src/core/layout.js';
import type { JsonRecord } from '../../src/core/record.js';

/** A stream is one entry in `src/close/streams.ts` and one fixture; this is what holds the two together. */
describe.each(CLOSE_STREAMS)('stream $name', (stream) => {
  const file = new URL(`../fixtures/${stream.name}.json`, import.meta.url);

  it('has a sample record', () => {
    expect(existsSync(file)).toBe(true);
  });

  it('de-nests its sample record in every layout, with key and version', () => {
    const record = JSON.parse(readFileSync(file, 'utf8')) as JsonRecord;
    for (const layout of Object.values(LAYOUTS)) {
      const result = denest(record, stream, layout);
      if ('reject' in result) throw new Error(result.reject.reason);
      expect(result.key).toBe(record[stream.key]);
      expect(result.version).not.toBeNull();
      expect(result.rows.length > 1).toBe(layout.hasSubtables);
    }
  });

  it('has parts with names of their own, paths that end in a slash, and a clock', () => {
    const names = stream.parts.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const part of stream.parts) expect(part.path).toMatch(/^\/.*\/$/);
    expect(stream.clockField).toMatch(/^date_/);
  });
});
