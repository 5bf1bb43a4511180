/**
 * Everything that the sandbox knows about its records without making them: the organization, the
 * tables, who belongs to whom. Records are made from this (`*-record.ts`) and nothing else.
 */
import { layOutActivities, type ActivityColumns, type ThreadColumns } from './activity-columns.js';
import { ActivityOrders } from './activity-orders.js';
import { activityTypes, type ActivityType } from './activity-columns.js';
import { IdCodec, TwoPrefixIds } from '../ids.js';
import type { Json } from '../json.js';
import { layOutLeads, type LeadColumns, type Span } from './lead-columns.js';
import { MICROS_PER_DAY } from '../moment.js';
import { makeOrganization, type Organization } from '../records/organization.js';
import { hashText } from '../random.js';
import { isPeoplesTask, taskType } from '../records/task.js';
import { RecordTable, type Columns, type RecordState } from './record-table.js';

export interface WorldSize {
  readonly seed: string;
  readonly leads: number;
  readonly activities: number;
  readonly span: Span;
}

export const tableNames = [
  'leads',
  'contacts',
  'opportunities',
  'tasks',
  'activities',
  'threads',
] as const;
export type TableName = (typeof tableNames)[number];
export interface RecordKey {
  readonly table: TableName;
  readonly index: number;
}

/** A lead's answer names its contacts, so its state does too. */
export interface KeptState extends RecordState {
  readonly contacts: readonly number[] | undefined;
}

/** A record that a change touched, and how it stood before; undefined when the change made it. */
export interface TouchedRecord extends RecordKey {
  readonly before: KeptState | undefined;
}

/** What the world begins with; it never changes. */
interface Layout {
  readonly seed: number;
  readonly organization: Organization;
  readonly below: LeadColumns;
  readonly activities: ActivityColumns;
  readonly threads: ThreadColumns;
  readonly ids: Readonly<Record<TableName, IdCodec>>;
  readonly noticeIds: IdCodec;
}

export function layOutWorld({ seed: seedText, leads, activities, span }: WorldSize): Layout {
  const seed = hashText(seedText);
  const organization = makeOrganization(seed, span.from - 30 * MICROS_PER_DAY);
  const leadStatuses = organization.leadStatuses.length;
  const opportunityStatuses = organization.opportunityStatuses.length;
  const below = layOutLeads(seed, leads, span, leadStatuses);
  const laid = layOutActivities(seed, activities, span, below, {
    leadStatuses,
    opportunityStatuses,
  });
  const ids = {
    leads: new IdCodec('lead', seed, 1),
    contacts: new IdCodec('cont', seed, 2),
    opportunities: new IdCodec('oppo', seed, 3),
    tasks: new IdCodec('task', seed, 4),
    activities: new IdCodec('acti', seed, 5),
    threads: new IdCodec('acti', seed, 6),
  };
  const noticeIds = new IdCodec('noti', seed, 9);
  return { seed, organization, below, ...laid, ids, noticeIds };
}

interface LaterActivity {
  readonly type: ActivityType;
  readonly detail: number;
}

export class WorldData {
  readonly seed: number;
  /** Its own copy, so that what is renamed stays as it was in the data before changes. */
  readonly organization: Organization;
  readonly tables: Readonly<Record<TableName, RecordTable>>;
  readonly orders: ActivityOrders;
  private readonly below: LeadColumns;
  private readonly activityColumns: ActivityColumns;
  private readonly threadColumns: ThreadColumns;
  private readonly laterActivities = new Map<number, LaterActivity>();
  /** The first email of each thread that began while the sandbox was running. */
  private readonly laterThreadFirst = new Map<number, number>();

  private readonly changed = new Map<string, TouchedRecord>();
  private changeCount = 0;

