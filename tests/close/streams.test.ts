import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ClosePart } from '../../src/close/stream-part.js';
import { CLOSE_STREAMS } from '../../src/close/streams.js';
import { denest } from '../../src/core/denest.js';
import { LAYOUTS } from '../../src/core/layout.js';
import type { JsonRecord } from '../../src/core/record.js';

function pathsOf(part: ClosePart): readonly string[] {
  const followed = Object.values(part.follows?.types ?? {}).filter((path) => path !== null);
  if ('path' in part) return [part.path, ...followed];
  if (part.method === 'list') return [...part.queries.map(({ path }) => path), ...followed];
  if (part.method === 'fan-out') return [part.parents.path, ...followed];
  return followed;
}

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
      const isDated = typeof record[stream.versionField ?? ''] === 'string';
      expect(result.version !== null).toBe(isDated);
      const hasArrays = Object.values(record).some(
        (value) => Array.isArray(value) && value.length > 0,
      );
      expect(result.rows.length > 1).toBe(layout.hasSubtables && hasArrays);
    }
  });

  it('has parts with names of their own, paths that end in a slash, and a clock', () => {
    const names = stream.parts.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const part of stream.parts) {
      for (const path of pathsOf(part)) expect(path).toMatch(/^\/.*\/$/);
    }
    expect(stream.clockField).toMatch(/^date_/);
  });
});

/** The names that ARCHITECTURE.md's readers, `--streams` and the tables go by. */
it('has every stream of the outward list, and no other', () => {
  expect(CLOSE_STREAMS.map(({ name }) => name)).toEqual([
    ...['leads', 'activities', 'contacts', 'opportunities', 'tasks', 'users', 'memberships'],
    ...['roles', 'groups', 'organizations', 'lead_statuses', 'opportunity_statuses', 'pipelines'],
    ...['custom_fields', 'custom_activity_types', 'custom_object_types', 'custom_objects'],
    ...['email_templates', 'sms_templates', 'connected_accounts', 'send_as', 'sequences'],
    ...['sequence_subscriptions', 'smart_views', 'integration_links', 'dialer', 'phone_numbers'],
    ...['bulk_actions', 'exports', 'webhooks', 'outcomes', 'comments', 'event_log'],
  ]);
  const appended = CLOSE_STREAMS.filter(({ loading }) => loading === 'append');
  expect(appended.map(({ name }) => name)).toEqual(['activities', 'event_log']);
});
