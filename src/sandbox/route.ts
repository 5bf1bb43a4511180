/** How an endpoint is described. A new one is a `Route` in a list; see `routes.ts`. */
import type { JsonObject } from './json.js';
import type { Parameters } from './parameters.js';
import type { World } from './world.js';

export interface RouteRequest {
  readonly world: World;
  readonly parameters: Parameters;
  /** What stood in the place of `{id}` in the pattern; empty when it has none. */
  readonly id: string;
  /** The request's JSON body, when it had one. */
  readonly body: JsonObject | undefined;
  readonly maxSkip: number;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/api/v1`, as `/lead/{id}/`. Requests to one pattern share a rate limit. */
  readonly pattern: string;
  answer(request: RouteRequest): JsonObject;
}
