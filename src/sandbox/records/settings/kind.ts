/** What one kind of setting is made from, and how it is named. */
import { base62 } from '../../ids.js';
import type { JsonObject } from '../../json.js';
import { MICROS_PER_DAY, naiveTimeText, timeText } from '../../moment.js';
import { hashText, Random } from '../../random.js';
import type { WorldData } from '../../world/world-data.js';

export interface SettingKind {
  /** The prefix of its ids, and how long they are behind it. */
  readonly prefix: string;
  readonly idLength: 22 | 43;
  /** Its name in the event log; undefined where the log tells nothing of it. */
  readonly objectType?: string;
  /** How its times are written; `none` for records without any. */
  readonly times: 'offset' | 'naive' | 'none';
  readonly make: (maker: SettingMaker) => JsonObject[];
  /** What the API gives, where that holds more than what is kept. */
  readonly render?: (data: WorldData, record: JsonObject) => JsonObject;
}

const STREAM = 910;

export class SettingMaker {
  readonly random: Random;

  constructor(
    readonly data: WorldData,
    name: string,
    private readonly kind: SettingKind,
  ) {
    this.random = new Random(data.seed, STREAM, hashText(name));
  }

  id(): string {
    return `${this.kind.prefix}_${base62(this.random, this.kind.idLength)}`;
  }

  get organizationId(): string {
    return this.data.organization.id;
  }

  /** The id of some member. */
  user(place = this.random.below(5)): string {
    return this.data.organization.users[place]?.id ?? '';
  }

  /** A time some days after the organization was founded; in the form of the kind. */
  time(days: number): string {
    const micros = this.micros(days);
    return this.kind.times === 'naive' ? naiveTimeText(micros) : timeText(micros);
  }

  private micros(days: number): number {
    // Naive times carry real microseconds (recorded answers, 2026).
    const fraction = this.kind.times === 'naive' ? this.random.below(1_000_000) : 0;
    return this.data.organization.foundedMicros + Math.floor(days * MICROS_PER_DAY) + fraction;
  }

  /** `date_created` and `date_updated`, and who did it. */
  dated(days: number): JsonObject {
    const time = this.time(days);
    const user = this.user(0);
    return { created_by: user, updated_by: user, date_created: time, date_updated: time };
  }

  /** A record with an id, the organization and times. */
  record(days: number, fields: JsonObject): JsonObject {
    return { id: this.id(), organization_id: this.organizationId, ...fields, ...this.dated(days) };
  }

  /** The same number for a setting each time, so that others can name its id. */
  otherId(kind: SettingKind, name: string, place: number): string | null {
    const id = kind.make(new SettingMaker(this.data, name, kind))[place]?.id;
    return typeof id === 'string' ? id : null;
  }
}
