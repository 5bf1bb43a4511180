/** How a change to one record spreads: which times move, which activities come with it. */
import { packStatusChange, unpackStatusChange, type ActivityType } from './activity-columns.js';
import type { JsonObject } from '../json.js';
import { dateText, MICROS_PER_MS, microsOf, timeText } from '../moment.js';
import { opportunityRecord } from '../records/opportunity.js';
import { taskRecord } from '../records/task.js';
import type { TableName, WorldData } from './world-data.js';

/** Fields by their names in Close. A lead may bring `contacts`: one list entry for each. */
export type ChangeValues = Readonly<JsonObject>;

/** Threads come and go with their emails only. */
export type ChangeableTable = Exclude<TableName, 'threads'>;

interface Times {
  readonly fields: JsonObject;
  readonly created: number;
  readonly updated: number;
}

/** The window in which events are consolidated, too (recorded events, 2022). */
const QUICK_MICROS = 5_000_000;

export class WorldChanges {
  private lastMicros = 0;
  /** When the present change happens, where that is not now. */
  private givenMicros: number | undefined;
  private readMicros: number | undefined;

  constructor(
    private readonly data: WorldData,
    private readonly now: () => Date,
  ) {}

  /** Now; never the same time twice, so that of two changes one is the later. */
  clock(): number {
    const micros = this.givenMicros ?? this.now().getTime() * MICROS_PER_MS;
    this.lastMicros = Math.max(micros, this.lastMicros + 1);
    this.readMicros = this.lastMicros;
    return this.lastMicros;
  }

  /** When the change that just ended happened: what it read from the clock, else now. */
  takeTime(): number {
    const micros = this.readMicros ?? this.clock();
    this.readMicros = undefined;
    return micros;
  }

  /** Lets the clock stand at a time while `act` runs. */
  at<Made>(micros: number, act: () => Made): Made {
    this.givenMicros = micros;
    try {
      return act();
    } finally {
      this.givenMicros = undefined;
    }
  }

  private times(values: ChangeValues): Times {
    const { date_created: created, date_updated: updated, ...fields } = values;
    const createdMicros = typeof created === 'string' ? microsOf(created) : this.clock();
    return {
      fields,
      created: createdMicros,
      updated: typeof updated === 'string' ? microsOf(updated) : createdMicros,
    };
  }

  private updateTimes(values: ChangeValues): { fields: JsonObject; updated: number } {
    const { date_updated: updated, ...fields } = values;
    return { fields, updated: typeof updated === 'string' ? microsOf(updated) : this.clock() };
  }

  private add(table: TableName, times: Times, lead?: number): number {
    const index = this.data.tables[table].add(times.created, times.updated, lead);
    if (Object.keys(times.fields).length > 0) this.data.tables[table].change(index, times.fields);
    return index;
  }

  private moveLead(lead: number, micros: number): void {
    const { leads } = this.data.tables;
    if (leads.isAlive(lead)) leads.change(lead, {}, Math.max(micros, leads.updatedAt(lead)));
  }

  createLead(values: ChangeValues): number {
    const { contacts, ...own } = values;
    const times = this.times(own);
    const lead = this.add('leads', times);
    for (const contact of Array.isArray(contacts) ? contacts : [{}]) {
      const fields = contact !== null && typeof contact === 'object' ? { ...contact } : {};
      const { created, updated } = times;
      this.add('contacts', { fields, created, updated }, lead);
    }
    this.data.addActivity('Created', 0, times.created, times.created, lead);
    return lead;
  }

  updateLead(lead: number, values: ChangeValues): number {
    const { fields, updated } = this.updateTimes(values);
    const { leads } = this.data.tables;
    const from = this.leadStatus(lead);
    leads.change(lead, fields, updated);
    const to = this.leadStatus(lead);
    if (from !== to) this.changedLeadStatus(lead, from, to, updated);
    return lead;
  }

