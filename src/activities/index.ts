import type {
  OpenInput,
  OpenResult,
  RunInput,
  RunResult,
  SliceRef,
  SlicesProgress,
} from '../contract.js';
import type { ActivityDeps } from './deps.js';
import { withFailures } from './failure.js';
import { openConnection } from './open-connection.js';
import { beginRun, endRun, type EndRunInput } from './runs.js';
import { syncSlices } from './sync-slice.js';

/** What workflows may call; they see only this type, never the code behind it. */
export interface Activities {
  openConnection(input: OpenInput): Promise<OpenResult>;
  beginRun(input: RunInput): Promise<{ slices: readonly SliceRef[] }>;
  syncSlices(refs: readonly SliceRef[]): Promise<SlicesProgress>;
  endRun(input: EndRunInput): Promise<RunResult>;
}

export function createActivities(deps: ActivityDeps): Activities {
  return {
    openConnection: withFailures((input: OpenInput) => openConnection(input, deps)),
    beginRun: withFailures((input: RunInput) => beginRun(input, deps)),
    syncSlices: withFailures((refs: readonly SliceRef[]) => syncSlices(refs, deps)),
    endRun: withFailures((input: EndRunInput) => endRun(input, deps)),
  };
}
