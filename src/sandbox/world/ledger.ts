/**
 * Every version of every record, as the API gave it. Only what changed is kept: the version that a
 * record was laid out with is made again from the data as it was before all changes.
 */
import { textOf, type JsonObject } from '../json.js';
import { timeText } from '../moment.js';
import { makeRecord } from '../records/make-record.js';
import type { SettingName } from '../records/settings/kinds.js';
import type { ToldChange } from './setting-changes.js';
import { tableNames, type RecordKey, type TableName, type WorldData } from './world-data.js';

export interface Deletion {
  readonly table: TableName | SettingName;
  readonly id: string;
  /** When the record went, as an ISO time. */
  readonly at: string;
}

/** A lead that went into another: its children are now the other's. */
export interface Merge {
  readonly source: string;
  readonly destination: string;
  readonly at: string;
}

export class Ledger {
  readonly merges: Merge[] = [];
  private readonly untouched: WorldData;
  private readonly laterVersions = new Map<string, JsonObject[]>();
  private readonly settingVersions = new Map<string, { name: SettingName; all: JsonObject[] }>();
  private readonly deletionsById = new Map<string, Deletion>();

  constructor(
    private readonly data: WorldData,
    private readonly nowMicros: () => number,
  ) {
    this.untouched = data.beforeChanges();
  }

  /** Writes down what a change made of its records; those that it took away went at `micros`. */
  write(changed: readonly RecordKey[], micros: number): void {
    const reached = new Map<string, RecordKey>();
    for (const key of changed) {
      for (const one of this.reachOf(key)) reached.set(`${one.table} ${String(one.index)}`, one);
    }
    for (const { table, index } of reached.values()) {
      const id = this.data.tables[table].ids.encode(index);
      if (this.data.tables[table].isAlive(index)) this.writeVersion(table, index, id);
      else if (!this.deletionsById.has(id)) {
        this.deletionsById.set(id, { table, id, at: timeText(micros) });
      }
    }
  }

  /** Settings that never changed are not here: they are as they are. */
  writeSetting({ name, before, after }: ToldChange, micros: number): void {
    if (name === undefined) return;
    const id = textOf((after ?? before)?.id);
    const known = this.settingVersions.get(id) ?? { name, all: before ? [before] : [] };
    if (after) known.all.push(after);
    else this.deletionsById.set(id, { table: name, id, at: timeText(micros) });
    this.settingVersions.set(id, known);
  }

  allSettings(name: SettingName, living: readonly JsonObject[]): JsonObject[] {
    const changed = [...this.settingVersions.values()].filter((one) => one.name === name);
    const still = living.filter(({ id }) => !this.settingVersions.has(textOf(id)));
    return [...still, ...changed.flatMap(({ all }) => all)];
  }

  /** The versions of one record, the oldest first; those of a deleted record too. */
  versions(id: string): JsonObject[] {
    const setting = this.settingVersions.get(id);
    if (setting) return setting.all;
    for (const table of tableNames) {
      const index = this.data.tables[table].ids.decode(id);
      if (index !== undefined) return this.versionsAt(table, index, id);
    }
    return [];
  }

  /** The versions of all records of a kind: record by record, and of each the oldest first. */
  *all(table: TableName): Generator<JsonObject> {
    const { ids, nextIndex } = this.data.tables[table];
    for (let index = 0; index < nextIndex; index++) {
      yield* this.versionsAt(table, index, ids.encode(index));
    }
  }

  deletions(): Deletion[] {
    return [...this.deletionsById.values()];
  }

  private versionsAt(table: TableName, index: number, id: string): JsonObject[] {
    const first = this.firstVersion(table, index);
    return [...(first ? [first] : []), ...(this.laterVersions.get(id) ?? [])];
  }

  private firstVersion(table: TableName, index: number): JsonObject | undefined {
    if (index >= this.untouched.tables[table].baseCount) return undefined;
    return makeRecord(this.untouched, table, index, this.nowMicros());
  }

  private writeVersion(table: TableName, index: number, id: string): void {
    const record = makeRecord(this.data, table, index, this.nowMicros());
    const known = this.laterVersions.get(id);
    const last = known?.at(-1) ?? this.firstVersion(table, index);
    if (last && JSON.stringify(last) === JSON.stringify(record)) return;
    if (known) known.push(record);
    else this.laterVersions.set(id, [record]);
  }

  /**
   * The records whose answer a change to this one may alter: a lead holds its children, they copy
   * names from it and from each other, a thread holds its emails. Activities copy nothing that can
   * change later.
   */
  private reachOf(key: RecordKey): RecordKey[] {
    const { data } = this;
    const { table, index } = key;
    if (table === 'threads') return [key];
    if (table === 'activities') {
      if (data.activityType(index) !== 'Email') return [key];
      return [key, { table: 'threads', index: data.activityDetail(index) }];
    }
    const lead = data.tables[table].leadOf(index);
    const children = (['contacts', 'opportunities', 'tasks'] as const).flatMap((kind) =>
      data.childrenOf(lead, kind).map((child) => ({ table: kind, index: child })),
    );
    return [key, { table: 'leads', index: lead }, ...children];
  }
}
