import { describe, expect, it } from 'vitest';
import { factsOf, filesIn, readProject } from './architecture-facts.js';
import { ENTRY_POINTS, machineWords, RULES, unreachable } from './architecture-rules.js';

const files = filesIn('src')
  .filter((path) => path.endsWith('.ts'))
  .map((path) => factsOf(path));

const named = RULES.map((rule) => [rule.name, rule] as const);

/** What is run from outside: the programs, and what bin and scripts take from the built ones. */
const entries = [
  ...ENTRY_POINTS,
  ...[...filesIn('bin'), ...filesIn('scripts')]
    .flatMap((path) => factsOf(path).imports.map(({ target }) => target))
    .map((target) => target.replace(/^dist\//, 'src/')),
];

describe('the house keeps its rules', () => {
  it.each(named)('%s', (name, { problems }) => {
    const broken = files.flatMap((facts) =>
      problems(facts).map((problem) => `${facts.path} ${problem}`),
    );

    expect(broken, `Rule: ${name}. ARCHITECTURE.md says where what belongs.`).toEqual([]);
  });

  it('every file of src is part of a program', () => {
    const dead = unreachable(files, entries);

    expect(dead, `Rule: each is reached from ${ENTRY_POINTS.join(', ')}, bin or scripts`).toEqual(
      [],
    );
  });

  it('no file says on which machine it was written', () => {
    const texts = filesIn('.').filter((path) => !/\.(?:png|ico|gz|woff2)$/.test(path));

    const found = texts.flatMap((path) =>
      machineWords(readProject(path)).map((word) => `${path} says ${word}`),
    );

    expect(found).toEqual([]);
  });
});

describe('each rule sees what it is for', () => {
  it.each(named)('%s', (_, { good, bad, problems }) => {
    expect(problems(factsOf(...good))).toEqual([]);
    expect(problems(factsOf(...bad))).toHaveLength(1);
  });

  it.each([
    "import type { b } from '../postgres/b.js';",
    "import { type b } from '../postgres/b.js';",
    "import '../postgres/b.js';",
    "export * from '../postgres/b.js';",
    "export { b } from '../postgres/b.js';",
    "export const b = await import('../postgres/b.js');",
    "export type B = import('../postgres/b.js').B;",
  ])('an import however it is written: %s', (text) => {
    const { imports } = factsOf('src/close/a.ts', text);

    expect(imports.map(({ target }) => target)).toEqual(['src/postgres/b.ts']);
  });

  it.each([
    ["import type { b } from './b.js';", true],
    ["import { type b, type c } from './b.js';", true],
    ["import { type b, c } from './b.js';", false],
    ["import './b.js';", false],
    ["import * as b from './b.js';", false],
  ])('whether code comes along with %s', (text, isTypeOnly) => {
    expect(factsOf('src/a.ts', text).imports).toEqual([{ target: 'src/b.ts', isTypeOnly }]);
  });

  it.each([
    'export const a = () => Math.random();',
    'export const a = () => Date.now();',
    'export const a = performance.now();',
    'export const a = () => fetch("x");',
    'export const a = (b = console) => b;',
    'export const { a } = process;',
    'export const a = globalThis.Date.now();',
  ])('what is not pure: %s', (text) => {
    const rule = RULES.find(({ name }) => name.startsWith('src/core has no clock'));

    expect(rule?.problems(factsOf('src/core/a.ts', text))).not.toEqual([]);
  });

  it('a word that only looks impure', () => {
    const text = 'export interface A { fetch: string }; export const b = (a: A) => a.fetch;';
    const rule = RULES.find(({ name }) => name.startsWith('src/core has no clock'));

    expect(rule?.problems(factsOf('src/core/a.ts', text))).toEqual([]);
  });

  it('a file that only another dead file imports', () => {
    const house = [
      factsOf('src/cli.ts', "import { a } from './a.js';"),
      factsOf('src/a.ts', ''),
      factsOf('src/b.ts', "import { c } from './c.js';"),
      factsOf('src/c.ts', "import { b } from './b.js';"),
    ];

    expect(unreachable(house, ['src/cli.ts'])).toEqual(['src/b.ts', 'src/c.ts']);
  });

  it.each([
    [`see /${'work'}/main`, 1],
    [`"/${'root'}/x"`, 1],
    [`/${'home'}/jane/x`, 1],
    [`https://npm-${'registry'}.example.com/x`, 1],
    ['https://api.close.com/api/v1', 0],
    ['./home/worker/x, the framework/root', 0],
  ])('in %j %i words of a machine', (text, count) => {
    expect(machineWords(text)).toHaveLength(count);
  });
});
