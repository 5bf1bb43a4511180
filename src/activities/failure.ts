import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { ClosehaulError } from '../errors.js';

/**
 * The only place where our errors become Temporal's. The type is the code of the catalogue, the
 * first line says what was wrong and what to do, and nothing else goes along but the stream's
 * name: no cause, since it is kept in a history that many people may read.
 */
export function toFailure(error: unknown, stream?: string): Error {
  const details = stream === undefined ? [] : [stream];
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  if (error instanceof ClosehaulError) {
    return ApplicationFailure.create({
      type: error.code,
      message: `${error.message} ${error.next}`,
      nonRetryable: error.recovery !== 'retry',
      details,
      ...(error.retryAfterMs !== undefined && { nextRetryDelay: error.retryAfterMs }),
    });
  }
  // An error that nobody expected may hold anything in its text, so only its kind and place go on.
  const kind = error instanceof Error ? error.constructor.name : typeof error;
  const failure = ApplicationFailure.create({
    type: 'BUG',
    message: `Closehaul met an unexpected ${kind}. It is tried again; please report it with this stack.`,
    nonRetryable: false,
    details,
  });
  if (error instanceof Error) failure.stack = framesOf(error);
  return failure;
}

function framesOf(error: Error): string {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [error.constructor.name, ...frames].join('\n');
}

/** Wraps an activity so that whatever it throws is of the catalogue. */
export function withFailures<Input, Output>(
  activity: (input: Input) => Promise<Output>,
): (input: Input) => Promise<Output> {
  return async (input) => {
    try {
      return await activity(input);
    } catch (error) {
      const { cancellationSignal } = Context.current();
      // Whatever a cancelled request or query complains of, it was asked to stop.
      if (cancellationSignal.aborted) throw cancellationSignal.reason;
      throw toFailure(error);
    }
  };
}
