import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import { ERRORS, type ErrorCode, type Recovery } from '../errors.js';

/** The failure of ours inside whatever Temporal wrapped around it. */
export function failureOf(error: unknown): { message: string; type: string } {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ApplicationFailure) {
      return { message: cause.message, type: cause.type ?? 'BUG' };
    }
  }
  const message = error instanceof ActivityFailure ? 'The activity did not answer in time.' : '';
  return { message: message === '' ? 'Something unexpected failed.' : message, type: 'BUG' };
}

export function recoveryOf(error: unknown): Recovery {
  const { type } = failureOf(error);
  return Object.hasOwn(ERRORS, type) ? ERRORS[type as ErrorCode].recovery : 'bug';
}
