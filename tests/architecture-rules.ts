import { factsOf, type Facts, type Import } from './architecture-facts.js';

/**
 * The rules of the house, as ARCHITECTURE.md tells them. Each looks at one file of `src` and says
 * what is wrong with it; a rule that breaks is a question to ask, not a list to add a name to.
 */
export interface Rule {
  readonly name: string;
  /** One file that keeps the rule and one that breaks it: so that the rule is seen to work. */
  readonly good: Sample;
  readonly bad: Sample;
  readonly problems: (facts: Facts) => readonly string[];
}

export type Sample = readonly [path: string, text: string];

const isIn = (...folders: readonly string[]): ((path: string) => boolean) => {
  return (path) => folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
};
const isLocal = (path: string): boolean => path.startsWith('src/');
const isErrors = isIn('src/errors.ts', 'src/errors');
const isTemporal = (target: string): boolean => target.startsWith('@temporalio/');

/** What files in `folders` may import; everything else is a problem. */
function importsOnly(
  folders: readonly string[],
  may: (imported: Import) => boolean,
): Rule['problems'] {
  return ({ path, imports }) =>
    isIn(...folders)(path)
      ? imports.filter((each) => !may(each)).map(({ target }) => `imports ${target}`)
      : [];
}

/** Uses of these names in files where they are not allowed. */
function usesNone(
  names: readonly string[],
  isForbiddenIn: (path: string) => boolean,
): Rule['problems'] {
  return ({ path, uses }) =>
    isForbiddenIn(path) ? names.filter((name) => uses.has(name)).map((name) => `uses ${name}`) : [];
}

const IMPURE = [
  ...['Date.now', 'new Date()', 'performance', 'performance.now', 'Math.random', 'crypto'],
  ...['process', 'fetch', 'console', 'globalThis', 'setTimeout', 'setInterval', 'setImmediate'],
  ...['queueMicrotask', 'Buffer', 'require', 'Intl'],
];
const SQL = /^\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|TRUNCATE|GRANT|REVOKE|COPY)\s/;
const FAILURE_MAKERS = ['create', 'nonRetryable', 'retryable', 'fromError'];

/** Names of the streams and their tables, as the one list of streams has them. */
const STREAM_NAMES: ReadonlySet<string> = new Set(
  [...factsOf('src/close/streams.ts').text.matchAll(/^ {4}name: '(\w+)',$/gm)].map(
    ([, name = '']) => name,
  ),
);

