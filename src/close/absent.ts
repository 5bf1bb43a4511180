import { ClosehaulError } from '../errors.js';

/** True when Close does not have the list or the record, or not for this key. */
export function isAbsent(error: unknown): error is ClosehaulError {
  return (
    error instanceof ClosehaulError &&
    (error.code === 'CLOSE_FORBIDDEN' || error.code === 'CLOSE_NOT_FOUND')
  );
}

/** True when Close does not understand what it was asked, or will not do it. */
export function isRefused(error: unknown): boolean {
  return error instanceof ClosehaulError && error.code === 'CLOSE_BAD_REQUEST';
}
