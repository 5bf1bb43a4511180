/** `/contact/`, `/opportunity/` and `/task/`, as lists and one by one. */
import { Hono } from 'hono';
import { textOf, type Json, type JsonObject } from '../json.js';
import { parseTime } from '../moment.js';
import { formatMoney } from '../records/opportunity.js';
import { taskType } from '../records/task.js';
import { answerItem, answerList, type Account, type ApiContext, type Env } from './context.js';
import {
  allTime,
  isWithin,
  pageBody,
  readPage,
  readSort,
  readTimeRange,
  selectList,
  selectRange,
  WorkedOut,
  type PageBody,
  type Parameters,
  type Selection,
  type SortKey,
} from './listing.js';

type ChildTable = 'contacts' | 'opportunities' | 'tasks';
const PAGING = ['_skip', '_limit', '_fields'];
/** The largest pages that replicators use without error (read 2026-11). */
const MAX_LIMIT = { contacts: 200, opportunities: 250, tasks: 1_000 } as const;
const NEWEST_FIRST: SortKey = { name: 'date_created', isDescending: true };
const LAST_CHANGED_FIRST: SortKey = { name: 'date_updated', isDescending: true };
/** Tasks are ordered by `date` by default in Close; here by creation, which pages as steadily. */
const TASK_SORTS = ['date_created', 'date_updated', 'date', 'due_date'];
const OPPORTUNITY_SORTS = [
  ...['date_created', 'date_updated', 'date_won', 'confidence', 'user_name', 'value'],
  ...['annualized_value', 'annualized_expected_value'],
];

export function children(account: Account): Hono<Env> {
  const { world } = account;
  const lists = new ChildLists(account);
  const app = new Hono<Env>();
  const item = (table: ChildTable, kind: string) => (c: ApiContext) => {
    const index = world.data.tables[table].find(c.req.param('id') ?? '');
    const record = index === undefined ? undefined : world.record(table, index);
    const isVisible = record && account.rights.reader(c).lead(textOf(record.lead_id));
    return answerItem(c, isVisible ? record : undefined, kind);
  };
  app.get('/contact/', (c) => answerList(c, lists.contacts(c)));
  app.get('/contact/:id/', item('contacts', 'Contact'));
  app.get('/opportunity/', (c) => answerList(c, lists.opportunities(c)));
  app.get('/opportunity/:id/', item('opportunities', 'Opportunity'));
  app.get('/task/', (c) => answerList(c, lists.tasks(c)));
  app.get('/task/:id/', item('tasks', 'Task'));
  return app;
}

class ChildLists {
  private readonly workedOut = new WorkedOut<readonly number[]>();
  private readonly totals = new WorkedOut<JsonObject>();

  constructor(private readonly account: Account) {}

  /** No date filter, no order, no total (Close's OpenAPI document; recorded answers, 2026). */
  contacts(c: ApiContext): PageBody {
    const { world, maxSkip } = this.account;
    const parameters = c.get('parameters');
    const page = readPage(parameters, MAX_LIMIT.contacts, maxSkip(c));
    const selection = this.select(c, 'contacts', { sort: NEWEST_FIRST, values: [], times: [] });
    const make = (index: number): JsonObject => world.record('contacts', index);
    return pageBody(selection, page, make, parameters);
  }

  opportunities(c: ApiContext): PageBody {
    const { world, maxSkip } = this.account;
    const parameters = c.get('parameters');
    const page = readPage(parameters, MAX_LIMIT.opportunities, maxSkip(c));
    const sort = readSort(parameters, OPPORTUNITY_SORTS, LAST_CHANGED_FIRST);
    const make = (index: number): JsonObject => world.record('opportunities', index);
    const selection = this.select(c, 'opportunities', {
      sort,
      values: ['user_id', 'status_id', 'status_type', 'status_label', 'value_period'],
      times: ['date_won'],
    });
    const signature = `${c.get('role')} ${parameters.signature(PAGING)}`;
    const totals = this.totals.get(signature, world.data.tables.opportunities.version, () =>
      opportunityTotals(selection, make),
    );
    return { ...pageBody(selection, page, make, parameters), ...totals };
  }

  /** Without `_type` only tasks of type `lead` are listed (Close docs, tasks, read 2026-11). */
  tasks(c: ApiContext): PageBody {
    const { world, maxSkip } = this.account;
    const parameters = c.get('parameters');
    const page = readPage(parameters, MAX_LIMIT.tasks, maxSkip(c));
    const sort = readSort(parameters, TASK_SORTS, NEWEST_FIRST);
    const make = (index: number): JsonObject => world.record('tasks', index);
    const types = parameters.list('_type__in') ?? parameters.list('_type') ?? ['lead'];
    const isAnyType = types.includes('all');
    const isComplete = parameters.flag('is_complete');
    const selection = this.select(c, 'tasks', {
      sort,
      values: ['assigned_to', 'view', 'id'],
      times: ['date', 'due_date'],
      isWanted: (index) => {
        if (!isAnyType && !types.includes(taskType(world.data, index))) return false;
        return isComplete === undefined || world.data.isTaskComplete(index) === isComplete;
      },
    });
    const body = pageBody(selection, page, make, parameters);
    return { ...body, total_results: selection.total };
  }

