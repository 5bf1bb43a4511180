import { ApplicationFailure } from '@temporalio/workflow';
import type { ConnectionInput } from '../contract.js';
import { checkConnection } from '../core/connection-request.js';
import { instantFromMillis } from '../core/instant.js';
import { ERRORS } from '../errors.js';
import { newState, type ConnectionState } from './connection-state.js';

/** What `closeConnection` gets: an operator's input or, after continue-as-new, all that it knew. */
export type EntityInput = ConnectionInput | string | { readonly carried: ConnectionState };

const KNOWN_FIELDS = ['name', 'startDate', 'every', 'anchor', 'streams', 'layout'] as const;

/** Ends the workflow at once, with a sentence that names what is wrong. */
export function invalidInput(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, 'InvalidInput');
}

/** Throws InvalidInput, or the catalogue's code for a value that cannot be used. */
export function startState(input: EntityInput): ConnectionState {
  if (typeof input === 'object' && input !== null && 'carried' in input) return input.carried;
  const request = typeof input === 'string' ? { name: input } : input;
  if (typeof request !== 'object' || request === null || typeof request.name !== 'string') {
    throw invalidInput('The input needs a "name", such as {"name":"Stitch Closeio"}.');
  }
  const unknown = Object.keys(request).some(
    (field) => !KNOWN_FIELDS.some((name) => name === field),
  );
  if (unknown)
    throw invalidInput(`The input has unknown fields; known are ${KNOWN_FIELDS.join(', ')}.`);
  const fields: Readonly<Record<string, unknown>> = { ...request };
  for (const field of ['startDate', 'every', 'anchor', 'layout']) {
    const value = fields[field];
    if (value !== undefined && typeof value !== 'string')
      throw invalidInput(`"${field}" must be a text.`);
  }
  const streams: unknown = request.streams;
  if (
    streams !== undefined &&
    !(Array.isArray(streams) && streams.every((name) => typeof name === 'string'))
  ) {
    throw invalidInput('"streams" must be a list of stream names.');
  }
  const checked = checkConnection(request, instantFromMillis(Date.now()));
  if ('problem' in checked) {
    const { message, next } = ERRORS[checked.problem];
    throw ApplicationFailure.nonRetryable(`${message} ${next}`, checked.problem);
  }
  return newState(checked.connection, request.startDate !== undefined, Date.now());
}
