/**
 * The query trees of `POST /data/search/` (Close docs, advanced filtering): read once, then asked of
 * each record. Times can be asked without making the record.
 */
import { textOf, type Json, type JsonObject } from '../json.js';
import { MICROS_PER_DAY, parseTime } from '../moment.js';
import { fieldError } from './api-error.js';
import { allTime, intersect, isWithin, type TimeRange } from './listing.js';

/** What a query asks a record; the record itself is made only where it must be. */
export interface Candidate {
  readonly id: string;
  readonly createdMicros: number;
  readonly updatedMicros: number;
  readonly record: () => JsonObject;
  /** Records of another type that hang together with this one. */
  readonly related: (objectType: string) => Candidate[];
}
export type Test = (candidate: Candidate) => boolean;

export interface SearchQuery {
  readonly objectType: string;
  readonly test: Test;
  /** Bounds that every match keeps, by time field: what need not be looked at. */
  readonly ranges: Readonly<Record<TimeFieldName, TimeRange>>;
  /** Whether the bounds are all that is asked. */
  readonly isOnlyRanges: boolean;
}
export type TimeFieldName = 'date_created' | 'date_updated';

export function isTimeField(name: string): name is TimeFieldName {
  return name === 'date_created' || name === 'date_updated';
}

interface Context {
  readonly nowMicros: number;
  readonly userId: string;
}

export function readQuery(value: Json | undefined, context: Context): SearchQuery {
  const query = objectAt(value, 'query');
  const found = { date_created: allTime, date_updated: allTime };
  const types = new Set<string>();
  const isOnlyRanges = collect(query, context, found, types);
  const [objectType] = types;
  if (objectType === undefined || types.size > 1) {
    throw fieldError('query', 'Exactly one object type must be specified.');
  }
  return { objectType, test: readTest(query, context), ranges: found, isOnlyRanges };
}

/** Reads what holds for all matches: the parts of the outermost `and`. */
function collect(
  query: JsonObject,
  context: Context,
  ranges: Record<TimeFieldName, TimeRange>,
  types: Set<string>,
): boolean {
  if (query.negate === true) return false;
  if (query.type === 'object_type') {
    types.add(textOf(query.object_type));
    return true;
  }
  if (query.type === 'match_all') return true;
  if (query.type === 'and') {
    const parts = listAt(query.queries, 'queries');
    return parts.map((part) => collect(part, context, ranges, types)).every(Boolean);
  }
  if (query.type !== 'field_condition') return false;
  const name = fieldName(objectAt(query.field, 'field'));
  const condition = objectAt(query.condition, 'condition');
  if (!isTimeField(name) || condition.type !== 'moment_range') return false;
  ranges[name] = intersect(ranges[name], momentRange(condition, context));
  return true;
}

function readTest(query: JsonObject, context: Context): Test {
  const test = plainTest(query, context);
  return query.negate === true ? (candidate) => !test(candidate) : test;
}

function plainTest(query: JsonObject, context: Context): Test {
  switch (textOf(query.type)) {
    case 'and':
    case 'or': {
      const tests = listAt(query.queries, 'queries').map((part) => readTest(part, context));
      return query.type === 'and'
        ? (candidate) => tests.every((test) => test(candidate))
        : (candidate) => tests.some((test) => test(candidate));
    }
    case 'object_type':
    case 'match_all':
      return () => true;
    case 'id':
      return ({ id }) => id === query.value;
    case 'text':
      return textTest(query, ({ record }) => JSON.stringify(record()));
    case 'has_related': {
      const type = textOf(query.related_object_type);
      const test = readTest(objectAt(query.related_query, 'related_query'), context);
      return ({ related }) => related(type).some(test);
    }
    case 'field_condition': {
      const field = objectAt(query.field, 'field');
      return conditionTest(fieldName(field), objectAt(query.condition, 'condition'), context);
    }
    default:
      throw fieldError('query', `Unknown query type: ${textOf(query.type)}`);
  }
}

/** The key of the record that a field stands for. */
export function fieldName(field: JsonObject): string {
  return field.type === 'custom_field'
    ? `custom.${textOf(field.custom_field_id)}`
    : textOf(field.field_name);
}

