import type {
  OpenInput,
  OpenResult,
  RunInput,
  RunResult,
  SliceProgress,
  SliceRef,
} from '../contract.js';
import type { ActivityDeps } from './deps.js';
import { withFailures } from './failure.js';
import { openConnection } from './open-connection.js';
import { beginRun, endRun, type EndRunInput } from './runs.js';
import { syncSlice } from './sync-slice.js';

/** What workflows may call; they see only this type, never the code behind it. */
export interface Activities {
  openConnection(input: OpenInput): Promise<OpenResult>;
  beginRun(input: RunInput): Promise<{ slices: readonly SliceRef[] }>;
  syncSlice(ref: SliceRef): Promise<SliceProgress>;
  endRun(input: EndRunInput): Promise<RunResult>;
}

export function createActivities(deps: ActivityDeps): Activities {
  return {
    openConnection: withFailures((input: OpenInput) => openConnection(input, deps)),
    beginRun: withFailures((input: RunInput) => beginRun(input, deps)),
    syncSlice: withFailures((ref: SliceRef) => syncSlice(ref, deps)),
    endRun: withFailures((input: EndRunInput) => endRun(input, deps)),
  };
}
