/** The activities of one kind, and those of one lead: made when first asked for. */
import { activityTypeNumber, type ActivityType } from './activity-columns.js';
import { OrderedIndex } from './ordered-index.js';
import type { RecordTable } from './record-table.js';

interface Layout {
  readonly created: Float64Array;
  readonly lead: Uint32Array;
  readonly type: Uint8Array;
}
interface ByLead {
  readonly start: Uint32Array;
  readonly items: Uint32Array;
}

export class ActivityOrders {
  private readonly byType = new Map<ActivityType, OrderedIndex>();
  private byLead: ByLead | undefined;

  constructor(
    private readonly table: RecordTable,
    private readonly layout: Layout,
    private readonly leadCount: number,
    private readonly typeOf: (index: number) => ActivityType,
  ) {}

  all(): OrderedIndex {
    return this.table.order('created');
  }

  ofType(type: ActivityType): OrderedIndex {
    let order = this.byType.get(type);
    if (!order) {
      order = this.makeTyped(type);
      this.byType.set(type, order);
    }
    return order;
  }

  /** The living activities of a lead, oldest first. */
  ofLead(lead: number): number[] {
    this.byLead ??= this.groupByLead();
    const { start, items } = this.byLead;
    const base = lead < this.leadCount ? items.subarray(start[lead], start[lead + 1]) : [];
    const { table } = this;
    const found = [...base, ...table.laterOf(lead)].filter((at) => table.leadOf(at) === lead);
    found.push(...table.movedToOf(lead).filter((at) => table.leadOf(at) === lead));
    const alive = found.filter((at) => table.isAlive(at));
    return alive.sort((one, other) => table.createdAt(one) - table.createdAt(other) || one - other);
  }

  added(index: number): void {
    this.byType.get(this.typeOf(index))?.add(this.table.createdAt(index), index);
  }

  deleted(index: number): void {
    this.byType.get(this.typeOf(index))?.remove(this.table.createdAt(index), index);
  }

  private makeTyped(type: ActivityType): OrderedIndex {
    const wanted = activityTypeNumber(type);
    const indexes = new Uint32Array(countOf(this.layout.type, wanted));
    const times = new Float64Array(indexes.length);
    const gone: number[] = [];
    let place = 0;
    this.layout.type.forEach((number, index) => {
      if (number !== wanted) return;
      indexes[place] = index;
      times[place] = this.layout.created[index] ?? 0;
      place++;
      if (!this.table.isAlive(index)) gone.push(index);
    });
    const order = new OrderedIndex(times, indexes);
    for (const index of gone) order.remove(this.table.createdAt(index), index);
    for (let index = this.table.baseCount; index < this.table.nextIndex; index++) {
      if (this.table.isAlive(index) && this.typeOf(index) === type) {
        order.add(this.table.createdAt(index), index);
      }
    }
    return order;
  }

  private groupByLead(): ByLead {
    const start = new Uint32Array(this.leadCount + 1);
    for (const lead of this.layout.lead) start[lead + 1] = (start[lead + 1] ?? 0) + 1;
    for (let lead = 0; lead < this.leadCount; lead++) {
      start[lead + 1] = (start[lead + 1] ?? 0) + (start[lead] ?? 0);
    }
    const next = start.slice();
    const items = new Uint32Array(this.layout.lead.length);
    this.layout.lead.forEach((lead, index) => {
      const place = next[lead] ?? 0;
      items[place] = index;
      next[lead] = place + 1;
    });
    return { start, items };
  }
}

function countOf(types: Uint8Array, wanted: number): number {
  let count = 0;
  for (const type of types) if (type === wanted) count++;
  return count;
}
