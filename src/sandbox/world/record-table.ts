/**
 * The records of one kind: when each was made and last changed, and whose lead it is. What the data
 * started with stands in typed arrays; records made, changed or deleted since stand beside them.
 * The content of a record is not kept at all: it is made from its number when somebody asks.
 */
import type { Ids } from '../ids.js';
import type { JsonObject } from '../json.js';
import { indexUnordered, OrderedIndex } from './ordered-index.js';

export interface Columns {
  readonly created: Float64Array;
  readonly updated: Float64Array;
  /** The number of the lead that the record belongs to; a lead's is its own. */
  readonly lead: Uint32Array;
}

interface LaterRecord {
  readonly created: number;
  readonly updated: number;
  readonly lead: number;
  /** The number of the change that made it. */
  readonly madeBy: number;
}

/** The fields that changes have set, over those that the record was made with. */
interface Change {
  readonly updated: number;
  readonly fields: JsonObject;
}

/** Enough to make a record again as it stood at some moment. */
export interface RecordState {
  readonly change: Change | undefined;
  /** The lead that it had moved to; undefined while it was with its first one. */
  readonly movedTo: number | undefined;
}

export type TimeField = 'created' | 'updated';

export class RecordTable {
  private readonly later: LaterRecord[] = [];
  private readonly changes = new Map<number, Change>();
  private readonly deleted = new Set<number>();
  private readonly laterByLead = new Map<number, number[]>();
  private readonly movedTo = new Map<number, number>();
  private readonly movedToLead = new Map<number, number[]>();
  private readonly orders = new Map<TimeField, OrderedIndex>();
  readonly baseCount: number;
  /** Grows with every change, so that an answer worked out before can be known to be stale. */
  version = 0;

  constructor(
    readonly ids: Ids,
    private readonly columns: Columns,
    /** Whether the records are numbered in the order of their making. */
    private readonly isNumberedByCreation: boolean,
    /**
     * Told of each record just before it is made, changed, moved or deleted; numbers the changes
     * from 1 on.
     */
    private readonly noteChange: (index: number, lead: number) => number,
  ) {
    this.baseCount = columns.created.length;
  }

  /** One more than the highest number ever given. */
  get nextIndex(): number {
    return this.baseCount + this.later.length;
  }

  isAlive(index: number): boolean {
    return index < this.nextIndex && !this.deleted.has(index);
  }

  /** The number of the living record with this id. */
  find(id: string): number | undefined {
    const index = this.ids.decode(id);
    return index !== undefined && this.isAlive(index) ? index : undefined;
  }

  private laterRecord(index: number): LaterRecord | undefined {
    // Asking an array for a negative place is slow, and most records are not later ones.
    return index < this.baseCount ? undefined : this.later[index - this.baseCount];
  }

  createdAt(index: number): number {
    return this.laterRecord(index)?.created ?? this.columns.created[index] ?? 0;
  }

  updatedAt(index: number): number {
    return (
      this.changes.get(index)?.updated ??
      this.laterRecord(index)?.updated ??
      this.columns.updated[index] ??
      0
    );
  }

  /** When the record stood as it was made: before any change that came while running. */
  firstUpdatedAt(index: number): number {
    return this.laterRecord(index)?.updated ?? this.columns.updated[index] ?? 0;
  }

  /** The lead that the record belongs to now. */
  leadOf(index: number): number {
    return this.movedTo.get(index) ?? this.firstLeadOf(index);
  }

  /** The lead that it was made for: what its content was drawn from, also after a merge. */
  firstLeadOf(index: number): number {
    return this.laterRecord(index)?.lead ?? this.columns.lead[index] ?? 0;
  }

  /** The number of the change that made the record; 0 when the data was laid out with it. */
  madeBy(index: number): number {
    return this.laterRecord(index)?.madeBy ?? 0;
  }

