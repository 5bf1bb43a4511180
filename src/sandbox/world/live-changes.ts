/**
 * Changes that go on while the sandbox runs. Change number `n` happens at a time of its own, fixed
 * by the seed and the rate: a sandbox that is started again with the same data first catches up
 * with all changes that are due, and so stands where it would have stood.
 */
import { activityTypes, type ActivityType } from './activity-columns.js';
import type { JsonObject } from '../json.js';
import { MICROS_PER_MINUTE, MICROS_PER_MS, timeText } from '../moment.js';
import { Random } from '../random.js';
import { jobTitles, sentences } from '../records/vocabulary.js';
import type { TableName } from './world-data.js';
import type { World } from './world.js';

const STREAM = 120;
/** A timer cannot wait longer than about 24 days; one wait never needs to. */
const LONGEST_WAIT_MS = 3_600_000;

export class LiveChanges {
  private readonly intervalMicros: number;
  private timer: NodeJS.Timeout | undefined;
  private done = 0;

  constructor(
    private readonly world: World,
    changesPerMinute: number,
    private readonly startMicros: number,
  ) {
    this.intervalMicros = MICROS_PER_MINUTE / changesPerMinute;
  }

  start(): void {
    this.catchUp();
    const waitMs = (this.timeOf(this.done) - this.world.nowMicros) / MICROS_PER_MS;
    this.timer = setTimeout(
      () => {
        this.start();
      },
      Math.min(LONGEST_WAIT_MS, Math.max(1, waitMs)),
    );
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private timeOf(number: number): number {
    const jitter = new Random(this.world.data.seed, STREAM, number).below(900);
    return Math.floor(this.startMicros + (number + 1) * this.intervalMicros) + jitter;
  }

  private catchUp(): void {
    while (this.timeOf(this.done) <= this.world.nowMicros) {
      this.apply(this.done);
      this.done++;
    }
  }

  private apply(number: number): void {
    const { world } = this;
    const random = new Random(world.data.seed, STREAM + 1, number);
    const time = timeText(this.timeOf(number));
    const lead = this.some('leads', random);
    const draw = random.fraction();
    if (lead === undefined || draw < 0.08) world.createLead({ date_created: time });
    else if (draw < 0.25)
      world.updateLead(lead, { ...leadEdit(world, random), date_updated: time });
    else if (draw < 0.33) this.editContact(time, random);
    else if (draw < 0.45) this.editOpportunity(time, random);
    else if (draw < 0.8) world.createActivity(newType(random), lead, { date_created: time });
    else if (draw < 0.94) this.editActivity(time, random);
    else this.deleteActivity(time, random);
  }

  private editContact(time: string, random: Random): void {
    const id = this.some('contacts', random);
    if (id === undefined) return;
    this.world.updateContact(id, { date_updated: time, title: random.pick(jobTitles) });
  }

  private editOpportunity(time: string, random: Random): void {
    const id = this.some('opportunities', random);
    if (id === undefined) return;
    this.world.updateOpportunity(id, { date_updated: time, confidence: random.below(21) * 5 });
  }

  private editActivity(time: string, random: Random): void {
    const { data } = this.world;
    const id = this.some('activities', random);
    const index = id === undefined ? undefined : data.tables.activities.find(id);
    if (id === undefined || index === undefined) return;
    const edit = activityEdit(data.activityType(index), time, random);
    if (edit) this.world.updateActivity(id, { ...edit, date_updated: time });
  }

  private deleteActivity(time: string, random: Random): void {
    const id = this.some('activities', random);
    if (id !== undefined) this.world.deleteActivity(id, time);
  }

  /** The id of some living record; undefined when the draw falls on deleted ones. */
  private some(name: TableName, random: Random): string | undefined {
    const table = this.world.data.tables[name];
    for (let attempt = 0; attempt < 10 && table.nextIndex > 0; attempt++) {
      const index = random.below(table.nextIndex);
      if (table.isAlive(index)) return table.ids.encode(index);
    }
    return undefined;
  }
}

function leadEdit(world: World, random: Random): JsonObject {
  if (random.chance(0.3))
    return { status_id: random.pick(world.data.organization.leadStatuses).id };
  return { description: random.pick(sentences) };
}

/** What people or the world do to an activity of this kind; undefined when nothing is done to it. */
function activityEdit(type: ActivityType, time: string, random: Random): JsonObject | undefined {
  const note = random.pick(sentences);
  switch (type) {
    case 'Call':
    case 'Note':
      return { note, note_html: `<body><p>${note}</p></body>` };
    case 'Meeting':
      return { note };
    case 'Email': {
      const open = { opened_at: time, opened_by: null, ip_address: '203.0.113.9', user_agent: '' };
      return { opens: [open], opens_summary: 'Opened' };
    }
    case 'SMS':
      return { status: random.pick(['sent', 'delivered']) };
    case 'Created':
    case 'LeadStatusChange':
    case 'OpportunityStatusChange':
    case 'TaskCompleted':
      return undefined;
  }
}

/** Kinds that people make; the others come with what they stand for. */
function newType(random: Random): ActivityType {
  return random.pick(activityTypes.slice(0, 5));
}
