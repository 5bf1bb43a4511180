/** Comments, which always stand in a thread below an object (Close docs, comments). */
import { base62 } from '../../ids.js';
import type { JsonObject } from '../../json.js';
import { MICROS_PER_MINUTE, timeText } from '../../moment.js';
import { Random } from '../../random.js';
import { sentences } from '../vocabulary.js';
import type { WorldData } from '../../world/world-data.js';
import type { SettingKind } from './kind.js';

const STREAM = 79;
const COMMENTED_SHARE = 0.05;

/** The comments below one opportunity. */
function commentsBelow(data: WorldData, opportunity: number): JsonObject[] {
  const random = new Random(data.seed, STREAM, opportunity);
  if (!random.chance(COMMENTED_SHARE)) return [];
  const { opportunities, leads } = data.tables;
  const thread_id = `commthread_${base62(random, 22)}`;
  return Array.from({ length: 1 + random.below(2) }, (_, place) => {
    const user = random.pick(data.organization.users).id;
    const time = timeText(opportunities.createdAt(opportunity) + (place + 1) * MICROS_PER_MINUTE);
    return {
      id: `comm_${base62(random, 22)}`,
      organization_id: data.organization.id,
      thread_id,
      object_id: opportunities.ids.encode(opportunity),
      object_type: 'opportunity',
      lead_id: leads.ids.encode(opportunities.firstLeadOf(opportunity)),
      body: `<body><p>${random.pick(sentences)}</p></body>`,
      mentions: [],
      created_by: user,
      updated_by: user,
      date_created: time,
      date_updated: time,
    };
  });
}

function allComments(data: WorldData): JsonObject[] {
  const found: JsonObject[] = [];
  const { baseCount } = data.tables.opportunities;
  for (let index = 0; index < baseCount; index++) found.push(...commentsBelow(data, index));
  return found;
}

export const comments: SettingKind = {
  prefix: 'comm',
  idLength: 22,
  objectType: 'comment',
  times: 'offset',
  make: ({ data }) => allComments(data),
};

export const commentThreads: SettingKind = {
  prefix: 'commthread',
  idLength: 22,
  objectType: 'comment_thread',
  times: 'offset',
  make: ({ data }) => {
    const threads = new Map<string, JsonObject>();
    for (const comment of allComments(data)) {
      const { thread_id, object_id, object_type, lead_id, ...rest } = comment;
      const { organization_id, date_created, date_updated } = rest;
      const id = typeof thread_id === 'string' ? thread_id : '';
      const known = threads.get(id);
      const ids = Array.isArray(known?.comment_ids) ? known.comment_ids : [];
      threads.set(id, {
        ...{ id, object_id: object_id ?? null, object_type: object_type ?? null },
        ...{ lead_id: lead_id ?? null, organization_id: organization_id ?? null },
        comment_ids: [...ids, comment.id ?? null],
        participants: [],
        date_created: known?.date_created ?? date_created ?? null,
        date_updated: date_updated ?? null,
      });
    }
    return [...threads.values()];
  },
};