  fieldsOf(index: number): JsonObject | undefined {
    return this.changes.get(index)?.fields;
  }

  /** The numbers of records that came later and were made for this lead, living or not. */
  laterOf(lead: number): readonly number[] {
    return this.laterByLead.get(lead) ?? [];
  }

  /** The numbers of records that a merge brought to this lead; some may have gone on since. */
  movedToOf(lead: number): readonly number[] {
    return this.movedToLead.get(lead) ?? [];
  }

  state(index: number): RecordState {
    return { change: this.changes.get(index), movedTo: this.movedTo.get(index) };
  }

  /** What `make` makes while the record stands as it stood then. */
  viewing<Made>(index: number, state: RecordState, make: () => Made): Made {
    const present = this.state(index);
    this.put(index, state);
    try {
      return make();
    } finally {
      this.put(index, present);
    }
  }

  private put(index: number, { change, movedTo }: RecordState): void {
    if (change) this.changes.set(index, change);
    else this.changes.delete(index);
    if (movedTo === undefined) this.movedTo.delete(index);
    else this.movedTo.set(index, movedTo);
  }

  order(field: TimeField): OrderedIndex {
    let order = this.orders.get(field);
    if (!order) {
      order = this.makeOrder(field);
      this.orders.set(field, order);
    }
    return order;
  }

  /** Without `lead` the record is its own lead. */
  add(created: number, updated: number, lead?: number): number {
    this.version++;
    const index = this.nextIndex;
    const owner = lead ?? index;
    this.later.push({ created, updated, lead: owner, madeBy: this.noteChange(index, owner) });
    const siblings = this.laterByLead.get(owner);
    if (siblings) siblings.push(index);
    else this.laterByLead.set(owner, [index]);
    this.orders.get('created')?.add(created, index);
    this.orders.get('updated')?.add(updated, index);
    return index;
  }

  /** Sets fields, and the time of the change when one is given. */
  change(index: number, fields: JsonObject, updated = this.updatedAt(index)): void {
    this.version++;
    this.noteChange(index, this.leadOf(index));
    const order = this.orders.get('updated');
    order?.remove(this.updatedAt(index), index);
    this.changes.set(index, { updated, fields: { ...this.fieldsOf(index), ...fields } });
    order?.add(updated, index);
  }

  /** Gives the record to another lead. */
  move(index: number, lead: number, updated: number): void {
    this.change(index, {}, updated);
    this.movedTo.set(index, lead);
    // Back where it came from it is found among the first ones.
    if (lead === this.firstLeadOf(index)) return;
    const there = this.movedToLead.get(lead);
    if (!there) this.movedToLead.set(lead, [index]);
    else if (!there.includes(index)) there.push(index);
  }

  delete(index: number): void {
    this.version++;
    this.noteChange(index, this.leadOf(index));
    this.orders.get('created')?.remove(this.createdAt(index), index);
    this.orders.get('updated')?.remove(this.updatedAt(index), index);
    this.deleted.add(index);
  }

  /** An order is made when first asked for, and then has everything to learn that happened before. */
  private makeOrder(field: TimeField): OrderedIndex {
    const times = this.columns[field];
    const order =
      field === 'created' && this.isNumberedByCreation
        ? new OrderedIndex(times)
        : indexUnordered(times);
    const timeNow = (index: number): number =>
      field === 'created' ? this.createdAt(index) : this.updatedAt(index);
    for (let index = this.baseCount; index < this.nextIndex; index++) {
      if (!this.deleted.has(index)) order.add(timeNow(index), index);
    }
    if (field === 'updated') {
      for (const index of this.changes.keys()) {
        if (index >= this.baseCount || this.deleted.has(index)) continue;
        order.remove(times[index] ?? 0, index);
        order.add(timeNow(index), index);
      }
    }
    for (const index of this.deleted) {
      if (index < this.baseCount) order.remove(times[index] ?? 0, index);
    }
    return order;
  }
}
