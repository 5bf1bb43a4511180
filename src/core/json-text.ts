import {
  DeclaredText,
  ExactNumber,
  isJsonRecord,
  type JsonRecord,
  type JsonValue,
} from './record.js';
import { classify, storableText } from './typing.js';

/**
 * The JSON text of a value, for a `jsonb` column: equal values have equal texts, whatever the order
 * of their keys, and no number loses a digit.
 *
 *   { b: [4.0], a: 'x' }   →   {"a":"x","b":[4.0]}
 *
 * Keeps its own stack: JSON.stringify overflows the call stack at some 5,000 levels, and one such
 * record would stop its stream for ever.
 */
export function jsonText(value: JsonValue): string {
  return write(value, STORABLE);
}

/**
 * The JSON text of a record as Close sent it, for people and for another try: numbers digit by
 * digit, and what PostgreSQL's text cannot hold (NUL, half a surrogate pair) as its escape.
 */
export function exactJsonText(value: JsonValue): string {
  return write(value, EXACT);
}

/** How an object's field names and a scalar are written. */
interface Style {
  readonly names: (keys: readonly string[]) => readonly string[];
  readonly scalar: (value: JsonValue) => string;
}

const STORABLE: Style = {
  names: storableNames,
  scalar(value) {
    if (value instanceof DeclaredText) return JSON.stringify(storableText(value.text));
    if (typeof value === 'string') return JSON.stringify(storableText(value));
    if (!(value instanceof ExactNumber)) return JSON.stringify(value);
    // jsonb keeps numbers as `numeric`; what is beyond that stays readable as a text.
    const isText = classify([], value)?.type === 'text';
    return isText ? JSON.stringify(value.text) : value.text;
  },
};

const EXACT: Style = {
  names: (keys) => keys,
  scalar: (value) => (value instanceof ExactNumber ? value.text : JSON.stringify(value)),
};

function write(value: JsonValue, style: Style): string {
  const parts: string[] = [];
  const stack: Step[] = [{ value }];
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    if ('text' in step) parts.push(step.text);
    else if (Array.isArray(step.value)) pushArray(stack, step.value as readonly JsonValue[]);
    else if (isJsonRecord(step.value)) pushObject(stack, step.value, style);
    else parts.push(style.scalar(step.value));
  }
  return parts.join('');
}

type Step = { readonly text: string } | { readonly value: JsonValue };

// The stack gives back the last one first, so all is put on it from the end.

function pushArray(stack: Step[], elements: readonly JsonValue[]): void {
  stack.push({ text: ']' });
  for (let index = elements.length - 1; index >= 0; index -= 1) {
    stack.push({ value: elements[index] as JsonValue });
    if (index > 0) stack.push({ text: ',' });
  }
  stack.push({ text: '[' });
}

function pushObject(stack: Step[], object: JsonRecord, style: Style): void {
  const keys = Object.keys(object).sort();
  const names = style.names(keys);
  stack.push({ text: '}' });
  for (let index = keys.length - 1; index >= 0; index -= 1) {
    const key = keys[index] as string;
    stack.push({ value: object[key] as JsonValue });
    stack.push({ text: `${index > 0 ? ',' : ''}${JSON.stringify(names[index])}:` });
  }
  stack.push({ text: '{' });
}

/** Two keys that would become one, of which `jsonb` keeps the last value only, stay two. */
function storableNames(keys: readonly string[]): readonly string[] {
  const names = keys.map(storableText);
  const taken = new Set(keys);
  return names.map((name, index) => {
    if (name === keys[index]) return name;
    let free = name;
    while (taken.has(free)) free += '\uFFFD';
    taken.add(free);
    return free;
  });
}
