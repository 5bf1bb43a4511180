import { ExactNumber, isJsonRecord, type JsonRecord, type JsonValue } from './record.js';
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
  const parts: string[] = [];
  const stack: Step[] = [{ value }];
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    if ('text' in step) parts.push(step.text);
    else if (Array.isArray(step.value)) pushArray(stack, step.value as readonly JsonValue[]);
    else if (isJsonRecord(step.value)) pushObject(stack, step.value);
    else parts.push(scalarText(step.value));
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

function pushObject(stack: Step[], object: JsonRecord): void {
  const keys = Object.keys(object).sort();
  stack.push({ text: '}' });
  for (let index = keys.length - 1; index >= 0; index -= 1) {
    const key = keys[index] as string;
    stack.push({ value: object[key] as JsonValue });
    const comma = index > 0 ? ',' : '';
    stack.push({ text: `${comma}${JSON.stringify(storableText(key))}:` });
  }
  stack.push({ text: '{' });
}

function scalarText(value: JsonValue): string {
  if (typeof value === 'string') return JSON.stringify(storableText(value));
  if (!(value instanceof ExactNumber)) return JSON.stringify(value);
  // jsonb keeps numbers as `numeric`; what is beyond that stays readable as a text.
  const isText = classify([], value)?.type === 'text';
  return isText ? JSON.stringify(value.text) : value.text;
}
