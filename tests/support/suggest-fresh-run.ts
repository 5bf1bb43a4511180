/**
 * The time-skipping server never says that a history is long. This plays what the real one says, at
 * a length that a test reaches; it is bundled into the workflow code of that test alone.
 */
import type { WorkflowInterceptors } from '@temporalio/workflow';
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';

const EVENTS_MAX = 400;

export const interceptors = (): WorkflowInterceptors => ({
  internals: [
    {
      activate(input, next) {
        getActivator().mutateWorkflowInfo((info) => ({
          ...info,
          continueAsNewSuggested: info.historyLength > EVENTS_MAX,
        }));
        next(input);
      },
    },
  ],
});