function valueOf(candidate: Candidate, name: string): Json | undefined {
  const record = candidate.record();
  if (!name.endsWith('_count')) return record[name];
  const list = record[name.slice(0, -'_count'.length)];
  return Array.isArray(list) ? list.length : record[name];
}

function conditionTest(name: string, condition: JsonObject, context: Context): Test {
  const values = (candidate: Candidate): Json[] => {
    const value = valueOf(candidate, name) ?? null;
    return Array.isArray(value) ? value : value === null ? [] : [value];
  };
  const isAmong = (wanted: readonly Json[]): Test => {
    const texts = new Set(wanted.map(textOf));
    return (candidate) => values(candidate).some((value) => texts.has(textOf(value)));
  };
  switch (textOf(condition.type)) {
    case 'boolean':
      return isAmong([condition.value ?? null]);
    case 'current_user':
      return isAmong([context.userId]);
    case 'exists':
      return (candidate) => values(candidate).length > 0;
    case 'text':
      return textTest(condition, (candidate) => values(candidate).map(textOf).join('\n'));
    case 'term':
      return isAmong(Array.isArray(condition.values) ? condition.values : []);
    case 'reference':
      return isAmong(Array.isArray(condition.object_ids) ? condition.object_ids : []);
    case 'number_range':
      return (candidate) =>
        values(candidate).some((value) => isInNumbers(Number(value), condition));
    case 'moment_range': {
      const range = momentRange(condition, context);
      return (candidate) => {
        const micros = momentOf(candidate, name);
        return micros !== undefined && isWithin(range, micros);
      };
    }
    default:
      throw fieldError('query', `Unknown condition type: ${textOf(condition.type)}`);
  }
}

function momentOf(candidate: Candidate, name: string): number | undefined {
  if (name === 'date_created') return candidate.createdMicros;
  if (name === 'date_updated') return candidate.updatedMicros;
  return parseTime(textOf(valueOf(candidate, name)))?.micros;
}

function isInNumbers(value: number, { gt, gte, lt, lte }: JsonObject): boolean {
  if (typeof gt === 'number' && !(value > gt)) return false;
  if (typeof gte === 'number' && !(value >= gte)) return false;
  if (typeof lt === 'number' && !(value < lt)) return false;
  return !(typeof lte === 'number' && !(value <= lte));
}

function textTest({ value, mode }: JsonObject, read: (candidate: Candidate) => string): Test {
  const wanted = textOf(value).toLowerCase();
  if (mode === 'phrase') return (candidate) => read(candidate).toLowerCase().includes(wanted);
  if (mode === 'exact_value') return (candidate) => read(candidate).toLowerCase() === wanted;
  const words = wanted.split(/\s+/).filter((word) => word !== '');
  return (candidate) => {
    const text = read(candidate).toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

/** Half-open: the app of Close writes `on_or_after` and `before`. */
function momentRange(condition: JsonObject, context: Context): TimeRange {
  const at = (key: string, extra: number, whenAbsent: number): number => {
    const value = condition[key] ?? null;
    return value === null ? whenAbsent : readMoment(objectAt(value, key), context) + extra;
  };
  return {
    from: Math.max(at('on_or_after', 0, allTime.from), at('after', 1, allTime.from)),
    to: Math.min(at('before', 0, allTime.to), at('on_or_before', 1, allTime.to)),
  };
}

function readMoment(moment: JsonObject, { nowMicros }: Context): number {
  if (moment.type === 'now') return nowMicros;
  const time = parseTime(textOf(moment.value));
  if (!time) throw fieldError('query', `Not a moment: ${textOf(moment.value)}`);
  if (moment.type === 'fixed_utc') return time.micros;
  if (moment.type !== 'fixed_local_date') {
    throw fieldError('query', `Unknown moment type: ${textOf(moment.type)}`);
  }
  return moment.which === 'end' ? time.micros + MICROS_PER_DAY : time.micros;
}

export function objectAt(value: Json | undefined, name: string): JsonObject {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value;
  throw fieldError(name, 'This field is required and must be an object.');
}

function listAt(value: Json | undefined, name: string): JsonObject[] {
  if (!Array.isArray(value)) throw fieldError(name, 'This field must be a list.');
  return value.map((one) => objectAt(one, name));
}