  /**
   * Quick changes become one activity, and one that is quickly taken back takes its activity with
   * it (Close docs, list of event types).
   */
  private changedLeadStatus(lead: number, from: number, to: number, micros: number): void {
    const { activities } = this.data.tables;
    const last = activities
      .laterOf(lead)
      .filter(
        (one) => this.data.activityType(one) === 'LeadStatusChange' && activities.isAlive(one),
      )
      .at(-1);
    const isQuick = last !== undefined && micros - activities.createdAt(last) < QUICK_MICROS;
    if (!isQuick) {
      this.data.addActivity('LeadStatusChange', packStatusChange(from, to), micros, micros, lead);
      return;
    }
    const first = unpackStatusChange(this.data.activityDetail(last)).from;
    if (first === to) {
      this.data.deleteActivity(last, micros);
      return;
    }
    const status = this.data.organization.leadStatuses[to];
    const next = { new_status_id: status?.id ?? null, new_status_label: status?.label ?? null };
    activities.change(last, next, micros);
  }

  private leadStatus(lead: number): number {
    const id = this.data.tables.leads.fieldsOf(lead)?.status_id;
    const set = this.data.organization.leadStatuses.findIndex((status) => status.id === id);
    return set >= 0 ? set : this.data.leadStatusNumber(lead);
  }

  delete(table: ChangeableTable, index: number, micros: number): void {
    const { tables } = this.data;
    switch (table) {
      case 'leads':
        this.deleteLead(index, micros);
        return;
      case 'activities':
        this.data.deleteActivity(index, micros);
        return;
      case 'contacts':
        tables.contacts.delete(index);
        this.moveLead(tables.contacts.leadOf(index), micros);
        return;
      case 'opportunities':
      case 'tasks':
        tables[table].delete(index);
    }
  }

  /** What hangs below a lead goes with it (recorded events of a bulk delete, 2022). */
  private deleteLead(lead: number, micros: number): void {
    for (const kind of ['contacts', 'opportunities', 'tasks'] as const) {
      for (const child of this.data.childrenOf(lead, kind)) this.data.tables[kind].delete(child);
    }
    for (const activity of this.data.orders.ofLead(lead)) {
      this.data.deleteActivity(activity, micros);
    }
    this.data.tables.leads.delete(lead);
  }

  /**
   * What hangs below the source goes to the destination and keeps its ids; the source goes, and so
   * does the activity of its creation (Close docs, lead merges and list of event types).
   */
  mergeLeads(source: number, destination: number, values: ChangeValues): number {
    const { tables } = this.data;
    const micros = this.clock();
    // First, so that the destination is known as it stood before it got anything.
    this.moveLead(destination, micros);
    for (const kind of ['contacts', 'opportunities', 'tasks'] as const) {
      for (const child of this.data.childrenOf(source, kind)) {
        tables[kind].move(child, destination, micros);
      }
    }
    for (const activity of this.data.orders.ofLead(source)) {
      const type = this.data.activityType(activity);
      if (type === 'Created') {
        this.data.deleteActivity(activity, micros);
        continue;
      }
      tables.activities.move(activity, destination, micros);
      const thread = this.data.activityDetail(activity);
      if (type === 'Email' && tables.threads.leadOf(thread) === source) {
        tables.threads.move(thread, destination, micros);
      }
    }
    tables.leads.delete(source);
    const merge = this.data.addActivity('LeadMerge', 0, micros, micros, destination);
    tables.activities.change(merge, {
      source_lead_id: tables.leads.ids.encode(source),
      destination_lead_id: tables.leads.ids.encode(destination),
      ...values,
    });
    return destination;
  }

  createContact(lead: number, values: ChangeValues): number {
    const times = this.times(values);
    const contact = this.add('contacts', times, lead);
    this.moveLead(lead, times.created);
    return contact;
  }

  /** Moves the lead too (observed on a live account, June 2026). */
  updateContact(contact: number, values: ChangeValues): number {
    const { fields, updated } = this.updateTimes(values);
    this.data.tables.contacts.change(contact, fields, updated);
    this.moveLead(this.data.tables.contacts.leadOf(contact), updated);
    return contact;
  }

