/**
 * Changes that go on while the sandbox runs. Change number `n` happens at a time of its own, fixed
 * by the seed and the rate: a sandbox that is started again with the same data first catches up
 * with all changes that are due, and so stands where it would have stood.
 */
import type { ActivityType } from './activity-columns.js';
import { textOf, type JsonObject } from '../json.js';
import {
  MICROS_PER_DAY,
  MICROS_PER_MINUTE,
  MICROS_PER_MS,
  MICROS_PER_SECOND,
  microsOf,
  timeText,
} from '../moment.js';
import { Random } from '../random.js';
import { jobTitles, sentences } from '../records/vocabulary.js';
import type { TableName } from './world-data.js';
import { changeSetting } from './live-settings.js';
import type { World } from './world.js';

const STREAM = 120;
/** A timer cannot wait longer than about 24 days; one wait never needs to. */
const LONGEST_WAIT_MS = 3_600_000;
/** The other kinds come with what they stand for. */
const MADE_BY_PEOPLE: readonly ActivityType[] = [
  ...(['Call', 'Email', 'Note', 'SMS', 'Meeting'] as const),
  ...(['Custom', 'WhatsAppMessage', 'FormSubmission'] as const),
];

interface LiveChange {
  readonly random: Random;
  readonly number: number;
  readonly time: string;
}

export class LiveChanges {
  private readonly intervalMicros: number;
  private timer: NodeJS.Timeout | undefined;
  private done = 0;
  private readonly later = new Map<number, () => void>();

  constructor(
    private readonly world: World,
    changesPerMinute: number,
    private readonly startMicros: number,
    /** Other changes of the same data for another number. */
    private readonly seed = world.data.seed,
  ) {
    this.intervalMicros = MICROS_PER_MINUTE / changesPerMinute;
  }

  /** One change, now; which one follows from its number. */
  static applyNow(world: World, number: number): void {
    new LiveChanges(world, 1, world.nowMicros).apply(number, world.nowMicros);
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
    const jitter = new Random(this.seed, STREAM, number).below(900);
    return Math.floor(this.startMicros + (number + 1) * this.intervalMicros) + jitter;
  }

  private catchUp(): void {
    while (this.timeOf(this.done) <= this.world.nowMicros) {
      this.apply(this.done);
      this.done++;
    }
  }

  private apply(number: number, micros = this.timeOf(number)): void {
    const time = timeText(micros);
    this.world.at(time, () => {
      this.due(number)?.();
      const random = new Random(this.seed, STREAM + 1, number);
      const draw = random.fraction();
      const [, act] = this.kinds.find(([limit]) => draw < limit) ?? [];
      act?.({ random, number, time });
    });
  }

  /** What an earlier change left to be done now. */
  private due(number: number): (() => void) | undefined {
    const act = this.later.get(number);
    this.later.delete(number);
    return act;
  }

  /** What happens, by the share of all changes up to and with it. */
  private readonly kinds: readonly (readonly [number, (change: LiveChange) => void])[] = [
    [0.08, () => this.world.createLead()],
    [0.25, ({ random }) => this.withSome('leads', random, (id) => this.editLead(id, random))],
    [0.3, ({ random }) => this.withSome('contacts', random, (id) => this.editContact(id, random))],
    [0.32, ({ random }) => this.withSome('leads', random, (id) => this.world.createContact(id))],
    [0.33, ({ random }) => this.withSome('contacts', random, (id) => this.world.deleteContact(id))],
    [
      0.4,
      ({ random }) => this.withSome('opportunities', random, (id) => this.editDeal(id, random)),
    ],
    [0.42, ({ random }) => this.withSome('leads', random, (id) => this.createDeal(id, random))],
    [0.425, ({ random }) => this.withSome('opportunities', random, (id) => this.dropDeal(id))],
    [0.45, ({ random }) => this.withSome('leads', random, (id) => this.createTask(id, random))],
    [0.48, ({ random }) => this.withSome('tasks', random, (id) => this.moveTask(id, random))],
    [0.74, ({ random }) => this.withSome('leads', random, (id) => this.act(id, random))],
    [0.78, (change) => this.withSome('leads', change.random, (id) => this.call(id, change))],
    [0.8, (change) => this.withSome('leads', change.random, (id) => this.synchronize(id, change))],
    [0.94, (change) => this.withSome('activities', change.random, (id) => this.edit(id, change))],
    [0.965, ({ random }) => this.withSome('activities', random, (id) => this.drop(id))],
    [0.985, ({ random }) => changeSetting(this.world, random)],
    [0.99, ({ random }) => this.withSome('leads', random, (id) => this.world.deleteLead(id))],
    [0.995, ({ random }) => this.withSome('leads', random, (id) => this.merge(id, random))],
    [1, ({ random }) => this.withSome('leads', random, (id) => this.bulkDelete(id, random))],
  ];

