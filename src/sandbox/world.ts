/**
 * The sandbox's account: what the API answers from, what tests change, and the ledger that a
 * warehouse is compared with. Every change takes effect at once and all answers follow from it.
 */
import { activityRecord } from './activity-record.js';
import type { ActivityType } from './activity-types.js';
import { contactRecord } from './contact-record.js';
import { threadRecord } from './email-record.js';
import type { JsonObject } from './json.js';
import { leadRecord } from './lead-record.js';
import { MICROS_PER_MS, microsOf } from './moment.js';
import { opportunityRecord } from './opportunity-record.js';
import { taskRecord } from './task-record.js';
import { WorldChanges, type ChangeValues } from './world-changes.js';
import { WorldData, type TableName, type WorldSize } from './world-data.js';

/** A half-open range of ISO times: `from` belongs to it, `to` does not. */
export interface LedgerRange {
  readonly from?: string;
  readonly to?: string;
  /** Which time the range is of; by default `date_created`. */
  readonly by?: 'date_created' | 'date_updated';
}

const LEDGER_PAGE = 1_000;

export class World {
  readonly data: WorldData;
  private readonly changes: WorldChanges;

  constructor(
    size: WorldSize,
    private readonly now: () => Date,
  ) {
    this.data = new WorldData(size);
    this.changes = new WorldChanges(this.data, now);
  }

  get nowMicros(): number {
    return this.now().getTime() * MICROS_PER_MS;
  }

  // Changes. Each returns the record as the API gives it afterwards; deletes return nothing. Fields
  // are named as in Close; `date_created` and `date_updated` may be given, else they are now.

  createLead(values: ChangeValues = {}): JsonObject {
    return this.record('leads', this.changes.createLead(values));
  }

  updateLead(id: string, values: ChangeValues): JsonObject {
    return this.record('leads', this.changes.updateLead(this.need('leads', id), values));
  }

  deleteLead(id: string): void {
    this.changes.deleteLead(this.need('leads', id));
  }

  createContact(leadId: string, values: ChangeValues = {}): JsonObject {
    return this.record('contacts', this.changes.createContact(this.need('leads', leadId), values));
  }

  updateContact(id: string, values: ChangeValues): JsonObject {
    return this.record('contacts', this.changes.updateContact(this.need('contacts', id), values));
  }

  deleteContact(id: string): void {
    this.changes.deleteContact(this.need('contacts', id));
  }

  createOpportunity(leadId: string, values: ChangeValues = {}): JsonObject {
    const lead = this.need('leads', leadId);
    return this.record('opportunities', this.changes.createOpportunity(lead, values));
  }

  updateOpportunity(id: string, values: ChangeValues): JsonObject {
    const index = this.need('opportunities', id);
    return this.record('opportunities', this.changes.updateOpportunity(index, values));
  }

  deleteOpportunity(id: string): void {
    this.data.tables.opportunities.delete(this.need('opportunities', id));
  }

  createTask(leadId: string, values: ChangeValues = {}): JsonObject {
    return this.record('tasks', this.changes.createTask(this.need('leads', leadId), values));
  }

  updateTask(id: string, values: ChangeValues): JsonObject {
    return this.record('tasks', this.changes.updateTask(this.need('tasks', id), values));
  }

  /** Completes the task, which makes a TaskCompleted activity and moves the lead. */
  completeTask(id: string): JsonObject {
    return this.record('tasks', this.changes.completeTask(this.need('tasks', id)));
  }

  deleteTask(id: string): void {
    this.data.tables.tasks.delete(this.need('tasks', id));
  }

  createActivity(type: ActivityType, leadId: string, values: ChangeValues = {}): JsonObject {
    const lead = this.need('leads', leadId);
    return this.record('activities', this.changes.createActivity(type, lead, values));
  }

  updateActivity(id: string, values: ChangeValues): JsonObject {
    const index = this.need('activities', id);
    return this.record('activities', this.changes.updateActivity(index, values));
  }

  deleteActivity(id: string): void {
    this.data.deleteActivity(this.need('activities', id));
  }

  // The ledger: every living record as the API would give it now, oldest first.

  lead(id: string): JsonObject | undefined {
    return this.found('leads', id);
  }

  activity(id: string): JsonObject | undefined {
    return this.found('activities', id);
  }

  emailThread(id: string): JsonObject | undefined {
    return this.found('threads', id);
  }

  leads(range?: LedgerRange): Generator<JsonObject> {
    return this.all('leads', range);
  }

  /** As `/activity/` lists them: Email objects, no EmailThread objects. */
  activities(range?: LedgerRange): Generator<JsonObject> {
    return this.all('activities', range);
  }

  emailThreads(range?: LedgerRange): Generator<JsonObject> {
    return this.all('threads', range);
  }

  contacts(range?: LedgerRange): Generator<JsonObject> {
    return this.all('contacts', range);
  }

  opportunities(range?: LedgerRange): Generator<JsonObject> {
    return this.all('opportunities', range);
  }

  tasks(range?: LedgerRange): Generator<JsonObject> {
    return this.all('tasks', range);
  }

  /** The living record with a number, as the API gives it. */
  record(table: TableName, index: number): JsonObject {
    switch (table) {
      case 'leads':
        return leadRecord(this.data, index, this.nowMicros);
      case 'contacts':
        return contactRecord(this.data, index);
      case 'opportunities':
        return opportunityRecord(this.data, index);
      case 'tasks':
        return taskRecord(this.data, index, this.nowMicros);
      case 'activities':
        return activityRecord(this.data, index);
      case 'threads': {
        const emails = this.data.emailsOf(index).map((email) => activityRecord(this.data, email));
        return threadRecord(this.data, index, emails);
      }
    }
  }

  private found(table: TableName, id: string): JsonObject | undefined {
    const index = this.data.tables[table].find(id);
    return index === undefined ? undefined : this.record(table, index);
  }

  private need(table: TableName, id: string): number {
    const index = this.data.tables[table].find(id);
    if (index === undefined) throw new RangeError(`There is no such record in ${table}: ${id}`);
    return index;
  }

  private *all(table: TableName, range: LedgerRange = {}): Generator<JsonObject> {
    const order = this.data.tables[table].order(
      range.by === 'date_updated' ? 'updated' : 'created',
    );
    let rank = range.from === undefined ? 0 : order.rankOf(microsOf(range.from));
    const end = range.to === undefined ? order.size : order.rankOf(microsOf(range.to));
    while (rank < end) {
      const page = order.slice(rank, Math.min(LEDGER_PAGE, end - rank));
      if (page.length === 0) return;
      for (const index of page) yield this.record(table, index);
      rank += page.length;
    }
  }
}
