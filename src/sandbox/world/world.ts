/**
 * The sandbox's account: what the API answers from, what tests change, and the ledger that a
 * warehouse is compared with. Every change takes effect at once and all answers follow from it.
 */
import { textOf, type JsonObject } from '../json.js';
import { MICROS_PER_MS, microsOf, timeText } from '../moment.js';
import { EventMaker } from '../records/event.js';
import { makeRecord } from '../records/make-record.js';
import type { ActivityType } from './activity-columns.js';
import { EventLog, RETENTION_MS, type Cause } from './event-log.js';
import { earlierEvents, recordEvents, recordSetting } from './event-recording.js';
import { Ledger, type Deletion, type Merge } from './ledger.js';
import { settingKinds, type SettingName } from '../records/settings/kinds.js';
import { actionOfChange, SettingChanges, type ToldChange } from './setting-changes.js';
import { Settings } from './settings.js';
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

/** What more there is to know of a change that ends. */
interface Settling {
  readonly micros?: number;
  /** The lead that another was merged into. */
  readonly merged?: number;
  readonly told?: readonly ToldChange[];
  /** Whether the log tells nothing of it. */
  readonly isSilent?: boolean;
}

export class World {
  readonly data: WorldData;
  readonly eventLog: EventLog;
  readonly eventMaker: EventMaker;
  /** Settings and small records, and how to change them. */
  readonly settings: SettingChanges;
  private readonly settingTables: Settings;
  private readonly changes: WorldChanges;
  private readonly ledger: Ledger | undefined;
  private requests = 0;
  /** What the events of the present change say of its cause. */
  private meta: JsonObject = {};

  constructor(
    size: WorldSize,
    private readonly now: () => Date,
    /** Each change costs memory then, for as long as the world lives. */
    keepsLedger = true,
  ) {
    this.data = new WorldData(layOutWorld(size));
    this.changes = new WorldChanges(this.data, now);
    this.eventLog = new EventLog(() => earlierEvents(this.data, size.span.until));
    this.eventMaker = new EventMaker(this.data);
    this.settingTables = new Settings(this.data);
    this.settings = new SettingChanges(
      this.data,
      this.settingTables,
      () => this.changes.clock(),
      (change) => this.settle({ told: [change] }),
    );
    this.ledger = keepsLedger ? new Ledger(this.data, () => this.nowMicros) : undefined;
  }

  get nowMicros(): number {
    return this.now().getTime() * MICROS_PER_MS;
  }

  // Changes. Each returns the record as the API gives it afterwards; deletes return nothing. Fields
  // are named as in Close; `date_created` and `date_updated` may be given, else they are now, and so
  // is the time `at` of a delete.

  /** Makes changes as of a time: where they say no other, their records and events have it. */
  at<Made>(time: string, act: () => Made): Made {
    return this.changes.at(microsOf(time), act);
  }

  createLead(values: ChangeValues = {}): JsonObject {
    return this.changed('leads', this.changes.createLead(values));
  }

  updateLead(id: string, values: ChangeValues): JsonObject {
    return this.changed('leads', this.changes.updateLead(this.need('leads', id), values));
  }

  deleteLead(id: string, at?: string): void {
    this.delete('leads', id, at);
  }

  /**
   * Deletes leads with all below them, as a bulk action does: its id, which is returned, is in the
   * meta of the events.
   */
  bulkDeleteLeads(ids: readonly string[]): string {
    const counts = { n_leads: ids.length, n_leads_processed: 0, bulk_object_type: 'lead' };
    const action = this.settings.create('bulk_deletes', { status: 'created', ...counts });
    const bulk_action_id = textOf(action.id);
    this.withMeta({ bulk_action_id }, () => {
      for (const id of ids) this.deleteLead(id);
    });
    const done = { status: 'done', n_leads_processed: ids.length };
    this.settings.update('bulk_deletes', bulk_action_id, done, 'completed');
    return bulk_action_id;
  }