  private withSome(table: TableName, random: Random, act: (id: string) => void): void {
    const id = this.some(table, random);
    if (id !== undefined) act(id);
  }

  private editLead(id: string, random: Random): void {
    const { leadStatuses } = this.world.data.organization;
    const edit = random.chance(0.3)
      ? { status_id: random.pick(leadStatuses).id }
      : { description: random.pick(sentences) };
    this.world.updateLead(id, edit);
  }

  private editContact(id: string, random: Random): void {
    this.world.updateContact(id, { title: random.pick(jobTitles) });
  }

  private editDeal(id: string, random: Random): void {
    const { opportunityStatuses } = this.world.data.organization;
    const edit = random.chance(0.3)
      ? { status_id: random.pick(opportunityStatuses).id }
      : { confidence: random.below(21) * 5 };
    this.world.updateOpportunity(id, edit);
  }

  private createDeal(leadId: string, random: Random): void {
    this.world.createOpportunity(leadId, { value: (1 + random.below(500)) * 10_000 });
  }

  private dropDeal(id: string): void {
    this.world.deleteOpportunity(id);
  }

  private createTask(leadId: string, random: Random): void {
    this.world.createTask(leadId, { text: random.pick(sentences) });
  }

  private moveTask(id: string, random: Random): void {
    const isComplete = this.world.record('tasks', this.numberOf('tasks', id)).is_complete === true;
    if (random.chance(0.15)) this.world.deleteTask(id);
    else if (isComplete) this.world.updateTask(id, { is_complete: false });
    else this.world.completeTask(id);
  }

  private act(leadId: string, random: Random): void {
    this.world.createActivity(random.pick(MADE_BY_PEOPLE), leadId);
  }

  /** A call goes on for a while and ends some changes later. */
  private call(leadId: string, { random, number }: LiveChange): void {
    const id = textOf(this.world.startCall(leadId).id);
    const durationSeconds = 5 + random.below(1_800);
    this.later.set(number + 1 + random.below(5), () => {
      if (this.world.activity(id)) this.world.finishCall(id, durationSeconds);
    });
  }

  /** Mail from long ago, or a meeting ahead. */
  private synchronize(leadId: string, { random, time }: LiveChange): void {
    const type = random.chance(0.5) ? 'Email' : 'Meeting';
    const days = type === 'Email' ? -1 - random.below(300) : 1 + random.below(60);
    const at = Math.floor(microsOf(time) / MICROS_PER_SECOND) * MICROS_PER_SECOND;
    this.world.synchronize(type, leadId, timeText(at + days * MICROS_PER_DAY));
  }

  private edit(id: string, { random, time }: LiveChange): void {
    const type = this.world.data.activityType(this.numberOf('activities', id));
    const edit = activityEdit(type, time, random);
    if (edit) this.world.updateActivity(id, edit);
  }

  private drop(id: string): void {
    this.world.deleteActivity(id);
  }

  private merge(source: string, random: Random): void {
    const destination = this.some('leads', random);
    if (destination !== undefined && destination !== source) {
      this.world.mergeLeads(source, destination);
    }
  }

  private bulkDelete(first: string, random: Random): void {
    const ids = new Set([first]);
    for (let more = random.below(4); more > 0; more--) {
      this.withSome('leads', random, (id) => ids.add(id));
    }
    this.world.bulkDeleteLeads([...ids]);
  }

  private numberOf(table: TableName, id: string): number {
    return this.world.data.tables[table].find(id) ?? 0;
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
    case 'WhatsAppMessage':
    case 'FormSubmission':
    case 'LeadMerge':
      return undefined;
    case 'Custom':
      return { status: random.pick(['draft', 'published']) };
  }
}
