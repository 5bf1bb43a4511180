/**
 * The sandbox's account: what the API answers from, what tests change, and the ledger that a
 * warehouse is compared with. Every change takes effect at once and all answers follow from it.
 */
import type { JsonObject } from '../json.js';
import { MICROS_PER_MS, microsOf } from '../moment.js';
import { makeRecord } from '../records/make-record.js';
import type { ActivityType } from './activity-columns.js';
import { Ledger, type Deletion } from './ledger.js';
import { WorldChanges, type ChangeableTable, type ChangeValues } from './world-changes.js';
import { layOutWorld, WorldData, type TableName, type WorldSize } from './world-data.js';

/** A half-open range of ISO times: `from` belongs to it, `to` does not. */
export interface ListRange {
  readonly from?: string;
  readonly to?: string;
  /** Which time the range is of; by default `date_created`. */
  readonly by?: 'date_created' | 'date_updated';
}

const LIST_PAGE = 1_000;

export class World {
  readonly data: WorldData;
  private readonly changes: WorldChanges;
  private readonly ledger: Ledger | undefined;

  constructor(
    size: WorldSize,
    private readonly now: () => Date,
    /** Each change costs memory then, for as long as the world lives. */
    keepsLedger = true,
  ) {
    this.data = new WorldData(layOutWorld(size));
    this.changes = new WorldChanges(this.data, now);
    this.ledger = keepsLedger ? new Ledger(this.data, () => this.nowMicros) : undefined;
  }

  get nowMicros(): number {
    return this.now().getTime() * MICROS_PER_MS;
  }

  // Changes. Each returns the record as the API gives it afterwards; deletes return nothing. Fields
  // are named as in Close; `date_created` and `date_updated` may be given, else they are now, and so
  // is the time `at` of a delete.

  createLead(values: ChangeValues = {}): JsonObject {
    return this.changed('leads', this.changes.createLead(values));
  }

  updateLead(id: string, values: ChangeValues): JsonObject {
    return this.changed('leads', this.changes.updateLead(this.need('leads', id), values));
  }

  deleteLead(id: string, at?: string): void {
    this.delete('leads', id, at);
  }

  createContact(leadId: string, values: ChangeValues = {}): JsonObject {
    return this.changed('contacts', this.changes.createContact(this.need('leads', leadId), values));
  }

  updateContact(id: string, values: ChangeValues): JsonObject {
    return this.changed('contacts', this.changes.updateContact(this.need('contacts', id), values));
  }

  deleteContact(id: string, at?: string): void {
    this.delete('contacts', id, at);
  }

  createOpportunity(leadId: string, values: ChangeValues = {}): JsonObject {
    const lead = this.need('leads', leadId);
    return this.changed('opportunities', this.changes.createOpportunity(lead, values));
  }

  updateOpportunity(id: string, values: ChangeValues): JsonObject {
    const index = this.need('opportunities', id);
    return this.changed('opportunities', this.changes.updateOpportunity(index, values));
  }

  deleteOpportunity(id: string, at?: string): void {
    this.delete('opportunities', id, at);
  }

  createTask(leadId: string, values: ChangeValues = {}): JsonObject {
    return this.changed('tasks', this.changes.createTask(this.need('leads', leadId), values));
  }

  updateTask(id: string, values: ChangeValues): JsonObject {
    return this.changed('tasks', this.changes.updateTask(this.need('tasks', id), values));
  }

  /** Completes the task, which makes a TaskCompleted activity and moves the lead. */
  completeTask(id: string): JsonObject {
    return this.changed('tasks', this.changes.completeTask(this.need('tasks', id)));
  }

  deleteTask(id: string, at?: string): void {
    this.delete('tasks', id, at);
  }

  createActivity(type: ActivityType, leadId: string, values: ChangeValues = {}): JsonObject {
    const lead = this.need('leads', leadId);
    return this.changed('activities', this.changes.createActivity(type, lead, values));
  }

  updateActivity(id: string, values: ChangeValues): JsonObject {
    const index = this.need('activities', id);
    return this.changed('activities', this.changes.updateActivity(index, values));
  }

  deleteActivity(id: string, at?: string): void {
    this.delete('activities', id, at);
  }

  // Every living record as the API would give it now, oldest first.

  lead(id: string): JsonObject | undefined {
    return this.found('leads', id);
  }

  activity(id: string): JsonObject | undefined {
    return this.found('activities', id);
  }

  emailThread(id: string): JsonObject | undefined {
    return this.found('threads', id);
  }

  leads(range?: ListRange): Generator<JsonObject> {
    return this.all('leads', range);
  }

  /** As `/activity/` lists them: Email objects, no EmailThread objects. */
  activities(range?: ListRange): Generator<JsonObject> {
    return this.all('activities', range);
  }

  emailThreads(range?: ListRange): Generator<JsonObject> {
    return this.all('threads', range);
  }

  contacts(range?: ListRange): Generator<JsonObject> {
    return this.all('contacts', range);
  }

  opportunities(range?: ListRange): Generator<JsonObject> {
    return this.all('opportunities', range);
  }

  tasks(range?: ListRange): Generator<JsonObject> {
    return this.all('tasks', range);
  }

  // The ledger: what the API ever gave.

  /** The versions of one record, the oldest first; those of a deleted record too. */
  versions(id: string): JsonObject[] {
    return this.needLedger().versions(id);
  }

  /** The versions of all records of a kind: record by record, and of each the oldest first. */
  allVersions(table: TableName): Generator<JsonObject> {
    return this.needLedger().all(table);
  }

  deletions(): Deletion[] {
    return this.needLedger().deletions();
  }

  private needLedger(): Ledger {
    if (!this.ledger) throw new Error('This world was told to keep no ledger.');
    return this.ledger;
  }

  /** The living record with a number, as the API gives it. */
  record(table: TableName, index: number): JsonObject {
    return makeRecord(this.data, table, index, this.nowMicros);
  }

  /** Ends a change: what it did goes into the ledger. */
  private changed(table: TableName, index: number): JsonObject {
    this.settle(this.nowMicros);
    return this.record(table, index);
  }

  private settle(micros: number): void {
    const changed = this.data.takeChanged();
    this.ledger?.write(changed, micros);
  }

  private delete(table: ChangeableTable, id: string, at: string | undefined): void {
    const index = this.need(table, id);
    const micros = at === undefined ? this.changes.clock() : microsOf(at);
    this.changes.delete(table, index, micros);
    this.settle(micros);
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

  private *all(table: TableName, range: ListRange = {}): Generator<JsonObject> {
    const order = this.data.tables[table].order(
      range.by === 'date_updated' ? 'updated' : 'created',
    );
    let rank = range.from === undefined ? 0 : order.rankOf(microsOf(range.from));
    const end = range.to === undefined ? order.size : order.rankOf(microsOf(range.to));
    while (rank < end) {
      const page = order.slice(rank, Math.min(LIST_PAGE, end - rank));
      if (page.length === 0) return;
      for (const index of page) yield this.record(table, index);
      rank += page.length;
    }
  }
}
