import type {
  OpenInput,
  OpenResult,
  RebuildTask,
  RunInput,
  RunResult,
  SearchAttributeName,
  SliceRef,
  SlicesProgress,
  SwapResult,
} from '../contract.js';
import { ClosehaulError } from '../errors.js';
import type { ActivityDeps } from './deps.js';
import { withFailures } from './failure.js';
import { openConnection } from './open-connection.js';
import { dropReplaced, openRebuild, swapRebuild } from './rebuild.js';
import { beginRun, endRun, type EndRunInput } from './runs.js';
import { readSearchAttributes } from './search-attributes.js';
import { syncSlices } from './sync-slice.js';

/** What workflows may call; they see only this type, never the code behind it. */
export interface Activities {
  readSearchAttributes(): Promise<readonly SearchAttributeName[]>;
  openConnection(input: OpenInput): Promise<OpenResult>;
  beginRun(input: RunInput): Promise<{ slices: readonly SliceRef[] }>;
  syncSlices(refs: readonly SliceRef[]): Promise<SlicesProgress>;
  endRun(input: EndRunInput): Promise<RunResult>;
  openRebuild(task: RebuildTask): Promise<void>;
  swapRebuild(schema: string): Promise<SwapResult>;
  dropReplaced(schema: string): Promise<readonly string[]>;
}

export function createActivities(deps: ActivityDeps): Activities {
  const made = <Input, Output>(
    activity: (input: Input, deps: ActivityDeps) => Promise<Output>,
  ): ((input: Input) => Promise<Output>) =>
    withFailures(async (input) => {
      try {
        return await activity(input, deps);
      } catch (error) {
        // Another worker put new tables in the place of those that this one remembers.
        if (error instanceof ClosehaulError && error.code === 'WAREHOUSE_REBUILT') deps.forget();
        throw error;
      }
    });
  return {
    readSearchAttributes,
    openConnection: made(openConnection),
    beginRun: made(beginRun),
    syncSlices: made(syncSlices),
    endRun: made(endRun),
    openRebuild: made(openRebuild),
    swapRebuild: made(swapRebuild),
    dropReplaced: made(dropReplaced),
  };
}