  constructor(private readonly layout: Layout) {
    const { seed, organization, below, activities, threads, ids } = layout;
    this.seed = seed;
    this.organization = structuredClone(organization);
    this.below = below;
    this.activityColumns = activities;
    this.threadColumns = threads;
    // Tasks that Close makes by itself have another prefix than those of people (Close docs, tasks).
    const isNotice = (index: number): boolean => !isPeoplesTask(taskType(this, index));
    const idsOf = { ...ids, tasks: new TwoPrefixIds(ids.tasks, layout.noticeIds, isNotice) };
    const table = (name: TableName, columns: Columns, isNumberedByCreation: boolean): RecordTable =>
      new RecordTable(idsOf[name], columns, isNumberedByCreation, (index, lead) =>
        this.noteChange(name, index, lead),
      );
    this.tables = {
      leads: table('leads', below.leads, true),
      contacts: table('contacts', below.contacts, false),
      opportunities: table('opportunities', below.opportunities, false),
      tasks: table('tasks', below.tasks, false),
      activities: table('activities', activities, true),
      threads: table('threads', threads, true),
    };
    const leadCount = below.leads.created.length;
    this.orders = new ActivityOrders(this.tables.activities, activities, leadCount, (index) =>
      this.activityType(index),
    );
  }

  /** The same data without any of the changes since. */
  beforeChanges(): WorldData {
    return new WorldData(this.layout);
  }

  /** Grows with every change to any record. */
  get version(): number {
    return this.changeCount;
  }

  private noteChange(table: TableName, index: number, lead: number): number {
    // Before the contact is touched, for the lead's answer names it.
    if (table === 'contacts' && lead < this.tables.leads.nextIndex) this.touch('leads', lead);
    this.touch(table, index);
    return ++this.changeCount;
  }

  private touch(table: TableName, index: number): void {
    const name = `${table} ${String(index)}`;
    if (this.changed.has(name)) return;
    const isNew = index >= this.tables[table].nextIndex;
    this.changed.set(name, {
      table,
      index,
      before: isNew ? undefined : this.stateOf(table, index),
    });
  }

  /** Names that records copy are others now: what was worked out from them is stale. */
  changedLabels(): void {
    this.changeCount++;
    for (const name of tableNames) this.tables[name].version++;
  }

  stateOf(table: TableName, index: number): KeptState {
    const contacts = table === 'leads' ? this.childrenOf(index, 'contacts') : undefined;
    return { ...this.tables[table].state(index), contacts };
  }

  /** The records that were made, changed or deleted since this was last asked. */
  takeChanged(): TouchedRecord[] {
    const touched = [...this.changed.values()];
    this.changed.clear();
    return touched;
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

  /** Whether the data was laid out with the task completed. */
  wasTaskComplete(task: number): boolean {
    return this.completionOf(task) !== undefined;
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
    const take = (index: number): void => {
      if (table.isAlive(index) && table.leadOf(index) === lead) children.push(index);
    };
    for (let index = start[lead] ?? 0; index < (start[lead + 1] ?? 0); index++) take(index);
    for (const index of table.laterOf(lead)) take(index);
    for (const index of table.movedToOf(lead)) take(index);
    return children;
  }

  /** The contacts that a lead was laid out with. */
  firstContactsOf(lead: number): number[] {
    const { start } = this.below.contacts;
    const found: number[] = [];
    for (let index = start[lead] ?? 0; index < (start[lead + 1] ?? 0); index++) found.push(index);
    return found;
  }

  /**
   * The contacts that a lead had when a record below it was made, those deleted since among them;
   * `madeBy` is the record's.
   */
  contactsWhenMade(lead: number, madeBy: number): number[] {
    const { contacts } = this.tables;
    const found = this.firstContactsOf(lead);
    for (const index of contacts.laterOf(lead)) {
      if (contacts.madeBy(index) < madeBy) found.push(index);
    }
    return found;
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

  deleteActivity(index: number, micros: number): void {
    this.orders.deleted(index);
    this.tables.activities.delete(index);
    if (this.activityType(index) !== 'Email') return;
    const thread = this.activityDetail(index);
    const { threads } = this.tables;
    if (!threads.isAlive(thread)) return;
    // Close drops a thread when its last email goes (recorded events, 2022).
    if (this.emailsOf(thread).length === 0) threads.delete(thread);
    else threads.change(thread, {}, Math.max(micros, threads.updatedAt(thread)));
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
