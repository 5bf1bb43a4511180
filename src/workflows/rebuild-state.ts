import type { RebuildAnswer, RebuildStatus, SwapResult } from '../contract.js';
import { isLayout } from '../core/layout.js';
import { REBUILD_BYTES_MAX, replacedSchema } from '../core/naming.js';
import type { ConnectionState } from './connection-state.js';

/**
 * A rebuild, from the request to the end of the old tables; plain data, as all of the state.
 *
 *   queued → running → swapping → done        incomplete: tried again later, or when resumed
 */
export interface RebuildState extends RebuildStatus {
  /** Before then it is not worth trying again, in milliseconds since 1970; null: at once. */
  readonly retryAtMs: number | null;
  /** Whether tables that were replaced are still to be dropped. */
  readonly hasOldTables: boolean;
}

/** Asks for a rebuild. While one is under way, the same request finds it. Never throws. */
export function requestRebuild(
  state: ConnectionState,
  input: unknown,
): RebuildAnswer | { readonly reason: string } {
  const request = input ?? {};
  if (typeof request !== 'object' || Array.isArray(request)) {
    return { reason: 'It must be an object with "layout", or nothing.' };
  }
  const { layout, ...others } = request as Record<string, unknown>;
  if (Object.keys(others).length > 0) return { reason: 'It has fields other than layout.' };
  if (layout !== undefined && layout !== null && !isLayout(layout)) {
    return { reason: 'There is no such layout; use stitch, stitch-v2 or jsonb.' };
  }
  const { open, rebuild } = state;
  if (open === null) return { reason: 'The connection is not open yet; ask again once it is.' };
  if (open.schema.length > REBUILD_BYTES_MAX) {
    return {
      reason: `The schema name is longer than ${REBUILD_BYTES_MAX} characters, so there can be none beside it.`,
    };
  }
  const underWay = rebuild !== null && rebuild.status !== 'done' ? rebuild : null;
  const wanted = layout ?? underWay?.layout ?? open.layout;
  if (underWay !== null && underWay.status !== 'incomplete' && underWay.layout !== wanted) {
    return { reason: `A rebuild to layout ${underWay.layout} is under way; ask again after it.` };
  }
  if (underWay?.layout === wanted) {
    retryRebuild(state);
  } else {
    const hasOldTables = rebuild?.hasOldTables ?? false;
    state.rebuild = { ...newRebuild(wanted), hasOldTables };
  }
  state.revision += 1;
  return { status: state.rebuild?.status ?? 'queued' };
}

export function newRebuild(layout: string): RebuildState {
  return {
    ...{ layout, status: 'queued', records: 0, problem: null },
    ...{ retryAtMs: null, hasOldTables: false },
  };
}

/** Whatever it waits for, it is tried now. */
export function retryRebuild(state: ConnectionState): void {
  const { rebuild } = state;
  if (rebuild === null) return;
  const status = rebuild.status === 'incomplete' ? 'queued' : rebuild.status;
  state.rebuild = { ...rebuild, status, retryAtMs: null };
}

export function changeRebuild(state: ConnectionState, change: Partial<RebuildState>): void {
  if (state.rebuild !== null) state.rebuild = { ...state.rebuild, ...change };
  state.revision += 1;
}

/** From when on there is something to do for it, in milliseconds since 1970; undefined for nothing. */
export function rebuildDueMs(state: ConnectionState): number | undefined {
  const { rebuild } = state;
  if (rebuild === null || (rebuild.status === 'done' && !rebuild.hasOldTables)) return undefined;
  return rebuild.retryAtMs ?? 0;
}

/** The new tables are the connection's now. */
export function adoptTables(state: ConnectionState, swap: SwapResult): void {
  const { rebuild, open } = state;
  if (rebuild === null || open === null) return;
  state.open = { ...open, layout: rebuild.layout, rebuildLayout: null };
  state.historical = 'done';
  state.historyProblems = {};
  state.streams = state.streams.map((stream) => {
    const count = swap.streams.find(({ name }) => name === stream.name);
    return count === undefined ? stream : { ...stream, ...count, status: 'Up to date' };
  });
  changeRebuild(state, {
    status: 'done',
    retryAtMs: null,
    ...keptFor(open.schema, swap.left),
    hasOldTables: swap.left.length === 0,
  });
  // At once: what changed since the first page of the new tables.
  state.isSyncAsked = true;
}

/** What keeps the old tables, and what to do about it. */
export function keptFor(schema: string, left: readonly string[]): { problem: string | null } {
  const replaced = replacedSchema(schema);
  return {
    problem:
      left.length === 0
        ? null
        : `The old tables stay in schema ${replaced}, since these still belong to them: ${left.join(', ')}. Make each anew on schema ${schema}, then DROP SCHEMA ${replaced} CASCADE.`,
  };
}