  /** A plain range of the sorted time is taken as it is; anything else is worked out and kept. */
  private select(c: ApiContext, name: ChildTable, choice: Choice): Selection {
    const { tables } = this.account.world.data;
    const parameters = c.get('parameters');
    const reader = this.account.rights.reader(c);
    const table = tables[name];
    const { sort } = choice;
    const hasDates = name !== 'contacts';
    const created = hasDates ? readTimeRange(parameters, 'date_created') : allTime;
    const updated = hasDates ? readTimeRange(parameters, 'date_updated') : allTime;
    const isByUpdated = sort.name === 'date_updated';
    const isByTime = isByUpdated || sort.name === 'date_created';
    const other = isByUpdated ? created : updated;
    const order = table.order(isByUpdated ? 'updated' : 'created');
    const inRange = selectRange(order, isByUpdated ? updated : created, sort.isDescending);
    const leadId = parameters.text('lead_id');
    const test = this.recordTest(name, parameters, choice);
    const isPlain = other.from === allTime.from && other.to === allTime.to && leadId === undefined;
    const isUnasked = test === undefined && choice.isWanted === undefined;
    if (isPlain && isByTime && reader.seesAll && isUnasked) return inRange;
    const lead = leadId === undefined ? undefined : tables.leads.find(leadId);
    const signature = `${name} ${c.get('role')} ${parameters.signature(PAGING)}`;
    const matches = this.workedOut.get(signature, table.version, () => {
      const found = inRange.take({ skip: 0, limit: inRange.total }).filter((index) => {
        const time = isByUpdated ? table.createdAt(index) : table.updatedAt(index);
        if (!isWithin(other, time)) return false;
        if (leadId !== undefined && table.leadOf(index) !== lead) return false;
        if (!reader.seesAll && !reader.lead(tables.leads.ids.encode(table.leadOf(index)))) {
          return false;
        }
        return choice.isWanted?.(index) !== false && test?.(index) !== false;
      });
      return isByTime ? found : this.sorted(name, found, sort);
    });
    return selectList(matches);
  }

  /** What only the record itself can answer; undefined where nothing like that is asked. */
  private recordTest(
    name: ChildTable,
    parameters: Parameters,
    choice: Choice,
  ): ((index: number) => boolean) | undefined {
    const values = choice.values.filter(
      (field) => parameters.has(field) || parameters.has(`${field}__in`),
    );
    const times = choice.times
      .map((field) => ({ field, range: readTimeRange(parameters, field) }))
      .filter(({ range }) => range.from !== allTime.from || range.to !== allTime.to);
    if (values.length === 0 && times.length === 0) return undefined;
    return (index) => {
      const record = this.account.world.record(name, index);
      const isTimely = times.every(({ field, range }) => {
        const time = parseTime(textOf(record[field]), parameters.offsetHours);
        return time !== undefined && isWithin(range, time.micros);
      });
      return isTimely && hasValues(parameters, record, values);
    };
  }

  private sorted(name: ChildTable, indexes: readonly number[], sort: SortKey): number[] {
    const keys = new Map(
      indexes.map((index) => [index, this.account.world.record(name, index)[sort.name] ?? null]),
    );
    const sign = sort.isDescending ? -1 : 1;
    return [...indexes].sort((one, other) => {
      const [key, against] = [keys.get(one) ?? null, keys.get(other) ?? null];
      if (key === against) return 0;
      if (key === null || against === null) return key === null ? 1 : -1;
      return key < against ? -sign : sign;
    });
  }
}

/** How a list is sorted and what can be asked of it. */
interface Choice {
  readonly sort: SortKey;
  /** Fields that are compared with a parameter of their name, or `<name>__in`. */
  readonly values: readonly string[];
  /** Fields of time beside the two that all have, as `<name>__gte`. */
  readonly times: readonly string[];
  readonly isWanted?: (index: number) => boolean;
}

function hasValues(parameters: Parameters, record: JsonObject, names: readonly string[]): boolean {
  return names.every((name) => {
    const wanted = parameters.list(`${name}__in`) ?? parameters.list(name);
    return !wanted || wanted.includes(textOf(record[name]));
  });
}

const PERIODS = ['one_time', 'monthly', 'annual'] as const;

function opportunityTotals(selection: Selection, make: (index: number) => JsonObject): JsonObject {
  const counts: JsonObject = {};
  const sums: Record<string, number> = { total_value_annualized: 0, expected_value_annualized: 0 };
  for (const period of PERIODS) {
    sums[`total_value_${period}`] = 0;
    sums[`expected_value_${period}`] = 0;
  }
  const add = (name: string, value: Json | undefined): void => {
    if (typeof value === 'number') sums[name] = (sums[name] ?? 0) + value;
  };
  // One by one: all of a large account's would take more memory than the rest of the sandbox.
  for (const index of selection.take({ skip: 0, limit: selection.total })) {
    const record = make(index);
    const period = textOf(record.value_period);
    const count = counts[period];
    counts[period] = (typeof count === 'number' ? count : 0) + 1;
    add(`total_value_${period}`, record.value);
    add(`expected_value_${period}`, record.expected_value);
    add('total_value_annualized', record.annualized_value);
    add('expected_value_annualized', record.annualized_expected_value);
  }
  const totals: JsonObject = { total_results: selection.total, count_by_value_period: counts };
  for (const [name, sum] of Object.entries(sums)) {
    totals[name] = sum;
    totals[`${name}_formatted`] = sum === 0 ? null : formatMoney(sum);
  }
  return totals;
}
