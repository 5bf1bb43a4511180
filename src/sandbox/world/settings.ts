/**
 * The settings and small records: kept whole, made when first asked for. A record is never altered
 * but replaced, so that events and the ledger may hold on to what it was.
 */
import { base62 } from '../ids.js';
import { textOf, type JsonObject } from '../json.js';
import { naiveTimeText, timeText } from '../moment.js';
import { hashText, Random } from '../random.js';
import { SettingMaker, type SettingKind } from '../records/settings/kind.js';
import { leadSettings, settingKinds, type SettingName } from '../records/settings/kinds.js';
import type { WorldData } from './world-data.js';

const STREAM = 133;

/** What a change made of a record; both as the API gives it. */
export interface SettingChange {
  readonly name: SettingName;
  readonly id: string;
  readonly before: JsonObject | undefined;
  readonly after: JsonObject | undefined;
}

export class Settings {
  private readonly tables = new Map<SettingName, Map<string, JsonObject>>();
  private created = 0;

  constructor(private readonly data: WorldData) {}

  /** The living records of a kind as the API gives them. */
  all(name: SettingName): JsonObject[] {
    return Array.from(this.table(name).values(), (record) => this.render(name, record));
  }

  /** In the order of `all`. */
  ids(name: SettingName): string[] {
    return [...this.table(name).keys()];
  }

  get(name: SettingName, id: string): JsonObject | undefined {
    const record = this.table(name).get(id);
    return record && this.render(name, record);
  }

  create(name: SettingName, values: JsonObject, micros: number): SettingChange {
    const kind: SettingKind = settingKinds[name];
    const random = new Random(this.data.seed, STREAM, hashText(name) ^ ++this.created);
    const id = `${kind.prefix}_${base62(random, kind.idLength)}`;
    const dates = this.dates(kind, micros);
    const fields = { id, organization_id: this.data.organization.id, ...values, ...dates };
    return this.put(name, id, fields);
  }

  update(name: SettingName, id: string, values: JsonObject, micros: number): SettingChange {
    const record = this.need(name, id);
    const { date_updated } = this.dates(settingKinds[name], micros);
    const moved = date_updated === undefined ? {} : { date_updated };
    return this.put(name, id, { ...record, ...values, ...moved });
  }

  delete(name: SettingName, id: string): SettingChange {
    this.need(name, id);
    return this.put(name, id, undefined);
  }

  /** Takes away what hangs below a lead, or gives it to another. */
  ofLead(leadId: string, destination: string | undefined, micros: number): SettingChange[] {
    const changes: SettingChange[] = [];
    for (const name of leadSettings) {
      for (const [id, record] of this.table(name)) {
        if (record.lead_id !== leadId) continue;
        changes.push(
          destination === undefined
            ? this.delete(name, id)
            : this.update(name, id, { lead_id: destination }, micros),
        );
      }
    }
    return changes;
  }

  private put(name: SettingName, id: string, record: JsonObject | undefined): SettingChange {
    const table = this.table(name);
    const before = this.get(name, id);
    if (record) table.set(id, record);
    else table.delete(id);
    return { name, id, before, after: this.get(name, id) };
  }

  private need(name: SettingName, id: string): JsonObject {
    const record = this.table(name).get(id);
    if (!record) throw new RangeError(`There is no such record in ${name}: ${id}`);
    return record;
  }

  private render(name: SettingName, record: JsonObject): JsonObject {
    const kind: SettingKind = settingKinds[name];
    return kind.render?.(this.data, record) ?? record;
  }

  private dates({ times }: SettingKind, micros: number): JsonObject {
    if (times === 'none') return {};
    const time = times === 'naive' ? naiveTimeText(micros) : timeText(micros);
    return { date_created: time, date_updated: time };
  }

  private table(name: SettingName): Map<string, JsonObject> {
    let table = this.tables.get(name);
    if (!table) {
      const kind: SettingKind = settingKinds[name];
      const made = kind.make(new SettingMaker(this.data, name, kind));
      table = new Map(made.map((record) => [textOf(record.id), record]));
      this.tables.set(name, table);
    }
    return table;
  }
}
