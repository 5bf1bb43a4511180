import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import { ERRORS, type ErrorCode, type Recovery } from '../errors.js';

export interface Failure {
  readonly message: string;
  /** Code of the catalogue. */
  readonly type: string;
  /** The stream that failed; null when it was none of them. */
  readonly stream: string | null;
}

/** The failure of ours inside whatever Temporal wrapped around it. */
export function failureOf(error: unknown): Failure {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ApplicationFailure) {
      const [stream] = (cause.details ?? []) as readonly unknown[];
      return {
        message: cause.message,
        type: cause.type ?? 'BUG',
        stream: typeof stream === 'string' ? stream : null,
      };
    }
  }
  const message = error instanceof ActivityFailure ? 'The activity did not answer in time.' : '';
  return {
    message: message === '' ? 'Something unexpected failed.' : message,
    type: 'BUG',
    stream: null,
  };
}

export function recoveryOf(error: unknown): Recovery {
  const { type } = failureOf(error);
  return Object.hasOwn(ERRORS, type) ? ERRORS[type as ErrorCode].recovery : 'bug';
}
