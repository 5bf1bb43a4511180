/** What handlers get with each request, and how they answer. */
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { JsonObject } from '../json.js';
import type { World } from '../world/world.js';
import type { Alteration } from './answer.js';
import { noSuch } from './api-error.js';
import { pickFields, type Parameters } from './listing.js';
import type { Rights, Role } from './rights.js';

export interface Env {
  Bindings: HttpBindings;
  Variables: {
    /** Method and pattern, as `GET /lead/{id}/`; undefined where nothing answers. */
    endpoint: string | undefined;
    /** The key that the caller gave; set once it is found good. */
    key: string;
    /** Whose rights the key has. */
    role: Role;
    parameters: Parameters;
    /** The body, where it goes to the socket as it is; see `sent` in `middleware.ts`. */
    bytes: Buffer | undefined;
    /** What faults make of the answer, of the page and of the parameters. */
    alterations: readonly Alteration[] | undefined;
    extraRows: number | undefined;
    ignored: readonly string[] | undefined;
    /** How many records the answer holds, when it is a list. */
    recordCount: number | undefined;
  };
}
export type ApiContext = Context<Env>;

/** What all routes answer from. */
export interface Account {
  readonly world: World;
  /** The largest `_skip` of the list that is asked. */
  readonly maxSkip: (c: ApiContext) => number;
  readonly rights: Rights;
  readonly lag: Lag;
}

/** How long after it happened a change shows, where a fault delays that; else 0. */
export interface Lag {
  /** Event by event another time, so that they show in another order than they happened. */
  readonly eventMs: (number: number) => number;
  readonly searchMs: () => number;
}

export const JSON_TYPE = { 'content-type': 'application/json' };

export function answerList(c: ApiContext, body: JsonObject & { data: unknown[] }): Response {
  c.set('recordCount', body.data.length);
  return answerJson(c, body);
}

/** One record, cut down to `_fields`; `kind` is Close's name of the model, for a 404. */
export function answerItem(c: ApiContext, record: JsonObject | undefined, kind: string): Response {
  if (!record) throw noSuch(kind);
  const fields = c.get('parameters').list('_fields');
  return answerJson(c, fields ? pickFields(record, fields) : record);
}

function answerJson(c: ApiContext, body: JsonObject): Response {
  c.set('bytes', Buffer.from(JSON.stringify(body)));
  return c.body(null, 200, JSON_TYPE);
}
