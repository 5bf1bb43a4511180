import type { CloseStream, ListQuery } from './stream-part.js';
import {
  ACTIVITY_TYPES,
  LIST_EVERY_MS,
  SMART_VIEW_LISTS,
  BULK_ACTION_LISTS,
  CUSTOM_FIELD_LISTS,
  VOLATILE_ACTIVITY_FIELDS,
  activityPart,
  eventPart,
  fanOut,
  formerUsers,
  listOf,
  listed,
  ownClock,
  under,
  upserted,
  withArchived,
} from './stream-kinds.js';

/** The organization with who belongs to it now and who did, each with the user inside. */
const memberships: ListQuery = {
  path: '/organization/:organization/',
  params: {
    _fields: ['memberships', 'inactive_memberships'],
    _expand: ['memberships__user', 'inactive_memberships__user'],
  },
};

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
        ...ownClock,
        name: 'lead',
        path: '/lead/',
        method: 'keyset',
        isOptional: false,
        carries: { stream: 'contacts', field: 'contacts', closes: 'lead' },
        holdsCopies: true,
        follows: {
          by: 'clock',
          types: { lead: '/lead/:id/' },
          // No edit of these moves its lead's clock.
          holds: { opportunity: 'lead_id', 'task.*': 'lead_id' },
          searchedAs: 'lead',
        },
      },
    ],
  },
  {
    name: 'activities',
    loading: 'append',
    key: 'id',
    versionField: 'date_updated',
    clockField: 'date_created',
    volatileFields: VOLATILE_ACTIVITY_FIELDS,
    customFields: { own: 'activity', nested: {} },
    parts: [
      {
        ...activityPart,
        name: 'activity',
        path: '/activity/',
        isOptional: false,
        follows: { by: 'id', types: ACTIVITY_TYPES, batch: { path: '/activity/' } },
      },
      {
        // `/activity/` gives the single mails and leaves their threads out.
        ...activityPart,
        name: 'emailthread',
        path: '/activity/emailthread/',
        isOptional: true,
        holdsCopies: true,
        follows: {
          by: 'id',
          types: { 'activity.email_thread': '/activity/emailthread/:id/' },
          holds: { 'activity.email': 'thread_id' },
          batch: { path: '/activity/emailthread/' },
        },
      },
    ],
  },
  {
    name: 'contacts',
    ...upserted,
    carriedBy: 'leads',
    customFields: { own: 'contact', nested: {} },
    parts: [
      {
        // A contact's edit moves its lead's clock (recordings of 2026), and `/contact/` itself takes
        // no filter at all. Mostly closed by the leads, which carry them.
        ...ownClock,
        name: 'lead',
        method: 'keyset',
        path: '/lead/',
        params: { _fields: ['id', 'date_updated', 'contacts'] },
        unnest: 'contacts',
        isOptional: true,
        follows: { by: 'clock', types: { contact: '/contact/:id/' } },
      },
      {
        // The few that belong to no lead.
        ...ownClock,
        name: 'search',
        method: 'search',
        objectType: 'contact',
        fields: ['id', 'lead_id', 'date_updated'],
        // Three short fields; others ask for so many of whole records.
        pageSize: 200,
        without: { field: 'lead_id', path: '/contact/:id/' },
        isOptional: true,
        everyMs: LIST_EVERY_MS,
      },
    ],
  },
  {
    // An edit of an opportunity does not move its lead's clock.
    name: 'opportunities',
    ...upserted,
    customFields: { own: 'opportunity', nested: {} },
    parts: [
      {
        ...ownClock,
        name: 'opportunity',
        method: 'window',
        path: '/opportunity/',
        params: { _order_by: 'date_updated' },
        isOptional: true,
        follows: { by: 'clock', types: { opportunity: '/opportunity/:id/' } },
      },
    ],
  },
  {
    name: 'tasks',
    ...upserted,
    parts: [
      {
        ...ownClock,
        name: 'task',
        method: 'window',
        path: '/task/',
        // Without it Close gives tasks of the type `lead` alone.
        params: { _type: 'all' },
        isOptional: true,
        follows: {
          by: 'clock',
          types: { 'task.*': '/task/:id/' },
          batch: { path: '/task/', params: { _type: 'all' } },
        },
      },
    ],
  },
  {
    name: 'users',
    ...listed,
    parts: [listOf([{ path: '/user/' }, { ...memberships, pick: formerUsers }], 'membership')],
  },
  {
    name: 'memberships',
    ...listed,
    parts: [
      listOf(
        [{ ...memberships, pick: under('memberships', 'inactive_memberships') }],
        'membership',
      ),
    ],
  },
  {
    name: 'roles',
    ...listed,
    parts: [listOf('/role/')],
  },
  {
    // The list leaves the members out.
    name: 'groups',
    ...listed,
    parts: [
      {
        ...fanOut,
        everyMs: LIST_EVERY_MS,
        parents: { path: '/group/' },
        each: { item: '/group/:id/' },
        follows: { by: 'id', types: { group: '/group/:id/' } },
      },
    ],
  },
  {
    name: 'organizations',
    ...listed,
    parts: [listOf([{ path: '/organization/:organization/', pick: (body) => [body] }])],
  },
  {
    name: 'lead_statuses',
    ...listed,
    parts: [listOf('/status/lead/', 'status.lead')],
  },
  {
    name: 'opportunity_statuses',
    ...listed,
    parts: [listOf('/status/opportunity/', 'status.opportunity')],
  },
  {
    name: 'pipelines',
    ...listed,
    parts: [listOf('/pipeline/', 'status.opportunity')],
  },
  {
    name: 'custom_fields',
    ...listed,
    parts: [listOf(CUSTOM_FIELD_LISTS, 'custom_fields.*')],
  },
  {
    name: 'custom_activity_types',
    ...listed,
    parts: [listOf('/custom_activity/', 'custom_activity_type')],
  },
  {
    name: 'custom_object_types',
    ...listed,
    parts: [listOf('/custom_object_type/', 'custom_object_type')],
  },
  {
    // The list wants a lead for each request, so the search stands in for it.
    name: 'custom_objects',
    ...upserted,
    customFields: { own: 'custom_object_type', nested: {} },
    parts: [
      {
        ...ownClock,
        name: 'search',
        method: 'search',
        objectType: 'custom_object',
        fields: [
          ...['id', 'name', 'lead_id', 'organization_id', 'custom_object_type_id', 'custom'],
          ...['created_by', 'updated_by', 'date_created', 'date_updated'],
        ],
        isOptional: true,
        everyMs: LIST_EVERY_MS,
        follows: { by: 'id', types: { custom_object: '/custom_object/:id/' } },
      },
    ],
  },
  {
    name: 'email_templates',
    ...listed,
    parts: [listOf(withArchived('/email_template/'), 'email_template')],
  },
  {
    name: 'sms_templates',
    ...listed,
    parts: [listOf(withArchived('/sms_template/'), 'sms_template')],
  },
  {
    name: 'connected_accounts',
    ...listed,
    parts: [listOf('/connected_account/')],
  },
  {
    name: 'send_as',
    ...listed,
    parts: [listOf('/send_as/')],
  },
  {
    name: 'sequences',
    ...listed,
    parts: [listOf('/sequence/', 'sequence')],
  },
  {
    // Close wants a sequence, a contact or a lead with each request (changelog of 2021-03-31).
    name: 'sequence_subscriptions',
    ...upserted,
    parts: [
      {
        ...fanOut,
        parents: { path: '/sequence/' },
        each: { list: '/sequence_subscription/', by: 'sequence_id' },
        follows: {
          by: 'id',
          types: { sequence_subscription: '/sequence_subscription/:id/' },
        },
      },
    ],
  },
  {
    name: 'smart_views',
    ...listed,
    // Without the types Close gives those of leads alone.
    parts: [listOf(SMART_VIEW_LISTS, 'saved_search')],
  },
  {
    name: 'integration_links',
    ...listed,
    parts: [listOf('/integration_link/')],
  },
  {
    name: 'dialer',
    ...listed,
    parts: [listOf('/dialer/')],
  },
  {
    name: 'phone_numbers',
    ...listed,
    parts: [listOf('/phone_number/', 'phone_number')],
  },
  {
    name: 'bulk_actions',
    ...listed,
    parts: [listOf(BULK_ACTION_LISTS, 'bulk_action.*')],
  },
  {
    name: 'exports',
    ...listed,
    parts: [listOf('/export/', 'export.*')],
  },
  {
    name: 'webhooks',
    ...listed,
    parts: [listOf('/webhook/')],
  },
  {
    name: 'outcomes',
    ...listed,
    parts: [listOf('/outcome/')],
  },
  {
    // Close wants an object or a thread with each request.
    name: 'comments',
    ...upserted,
    parts: [
      {
        ...fanOut,
        parents: { path: '/comment_thread/' },
        each: { list: '/comment/', by: 'thread_id' },
        follows: { by: 'id', types: { comment: '/comment/:id/' } },
      },
    ],
  },
  {
    name: 'event_log',
    isLog: true,
    loading: 'append',
    key: 'id',
    versionField: 'date_updated',
    clockField: 'date_updated',
    // Missing from an event that is older than an hour, for a key that is no administrator's.
    volatileFields: ['data', 'previous_data'],
    jsonFields: ['data', 'previous_data'],
    customFields: null,
    parts: [
      // What is in the tables already needs no effects; what happens from now on does.
      { ...eventPart, name: 'past', lane: 'history', tellsOfOthers: false },
      { ...eventPart, name: 'changes', lane: 'live', tellsOfOthers: true },
    ],
  },
];
