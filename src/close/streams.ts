import { HOUR_MS, MINUTE_MS } from '../core/instant.js';
import type { SourcePart, SourceStream } from '../core/ports.js';
import type { ClosePath } from './request.js';

/** One list of Close and how it is paged. */
export interface ClosePart extends SourcePart {
  readonly path: ClosePath;
  /** keyset-pages.ts or window-pages.ts. */
  readonly method: 'keyset' | 'window';
  /** A list that not every account or key has: 403 and 404 skip it with a warning. */
  readonly isOptional: boolean;
}

export interface CloseStream extends SourceStream {
  readonly parts: readonly ClosePart[];
}

/**
 * Stitch's tap reads a day again, to see calls and meetings finished that it had met half done;
 * activity lists cannot be filtered by their last change (tap-closeio README).
 */
const ACTIVITY_OVERLAP_MS = 24 * HOUR_MS;

/**
 * Close's search index lags by seconds, and Close itself advises to read the latest five minutes of
 * its event log again (docs, resources/events). Minutes are also the search's precision.
 */
const LEAD_OVERLAP_MS = 5 * MINUTE_MS;

const activityPart = {
  method: 'window',
  // A month keeps `_skip` short on busy accounts, and a year takes 13 slices.
  sliceDays: 30,
  overlapMs: ACTIVITY_OVERLAP_MS,
  // A synced meeting's `date_created` is its start, which may lie ahead (recordings of 2025).
  readsFuture: true,
} as const;

/**
 * THE list of streams: what is read from Close, from where and how. Read on 2026-11-23 from Close's
 * documentation, its OpenAPI document and recorded answers.
 */
export const CLOSE_STREAMS: readonly CloseStream[] = [
  {
    name: 'leads',
    loading: 'upsert',
    key: 'id',
    versionField: 'date_updated',
    clockField: 'date_updated',
    // Upserted rows are compared by versionField, and a newer label is welcome.
    volatileFields: [],
    customFields: { own: 'lead', nested: { contacts: 'contact', opportunities: 'opportunity' } },
    parts: [
      {
        name: 'lead',
        path: '/lead/',
        method: 'keyset',
        isOptional: false,
        // The keyset finds its own way from any start, and ends at "now".
        sliceDays: null,
        overlapMs: LEAD_OVERLAP_MS,
        readsFuture: false,
      },
    ],
  },
  {
    name: 'activities',
    loading: 'append',
    key: 'id',
    versionField: 'date_updated',
    clockField: 'date_created',
    volatileFields: [
      // Copies of a user's, a template's, a sequence's, a form's name: renaming that changes them
      // in every activity, without moving its date_updated.
      'created_by_name',
      'updated_by_name',
      'user_name',
      'task_assigned_to_name',
      'contact_name',
      'lead_name',
      'template_name',
      'sequence_name',
      'form_name',
      'integration_name',
      // Copies of a status and its pipeline.
      'old_status_label',
      'new_status_label',
      'old_status_type',
      'new_status_type',
      'old_pipeline_name',
      'new_pipeline_name',
      // The organization's currency, and what is computed from it.
      'opportunity_value_currency',
      'opportunity_value_formatted',
      // Computed from the number beside it.
      'local_phone_formatted',
      'remote_phone_formatted',
      'local_country_iso',
      'remote_country_iso',
      // True while a call runs; its end is told by `status`.
      'is_joinable',
      // The call's id under the application's host: recordings show one call under two hosts. That
      // there is a recording is told by has_recording and the durations.
      'recording_url',
      'voicemail_url',
    ],
    customFields: { own: 'activity', nested: {} },
    parts: [
      { ...activityPart, name: 'activity', path: '/activity/', isOptional: false },
      // `/activity/` gives the single mails and leaves their threads out.
      { ...activityPart, name: 'emailthread', path: '/activity/emailthread/', isOptional: true },
    ],
  },
];
