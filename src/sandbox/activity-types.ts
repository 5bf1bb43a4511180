/** The kinds of activity that the sandbox holds, by their number in the columns. */
export const activityTypes = [
  'Call',
  'Email',
  'Note',
  'SMS',
  'Meeting',
  'Created',
  'LeadStatusChange',
  'OpportunityStatusChange',
  'TaskCompleted',
] as const;
export type ActivityType = (typeof activityTypes)[number];

export function activityTypeNumber(type: ActivityType): number {
  return activityTypes.indexOf(type);
}

/** The path of each kind's own list below `/activity/` (Close's OpenAPI document, read 2026-11). */
export const activityPaths: Readonly<Record<ActivityType, string>> = {
  Call: 'call',
  Email: 'email',
  Note: 'note',
  SMS: 'sms',
  Meeting: 'meeting',
  Created: 'created',
  LeadStatusChange: 'status_change/lead',
  OpportunityStatusChange: 'status_change/opportunity',
  TaskCompleted: 'task_completed',
};

/**
 * What an activity refers to, in one number: the thread of an Email, the task of a TaskCompleted,
 * the statuses of a status change (and which of the lead's opportunities).
 */
export function packStatusChange(from: number, to: number, opportunityPosition = 0): number {
  return (opportunityPosition << 16) | (from << 8) | to;
}

export function unpackStatusChange(detail: number): {
  from: number;
  to: number;
  opportunityPosition: number;
} {
  return { from: (detail >>> 8) & 0xff, to: detail & 0xff, opportunityPosition: detail >>> 16 };
}