  createOpportunity(lead: number, values: ChangeValues): number {
    return this.add('opportunities', this.times(values), lead);
  }

  /** Does not move the lead (observed on a live account, June 2026). */
  updateOpportunity(opportunity: number, values: ChangeValues): number {
    const { fields, updated } = this.updateTimes(values);
    const { opportunities } = this.data.tables;
    const { opportunityStatuses } = this.data.organization;
    const from = this.opportunityStatus(opportunity);
    const status = opportunityStatuses.find(({ id }) => id === fields.status_id);
    const closing: JsonObject = status
      ? {
          date_won: status.type === 'won' ? dateText(updated) : null,
          date_lost: status.type === 'lost' ? timeText(updated) : null,
        }
      : {};
    opportunities.change(opportunity, { ...closing, ...fields }, updated);
    const to = this.opportunityStatus(opportunity);
    if (from !== to) {
      const lead = opportunities.leadOf(opportunity);
      const change = packStatusChange(from, to);
      const activity = this.data.addActivity(
        'OpportunityStatusChange',
        change,
        updated,
        updated,
        lead,
      );
      const { id, value, value_formatted } = opportunityRecord(this.data, opportunity);
      this.data.tables.activities.change(activity, {
        opportunity_id: id ?? null,
        opportunity_value: value ?? null,
        opportunity_value_formatted: value_formatted ?? null,
      });
    }
    return opportunity;
  }

  private opportunityStatus(opportunity: number): number {
    const id = this.data.tables.opportunities.fieldsOf(opportunity)?.status_id;
    const set = this.data.organization.opportunityStatuses.findIndex((one) => one.id === id);
    return set >= 0 ? set : this.data.opportunityStatusNumber(opportunity);
  }

  createTask(lead: number, values: ChangeValues): number {
    return this.add('tasks', this.times({ _type: 'lead', is_complete: false, ...values }), lead);
  }

  updateTask(task: number, values: ChangeValues): number {
    const { fields, updated } = this.updateTimes(values);
    const isReopened = fields.is_complete === false && this.data.isTaskComplete(task);
    if (isReopened) this.forgetCompletion(task, updated);
    const reopened = isReopened ? { object_type: null, object_id: null } : {};
    this.data.tables.tasks.change(task, { ...reopened, ...fields }, updated);
    return task;
  }

  /** A reopened task takes the activity of its completion back (Close docs, list of event types). */
  private forgetCompletion(task: number, micros: number): void {
    const { activities } = this.data.tables;
    const { object_id } = taskRecord(this.data, task, micros);
    const activity = typeof object_id === 'string' ? activities.find(object_id) : undefined;
    if (activity !== undefined) this.data.deleteActivity(activity, micros);
  }

  completeTask(task: number): number {
    const { tasks, activities } = this.data.tables;
    const micros = this.clock();
    const lead = tasks.leadOf(task);
    const text = taskRecord(this.data, task, micros).text ?? '';
    const activity = this.data.addActivity('TaskCompleted', task, micros, micros, lead);
    activities.change(activity, { task_text: text });
    const object_id = activities.ids.encode(activity);
    const done = {
      is_complete: true,
      object_type: 'taskcompleted',
      object_id,
      text,
    };
    tasks.change(task, done, micros);
    this.moveLead(lead, micros);
    return task;
  }

  createActivity(type: ActivityType, lead: number, values: ChangeValues): number {
    const { fields, created, updated } = this.times(values);
    const index = this.data.tables.activities.nextIndex;
    const detail = type === 'Email' ? this.data.addThread(index, created, lead) : 0;
    this.data.addActivity(type, detail, created, updated, lead);
    if (Object.keys(fields).length > 0) this.data.tables.activities.change(index, fields);
    return index;
  }

  updateActivity(activity: number, values: ChangeValues): number {
    const { fields, updated } = this.updateTimes(values);
    this.data.tables.activities.change(activity, fields, updated);
    return activity;
  }
}
