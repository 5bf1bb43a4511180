import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { JsonObject } from '../json.js';

/** An answer other than 200, in the words of Close where a recording or the docs have them. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: ContentfulStatusCode,
    readonly body: JsonObject,
  ) {
    super(JSON.stringify(body));
  }
}

/** 400 in the form of a validation error (recorded answers, 2017). */
export function fieldError(field: string, message: string): ApiError {
  return new ApiError(400, { errors: [], 'field-errors': { [field]: message } });
}

/** 404 for an item (recorded answers, 2017); `kind` is Close's name of the model. */
export function noSuch(kind: string): ApiError {
  return new ApiError(404, { error: `Empty query: ${kind} matching query does not exist.` });
}

/** The body of a 401 (recorded answers, 2018), with its two spaces. */
export const UNAUTHORIZED = {
  error:
    'The server could not verify that you are authorized to access the URL requested.  ' +
    'You either supplied the wrong credentials (e.g. a bad password), or your browser ' +
    "doesn't understand how to supply the credentials required.",
};
