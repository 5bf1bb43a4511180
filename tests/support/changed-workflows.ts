/** The workflows as a colleague might change them, for tests of what such a change does. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { bundleWorkflows } from './scripted-worker.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Edit {
  /** As `entity.ts`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** The bundle of the present workflows with some text replaced. Throws when it is not there. */
export async function bundleChanged(edits: readonly Edit[]): Promise<WorkflowBundleWithSourceMap> {
  const folder = mkdtempSync(join(tmpdir(), 'closehaul-changed-'));
  try {
    cpSync(join(ROOT, 'src'), join(folder, 'src'), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    for (const { file, find, replace } of edits) {
      const path = join(folder, 'src/workflows', file);
      const text = readFileSync(path, 'utf8');
      if (!text.includes(find)) throw new Error(`${file} has no "${find}" to change`);
      writeFileSync(path, text.replace(find, replace));
    }
    return await bundleWorkflows(join(folder, 'src/workflows/index.ts'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
