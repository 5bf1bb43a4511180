/**
 * Everything that the sandbox knows about its records without making them: the organization, the
 * tables, who belongs to whom. Records are made from this (`*-record.ts`) and nothing else.
 */
import { layOutActivities, type ActivityColumns, type ThreadColumns } from './activity-columns.js';
import { ActivityOrders } from './activity-orders.js';
import { activityTypes, type ActivityType } from './activity-types.js';
import { IdCodec } from './ids.js';
import type { Json } from './json.js';
import { layOutLeads, type LeadColumns, type Span } from './lead-columns.js';
import { MICROS_PER_DAY } from './moment.js';
import { makeOrganization, type Organization } from './organization.js';
import { hashText } from './random.js';
import { RecordTable } from './record-table.js';

export interface WorldSize {
  readonly seed: string;
  readonly leads: number;
  readonly activities: number;
  readonly span: Span;
}

export type TableName = 'leads' | 'contacts' | 'opportunities' | 'tasks' | 'activities' | 'threads';

interface LaterActivity {
  readonly type: ActivityType;
  readonly detail: number;
}

export class WorldData {
  readonly seed: number;
  readonly organization: Organization;
  readonly tables: Readonly<Record<TableName, RecordTable>>;
  readonly orders: ActivityOrders;
  private readonly below: LeadColumns;
  private readonly activityColumns: ActivityColumns;
  private readonly threadColumns: ThreadColumns;
  private readonly laterActivities = new Map<number, LaterActivity>();
  /** The first email of each thread that began while the sandbox was running. */
  private readonly laterThreadFirst = new Map<number, number>();

  constructor({ seed: seedText, leads, activities, span }: WorldSize) {
    const seed = hashText(seedText);
    this.seed = seed;
    this.organization = makeOrganization(seed, span.from - 30 * MICROS_PER_DAY);
    const { leadStatuses, opportunityStatuses } = this.organization;
    this.below = layOutLeads(seed, leads, span, leadStatuses.length);
    const laid = layOutActivities(seed, activities, span, this.below, {
      leadStatuses: leadStatuses.length,
      opportunityStatuses: opportunityStatuses.length,
    });
    this.activityColumns = laid.activities;
    this.threadColumns = laid.threads;
    this.tables = {
      leads: new RecordTable(new IdCodec('lead', seed, 1), this.below.leads, true),
      contacts: new RecordTable(new IdCodec('cont', seed, 2), this.below.contacts, false),
      opportunities: new RecordTable(new IdCodec('oppo', seed, 3), this.below.opportunities, false),
      tasks: new RecordTable(new IdCodec('task', seed, 4), this.below.tasks, false),
      activities: new RecordTable(new IdCodec('acti', seed, 5), laid.activities, true),
      threads: new RecordTable(new IdCodec('acti', seed, 6), laid.threads, true),
    };
    this.orders = new ActivityOrders(this.tables.activities, laid.activities, leads, (index) =>
      this.activityType(index),
    );
  }

  /** Grows with every change to any record. */
  get version(): number {
    return Object.values(this.tables).reduce((sum, table) => sum + table.version, 0);
  }

  leadStatusNumber(lead: number): number {
    return this.below.leads.status[lead] ?? 0;
  }

  opportunityStatusNumber(opportunity: number): number {
    return this.below.opportunities.status[opportunity] ?? 0;
  }

  isTaskComplete(task: number): boolean {
    const changed = this.tables.tasks.fieldsOf(task)?.is_complete;
    return changed === undefined ? (this.below.tasks.completedBy[task] ?? 0) > 0 : changed === true;
  }

  /** The TaskCompleted activity that the data was laid out with for a task. */
  completionOf(task: number): number | undefined {
    const completedBy = this.below.tasks.completedBy[task] ?? 0;
    return completedBy > 0 ? completedBy - 1 : undefined;
  }

  /** The numbers of a lead's living contacts, opportunities or tasks. */
  childrenOf(lead: number, kind: 'contacts' | 'opportunities' | 'tasks'): number[] {
    const table = this.tables[kind];
    const { start } = this.below[kind];
    const children: number[] = [];
    for (let index = start[lead] ?? 0; index < (start[lead + 1] ?? 0); index++) {
      if (table.isAlive(index)) children.push(index);
    }
    for (const index of table.laterOf(lead)) if (table.isAlive(index)) children.push(index);
    return children;
  }

  /** The contacts that a lead had at a time, those deleted since among them. */
  contactsAt(lead: number, time: number): number[] {
    const { start } = this.below.contacts;
    const contacts: number[] = [];
    for (let index = start[lead] ?? 0; index < (start[lead + 1] ?? 0); index++)
      contacts.push(index);
    for (const index of this.tables.contacts.laterOf(lead)) {
      if (this.tables.contacts.createdAt(index) <= time) contacts.push(index);
    }
    return contacts;
  }

  /** The opportunity that stood at a place in the lead's list when the data was laid out. */
  opportunityAt(lead: number, position: number): number {
    return (this.below.opportunities.start[lead] ?? 0) + position;
  }

  activityType(index: number): ActivityType {
    const later = this.laterActivities.get(index);
    return later?.type ?? activityTypes[this.activityColumns.type[index] ?? 0] ?? 'Note';
  }

  activityDetail(index: number): number {
    return this.laterActivities.get(index)?.detail ?? this.activityColumns.detail[index] ?? 0;
  }

  addActivity(
    type: ActivityType,
    detail: number,
    created: number,
    updated: number,
    lead: number,
  ): number {
    const index = this.tables.activities.nextIndex;
    this.laterActivities.set(index, { type, detail });
    this.tables.activities.add(created, updated, lead);
    this.orders.added(index);
    return index;
  }

  deleteActivity(index: number): void {
    this.orders.deleted(index);
    this.tables.activities.delete(index);
    if (this.activityType(index) !== 'Email') return;
    const thread = this.activityDetail(index);
    // Close drops a thread when its last email goes (recorded events, 2022).
    if (this.tables.threads.isAlive(thread) && this.emailsOf(thread).length === 0) {
      this.tables.threads.delete(thread);
    }
  }

  addThread(firstEmail: number, created: number, lead: number): number {
    const thread = this.tables.threads.add(created, created, lead);
    this.laterThreadFirst.set(thread, firstEmail);
    return thread;
  }

  /** The living emails of a thread, oldest first. */
  emailsOf(thread: number): number[] {
    return this.chainOf(thread).filter((email) => this.tables.activities.isAlive(email));
  }

  /** All emails that a thread ever had, oldest first. */
  chainOf(thread: number): number[] {
    const first = this.laterThreadFirst.get(thread) ?? this.threadColumns.firstEmail[thread];
    const emails: number[] = [];
    for (let at = (first ?? -1) + 1; at > 0; at = this.activityColumns.nextEmail[at - 1] ?? 0) {
      emails.push(at - 1);
    }
    return emails;
  }

  userName(id: Json | undefined): string | null {
    return this.organization.users.find((user) => user.id === id)?.name ?? null;
  }
}
