/** What can be searched, and how it is walked: by a time of the record, group by group of equals. */
import { textOf, type JsonObject } from '../json.js';
import { microsOf } from '../moment.js';
import type { ActivityType } from '../world/activity-columns.js';
import { activityObjectTypes } from '../world/event-recording.js';
import { indexUnordered, type OrderedIndex } from '../world/ordered-index.js';
import type { World } from '../world/world.js';
import type { TableName } from '../world/world-data.js';
import type { TimeRange } from './listing.js';
import type { Candidate, TimeFieldName } from './search-query.js';

const CHUNK = 500;

export interface SearchSource {
  /** Candidates within the range, in groups of equal time. */
  groups(by: TimeFieldName, range: TimeRange, isDescending: boolean): Iterable<Candidate[]>;
  /** How many there are within the range, where that is known without looking. */
  count(by: TimeFieldName, range: TimeRange): number | undefined;
}

/** Undefined for what Close does not let anybody search. */
export function searchSource(world: World, objectType: string): SearchSource | undefined {
  switch (objectType) {
    case 'lead':
      return new TableSource(world, 'leads');
    case 'contact':
      return new TableSource(world, 'contacts');
    case 'opportunity':
      return new TableSource(world, 'opportunities');
    case 'activity.email_thread':
      return new TableSource(world, 'threads');
    case 'custom_object':
      return new PlainSource(world);
  }
  const [type] = Object.entries(activityObjectTypes).find(([, name]) => name === objectType) ?? [];
  return type === undefined
    ? undefined
    : new TableSource(world, 'activities', type as ActivityType);
}

class TableSource implements SearchSource {
  constructor(
    private readonly world: World,
    private readonly table: TableName,
    private readonly type?: ActivityType,
  ) {}

  private orderBy(by: TimeFieldName): { order: OrderedIndex; isExact: boolean } {
    const { data } = this.world;
    if (this.type !== undefined && by === 'date_created') {
      return { order: data.orders.ofType(this.type), isExact: true };
    }
    const order = data.tables[this.table].order(by === 'date_created' ? 'created' : 'updated');
    return { order, isExact: this.type === undefined };
  }

  count(by: TimeFieldName, range: TimeRange): number | undefined {
    const { order, isExact } = this.orderBy(by);
    return isExact ? Math.max(0, order.rankOf(range.to) - order.rankOf(range.from)) : undefined;
  }

  *groups(by: TimeFieldName, range: TimeRange, isDescending: boolean): Generator<Candidate[]> {
    const { order } = this.orderBy(by);
    const { data } = this.world;
    let group: Candidate[] = [];
    let time: number | undefined;
    for (const index of this.walk(order, range, isDescending)) {
      if (this.type !== undefined && data.activityType(index) !== this.type) continue;
      const candidate = tableCandidate(this.world, this.table, index);
      const at = by === 'date_created' ? candidate.createdMicros : candidate.updatedMicros;
      if (at !== time && group.length > 0) {
        yield group;
        group = [];
      }
      time = at;
      group.push(candidate);
    }
    if (group.length > 0) yield group;
  }

  private *walk(order: OrderedIndex, range: TimeRange, isDescending: boolean): Generator<number> {
    const start = order.rankOf(range.from);
    const end = order.rankOf(range.to);
    for (let done = 0; done < end - start; done += CHUNK) {
      const length = Math.min(CHUNK, end - start - done);
      if (isDescending) yield* order.slice(end - done - length, length).reverse();
      else yield* order.slice(start + done, length);
    }
  }
}

function tableCandidate(world: World, table: TableName, index: number): Candidate {
  const records = world.data.tables[table];
  let made: JsonObject | undefined;
  return {
    id: records.ids.encode(index),
    createdMicros: records.createdAt(index),
    updatedMicros: records.updatedAt(index),
    record: () => (made ??= world.record(table, index)),
    related: (objectType) => relatedTo(world, table, index, objectType),
  };
}

/** A lead's contacts and opportunities, and the lead of any record. */
function relatedTo(world: World, table: TableName, index: number, objectType: string): Candidate[] {
  const lead = world.data.tables[table].leadOf(index);
  if (objectType === 'lead') return [tableCandidate(world, 'leads', lead)];
  const name = objectType === 'contact' ? 'contacts' : 'opportunities';
  if (objectType !== 'contact' && objectType !== 'opportunity') return [];
  return world.data.childrenOf(lead, name).map((child) => tableCandidate(world, name, child));
}

/** Custom objects: few, and kept whole. */
class PlainSource implements SearchSource {
  private readonly candidates: readonly Candidate[];

  constructor(world: World) {
    this.candidates = world.settings.all('custom_objects').map((record): Candidate => {
      const lead = world.data.tables.leads.find(textOf(record.lead_id));
      return {
        id: textOf(record.id),
        createdMicros: microsOf(textOf(record.date_created)),
        updatedMicros: microsOf(textOf(record.date_updated)),
        record: () => record,
        related: (type) => (lead === undefined ? [] : relatedTo(world, 'leads', lead, type)),
      };
    });
  }

  count(): undefined {
    return undefined;
  }

  *groups(by: TimeFieldName, range: TimeRange, isDescending: boolean): Generator<Candidate[]> {
    const timeOf = (one: Candidate): number =>
      by === 'date_created' ? one.createdMicros : one.updatedMicros;
    const order = indexUnordered(Float64Array.from(this.candidates, timeOf));
    const start = order.rankOf(range.from);
    const places = order.slice(start, order.rankOf(range.to) - start);
    const groups = new Map<number, Candidate[]>();
    for (const place of isDescending ? places.reverse() : places) {
      const candidate = this.candidates[place];
      if (!candidate) continue;
      const group = groups.get(timeOf(candidate));
      if (group) group.push(candidate);
      else groups.set(timeOf(candidate), [candidate]);
    }
    yield* groups.values();
  }
}
