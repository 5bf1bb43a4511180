import type { JsonObject } from '../json.js';
import type { TableName, WorldData } from '../world/world-data.js';
import { activityRecord } from './activity.js';
import { contactRecord } from './contact.js';
import { threadRecord } from './email.js';
import { leadRecord } from './lead.js';
import { opportunityRecord } from './opportunity.js';
import { taskRecord } from './task.js';

/** The record with a number, as the API gives it. */
export function makeRecord(
  data: WorldData,
  table: TableName,
  index: number,
  nowMicros: number,
): JsonObject {
  switch (table) {
    case 'leads':
      return leadRecord(data, index, nowMicros);
    case 'contacts':
      return contactRecord(data, index);
    case 'opportunities':
      return opportunityRecord(data, index);
    case 'tasks':
      return taskRecord(data, index, nowMicros);
    case 'activities':
      return activityRecord(data, index);
    case 'threads': {
      const emails = data.emailsOf(index).map((email) => activityRecord(data, email));
      return threadRecord(data, index, emails);
    }
  }
}