const IMPORT_RULES: readonly Rule[] = [
  {
    name: 'src/core imports only src/core',
    good: ['src/core/a.ts', "import { b } from './b.js';"],
    bad: ['src/core/a.ts', "import { readFileSync } from 'node:fs';"],
    problems: importsOnly(['src/core'], ({ target }) => isIn('src/core')(target)),
  },
  {
    name: 'src/close imports src/core, errors and libraries: never src/postgres, never Temporal',
    good: ['src/close/a.ts', "import axios from 'axios'; import { b } from '../errors.js';"],
    bad: ['src/close/a.ts', "import type { Pool } from '../postgres/pool.js';"],
    problems: importsOnly(['src/close'], ({ target }) =>
      isLocal(target)
        ? isIn('src/close', 'src/core')(target) || isErrors(target)
        : !isTemporal(target),
    ),
  },
  {
    name: 'src/postgres imports src/core, errors and libraries: never src/close, never Temporal',
    good: ['src/postgres/a.ts', "import pg from 'pg'; import { b } from '../core/b.js';"],
    bad: ['src/postgres/a.ts', "import { log } from '@temporalio/activity';"],
    problems: importsOnly(['src/postgres'], ({ target }) =>
      isLocal(target)
        ? isIn('src/postgres', 'src/core')(target) || isErrors(target)
        : !isTemporal(target),
    ),
  },
  {
    name: 'src/local imports, of ours, only errors',
    good: ['src/local/a.ts', "import { spawn } from 'node:child_process';"],
    bad: ['src/local/a.ts', "import { b } from '../postgres/pool.js';"],
    problems: importsOnly(
      ['src/local'],
      ({ target }) => !isLocal(target) || isIn('src/local')(target) || isErrors(target),
    ),
  },
  {
    name: 'src/sandbox is a program of its own: of ours it imports only itself',
    good: ['src/sandbox/a.ts', "import { Hono } from 'hono'; import { b } from './b.js';"],
    bad: ['src/sandbox/a.ts', "import { parseInstant } from '../core/instant.js';"],
    problems: importsOnly(
      ['src/sandbox'],
      ({ target }) => !isLocal(target) || isIn('src/sandbox')(target),
    ),
  },
  {
    name: 'src/workflows imports what may run in a workflow: core, contract, errors; activities as types',
    good: [
      'src/workflows/a.ts',
      "import { sleep } from '@temporalio/workflow'; import type { A } from '../activities/index.js';",
    ],
    bad: ['src/workflows/a.ts', "import { createActivities } from '../activities/index.js';"],
    problems: importsOnly(['src/workflows'], ({ target, isTypeOnly }) => {
      if (['@temporalio/workflow', '@temporalio/common'].includes(target)) return true;
      if (isIn('src/workflows', 'src/core', 'src/contract.ts')(target) || isErrors(target))
        return true;
      return isTypeOnly && isIn('src/activities')(target);
    }),
  },
  {
    name: 'errors and contract are for everybody, and import nothing of the rest',
    good: ['src/errors.ts', "import { A } from './errors/a.js';"],
    bad: ['src/contract.ts', "import type { Instant } from './core/instant.js';"],
    problems: ({ path, imports }) =>
      (isErrors(path) ? imports.filter(({ target }) => !isErrors(target)) : [])
        .concat(path === 'src/contract.ts' ? imports : [])
        .map(({ target }) => `imports ${target}`),
  },
  {
    name: 'src/activities imports adapters and core: never workflows, commands, configuration',
    good: ['src/activities/a.ts', "import { b } from '../close/client.js';"],
    bad: ['src/activities/a.ts', "import { readConfig } from '../config.js';"],
    problems: importsOnly(['src/activities'], ({ target }) => {
      const may = isIn(
        'src/activities',
        'src/close',
        'src/postgres',
        'src/core',
        'src/contract.ts',
      );
      return !isLocal(target) || may(target) || isErrors(target);
    }),
  },
];

const CODE_RULES: readonly Rule[] = [
  {
    name: 'src/core has no clock, no randomness, no process, no network, no console',
    good: ['src/core/a.ts', 'export const a = (ms: number) => new Date(ms);'],
    bad: ['src/core/a.ts', 'export const a = () => new Date();'],
    problems: usesNone(IMPURE, isIn('src/core')),
  },
  {
    name: 'only src/config.ts reads the environment',
    good: ['src/config.ts', 'export const a = process.env;'],
    bad: ['src/worker.ts', "export const a = process.env['A'];"],
    problems: usesNone(['process.env'], (path) => path !== 'src/config.ts'),
  },
  {
    name: 'only src/postgres holds SQL',
    good: ['src/postgres/a.ts', "export const a = 'SELECT 1';"],
    bad: ['src/commands/a.ts', 'export const a = (b: string) => `\n  DELETE FROM ${b}`;'],
    problems: ({ path, texts }) =>
      isIn('src/postgres')(path)
        ? []
        : texts
            .filter((text) => SQL.test(text))
            .map((text) => `holds "${text.trim().slice(0, 40)}"`),
  },
  {
    name: 'only src/errors.ts defines errors (src/sandbox, a program of its own, aside)',
    good: ['src/errors.ts', 'export class A extends Error {}'],
    bad: ['src/close/a.ts', 'export class A extends TypeError {}'],
    problems: ({ path, errorClasses }) =>
      isErrors(path) || isIn('src/sandbox')(path)
        ? []
        : // Never leaves its file: it sends a transaction back to its beginning.
          errorClasses.filter((name) => name !== 'StaleNames').map((name) => `defines ${name}`),
  },
  {
    name: 'only src/activities/failure.ts and src/workflows make failures of Temporal',
    good: ['src/workflows/a.ts', "throw ApplicationFailure.nonRetryable('a');"],
    bad: ['src/activities/a.ts', "throw ApplicationFailure.create({ message: 'a' });"],
    problems: usesNone(
      ['new ApplicationFailure(…)', ...FAILURE_MAKERS.map((name) => `ApplicationFailure.${name}`)],
      (path) => !isIn('src/activities/failure.ts', 'src/workflows')(path),
    ),
  },
  {
    name: 'only src/close/streams.ts knows a stream by name (src/sandbox aside)',
    good: ['src/close/streams.ts', "export const a = 'leads';"],
    bad: ['src/workflows/a.ts', "export const a = (b: string) => b === 'leads';"],
    problems: ({ path, texts }) =>
      path === 'src/close/streams.ts' || isIn('src/sandbox')(path)
        ? []
        : texts.filter((text) => STREAM_NAMES.has(text)).map((text) => `names the stream ${text}`),
  },
];

