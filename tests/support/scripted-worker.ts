/** The real workflows on a real server, with activities that a test plays. */
import { fileURLToPath } from 'node:url';
import {
  bundleWorkflowCode,
  NativeConnection,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { TASK_QUEUE } from '../../src/contract.js';
import { createLog, installRuntime } from '../../src/log.js';
import { ACTIVATION_LIMIT } from '../../src/worker.js';
import type { ScriptedActivities } from './scripted-activities.js';

const WORKFLOWS = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
const CONVERTER = fileURLToPath(
  new URL('../../src/workflows/payload-converter.ts', import.meta.url),
);

export function bundleWorkflows(path = WORKFLOWS): Promise<WorkflowBundleWithSourceMap> {
  const silent = (): void => undefined;
  return bundleWorkflowCode({
    ...{ workflowsPath: path, payloadConverterPath: CONVERTER },
    logger: { ...console, log: silent, info: silent, trace: silent, debug: silent },
  });
}

export interface ScriptedServer {
  readonly address: string;
  readonly namespace: string;
}

/** Runs until `stop`. */
export async function scriptedWorker(
  { address, namespace }: ScriptedServer,
  workflowBundle: WorkflowBundleWithSourceMap,
  scripted: ScriptedActivities,
): Promise<{ readonly stop: () => Promise<void> }> {
  installRuntimeOnce();
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    ...{ connection, namespace, taskQueue: TASK_QUEUE },
    ...{ workflowBundle, activities: scripted.activities() },
    ...ACTIVATION_LIMIT,
  });
  const finished = worker.run();
  return {
    async stop() {
      worker.shutdown();
      await finished;
      await connection.close();
    },
  };
}

let hasRuntime = false;

function installRuntimeOnce(): void {
  if (!hasRuntime) installRuntime(createLog('silent'), undefined);
  hasRuntime = true;
}
