/** A Temporal whose clock jumps over whatever time nothing happens in. */
import { fileURLToPath } from 'node:url';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { TASK_QUEUE } from '../../src/contract.js';
import { ensureTestServer } from '../../src/local/test-server.js';
import { createLog, installRuntime } from '../../src/log.js';
import type { ScriptedActivities } from './scripted-activities.js';
import { toolCacheFolder } from './tools.js';

const WORKFLOWS = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
const SUGGEST = fileURLToPath(new URL('./suggest-fresh-run.ts', import.meta.url));
/** The SDK waits five seconds for the server, which Java may need on a busy machine. */
const ATTEMPTS = 5;

export async function startTimeSkipping(): Promise<TestWorkflowEnvironment> {
  const path = await ensureTestServer({ cacheFolder: toolCacheFolder(), env: process.env });
  installRuntime(createLog('silent'), undefined);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const executable = { type: 'existing-path', path } as const;
      return await TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

/** The real workflows; their histories count as long after 400 events. */
export function timeSkippingWorkflows(): Promise<WorkflowBundleWithSourceMap> {
  const logger = { ...console, log: () => undefined, info: () => undefined };
  return bundleWorkflowCode({
    workflowsPath: WORKFLOWS,
    workflowInterceptorModules: [SUGGEST],
    logger: { ...logger, trace: () => undefined, debug: () => undefined },
  });
}

/** Runs until `stop`; one at a time, since they share the product's task queue. */
export async function timeSkippingWorker(
  environment: TestWorkflowEnvironment,
  workflowBundle: WorkflowBundleWithSourceMap,
  scripted: ScriptedActivities,
): Promise<{ stop: () => Promise<void> }> {
  const worker = await Worker.create({
    connection: environment.nativeConnection,
    taskQueue: TASK_QUEUE,
    ...{ workflowBundle, activities: scripted.activities() },
    interceptors: { workflowModules: [SUGGEST] },
  });
  const finished = worker.run();
  return {
    async stop() {
      worker.shutdown();
      await finished;
    },
  };
}
