import type { StreamShape } from '../../src/core/stream.js';

/** Two streams of the two kinds there are, for tests of the core, which knows none by name. */
export const UPSERTED: StreamShape = {
  name: 'leads',
  loading: 'upsert',
  key: 'id',
  versionField: 'date_updated',
  clockField: 'date_updated',
  volatileFields: [],
  customFields: { own: 'lead', nested: { contacts: 'contact' } },
};

export const APPENDED: StreamShape = {
  name: 'activities',
  loading: 'append',
  key: 'id',
  versionField: 'date_updated',
  clockField: 'date_created',
  volatileFields: ['user_name', 'watchers'],
  customFields: null,
};