  /**
   * The children of `sourceId` go to `destinationId` and keep their ids; the source is deleted.
   * Returns the destination. All events name both leads in their meta.
   */
  mergeLeads(sourceId: string, destinationId: string): JsonObject {
    if (sourceId === destinationId) throw new RangeError('A lead cannot be merged into itself.');
    const source = this.need('leads', sourceId);
    const destination = this.need('leads', destinationId);
    const meta = { merge_source_lead_id: sourceId, merge_destination_lead_id: destinationId };
    return this.withMeta(meta, () => {
      this.changes.mergeLeads(source, destination, { merge_status: 'completed' });
      const told = this.belowLead(sourceId, destinationId);
      const micros = this.settle({ merged: destination, told });
      const at = timeText(micros);
      this.ledger?.merges.push({ source: sourceId, destination: destinationId, at });
      return this.record('leads', destination);
    });
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

  /** As Close does to old completed tasks of its own: the task goes without an event. */
  purgeTask(id: string): void {
    const index = this.need('tasks', id);
    this.changes.delete('tasks', index, this.changes.clock());
    this.settle({ isSilent: true });
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

  /** A call that goes on; `finishCall` ends it. */
  startCall(leadId: string, values: ChangeValues = {}): JsonObject {
    const going = { status: 'in-progress', disposition: null, duration: 0, has_recording: false };
    const unrecorded = { recording_url: null, recording_duration: null, date_answered: null };
    return this.createActivity('Call', leadId, { ...going, ...unrecorded, ...values });
  }

  finishCall(id: string, durationSeconds: number, values: ChangeValues = {}): JsonObject {
    const ended = { status: 'completed', disposition: 'answered', duration: durationSeconds };
    return this.updateActivity(id, { ...ended, ...values });
  }

  /**
   * An email or meeting that comes from a mailbox or calendar: `date_created` is its own time, long
   * ago or ahead, while `date_updated` is when it came (recorded emails of 2022, meetings of 2025).
   */
  synchronize(type: 'Email' | 'Meeting', leadId: string, at: string): JsonObject {
    const date_updated = timeText(this.changes.clock());
    return this.createActivity(type, leadId, { date_created: at, date_updated });
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

  /** As `allVersions`, of a kind of settings. */
  settingVersions(name: SettingName): JsonObject[] {
    return this.needLedger().allSettings(name, this.settings.all(name));
  }

  deletions(): Deletion[] {
    return this.needLedger().deletions();
  }

  merges(): readonly Merge[] {
    return this.needLedger().merges;
  }

  /** All events that Close would still have, as the API gives them, oldest first. */
  *events(): Generator<JsonObject> {
    const ms = this.nowMicros / MICROS_PER_MS - RETENTION_MS;
    for (const event of this.eventLog.upFrom({ ms, number: -1 })) yield this.eventMaker.make(event);
  }

  private needLedger(): Ledger {
    if (!this.ledger) throw new Error('This world was told to keep no ledger.');
    return this.ledger;
  }

  /** The living record with a number, as the API gives it. */
  record(table: TableName, index: number): JsonObject {
    return makeRecord(this.data, table, index, this.nowMicros);
  }

  /** Ends a change: what it did goes into the log of events and the ledger. */
  private changed(table: TableName, index: number): JsonObject {
    this.settle();
    return this.record(table, index);
  }

  /** When the change happened, in microseconds. */
  private settle(how: Settling = {}): number {
    const clock = this.changes.takeTime();
    const micros = how.micros ?? clock;
    const touched = this.data.takeChanged();
    const cause = this.nextCause();
    if (how.isSilent !== true) {
      recordEvents(this.eventLog, this.data, touched, micros, cause, how.merged);
    }
    this.ledger?.write(touched, micros);
    for (const change of how.told ?? []) {
      recordSetting(this.eventLog, change, micros, cause);
      this.ledger?.writeSetting(change, micros);
      this.data.changedLabels();
    }
    return micros;
  }

  /** What happens to the small records of a lead when it goes, or goes into another. */
  private belowLead(id: string, destination: string | undefined): ToldChange[] {
    const changes = this.settingTables.ofLead(id, destination, this.changes.clock());
    return changes.map(({ name, before, after }) => {
      const { objectType } = settingKinds[name];
      return { name, objectType, action: actionOfChange(before, after), before, after };
    });
  }

  private nextCause(): Cause {
    return { request: ++this.requests, isSystem: false, meta: this.meta };
  }

  private withMeta<Made>(meta: JsonObject, act: () => Made): Made {
    this.meta = meta;
    try {
      return act();
    } finally {
      this.meta = {};
    }
  }

  private delete(table: ChangeableTable, id: string, at: string | undefined): void {
    const index = this.need(table, id);
    const micros = at === undefined ? this.changes.clock() : microsOf(at);
    this.changes.delete(table, index, micros);
    this.settle({ micros, told: table === 'leads' ? this.belowLead(id, undefined) : [] });
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