const FILE_RULES: readonly Rule[] = [
  {
    name: 'nothing is exported without a name',
    good: ['src/a.ts', 'export const a = 1;'],
    bad: ['src/a.ts', 'export default function a() {}'],
    problems: ({ hasDefaultExport }) => (hasDefaultExport ? ['has a default export'] : []),
  },
  {
    name: 'a file is named for the one thing that it holds',
    good: ['src/core/naming.ts', ''],
    bad: ['src/core/string-utils.ts', ''],
    problems: ({ path }) => {
      const name = path.split('/').at(-1) ?? '';
      if (/(?:^|-)(?:utils?|helpers?|misc|common|shared|stuff)\.ts$/.test(name)) {
        return ['is named for nothing'];
      }
      return /^[a-z0-9]+(?:-[a-z0-9]+)*\.ts$/.test(name) ? [] : ['is not in kebab-case'];
    },
  },
  {
    name: 'only src/activities and src/workflows have an index.ts',
    good: ['src/workflows/index.ts', ''],
    bad: ['src/core/index.ts', ''],
    problems: ({ path }) =>
      path.endsWith('/index.ts') && !/^src\/(?:activities|workflows)\/index\.ts$/.test(path)
        ? ['hides what it passes on']
        : [],
  },
  {
    name: 'a file has 400 lines at most',
    good: ['src/a.ts', '//\n'.repeat(400)],
    bad: ['src/a.ts', '//\n'.repeat(401)],
    problems: ({ lines }) => (lines > 400 ? [`has ${lines} lines`] : []),
  },
];

export const RULES: readonly Rule[] = [...IMPORT_RULES, ...CODE_RULES, ...FILE_RULES];

/** The programs; what none of them reaches is dead. */
export const ENTRY_POINTS = [
  'src/cli.ts',
  'src/worker.ts',
  'src/workflows/index.ts',
  'src/workflows/payload-converter.ts',
  'src/sandbox/main.ts',
];

/** Files that no entry point leads to. */
export function unreachable(files: readonly Facts[], entries: readonly string[]): string[] {
  const byPath = new Map(files.map((facts) => [facts.path, facts]));
  const reached = new Set<string>();
  const open = [...entries];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    open.push(...(byPath.get(path)?.imports ?? []).map(({ target }) => target));
  }
  return files.map(({ path }) => path).filter((path) => !reached.has(path));
}

/** Folders of one machine, written so that this very line is none. */
const MACHINE_PATH = /(?<![\w.$}-])\/(?:wor[k]|roo[t]|hom[e]\/\w+|User[s]\/\w+)\//;
/** A host that packages come from: whoever installs has one of their own. */
const REGISTRY_HOST = /\/\/[\w.-]*(?:registry|artifactory|nexus|mirror|verdaccio)[\w-]*\.[\w.-]+/;

/** What a file that is kept must not say: where it was written. */
export function machineWords(text: string): string[] {
  const found = [MACHINE_PATH.exec(text)?.[0], REGISTRY_HOST.exec(text)?.[0]];
  return found.filter((word) => word !== undefined);
}
