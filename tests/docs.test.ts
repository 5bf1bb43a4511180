import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { faultKinds } from '../src/sandbox/api/fault-list.js';
import { ERRORS, type ErrorEntry, type Recovery } from '../src/errors.js';
import { filesIn, readProject, ROOT } from './architecture-facts.js';

/**
 * Documents say what the code says. `UPDATE_DOCS=1 npx vitest run tests/docs.test.ts` writes
 * docs/errors.md anew from the catalogue.
 */
const ERRORS_PAGE = 'docs/errors.md';
const RECOVERIES: Readonly<Record<Recovery, string>> = {
  retry: 'tries again by itself, after longer and longer waits, for as long as it takes.',
  'stop-connection':
    'reads nothing more for this connection until you signal `resume`; once an hour it looks whether the trouble has gone. Other connections go on.',
  'fail-stream': 'parks this stream and goes on with the others. The next sync tries it again.',
  'reject-record':
    'keeps the record in `_sdc_rejected`, with its JSON and the reason, and loads the rest of its page.',
  'stop-command': 'ends the command',
  bug: 'stops what it was doing. It is ours to mend.',
};

const entries = Object.entries(ERRORS) as [string, ErrorEntry][];

/** Placeholders in angle brackets would vanish as HTML. */
function escaped(text: string): string {
  return text.replaceAll('<', '\\<');
}

function section([code, entry]: [string, ErrorEntry]): string {
  const { recovery, message, next, exitCode } = entry;
  const isCommand = recovery === 'stop-command';
  const ends = isCommand ? ' with' : exitCode !== undefined ? ' A command ends with' : undefined;
  const exit = ends === undefined ? '' : `${ends} exit code ${exitCode ?? 1}.`;
  return [
    `## ${code}`,
    `\`\`\`text\n${message}\n\`\`\``,
    `**Closehaul** (${recovery}) ${RECOVERIES[recovery]}${exit}`,
    `**You:** ${escaped(next)}`,
  ].join('\n\n');
}

async function errorsPage(): Promise<string> {
  const text = [
    '# Errors',
    'Every error has a code: the type of the failure in the Web UI of Temporal, and the heading here. `{names}` stand for a setting, a table, a number; a message never holds a key, nor anything of a record.',
    'This page is written from the catalogue in `src/errors.ts` by `UPDATE_DOCS=1 npx vitest run tests/docs.test.ts`.',
    ...[...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(section),
  ].join('\n\n');
  const options = await resolveConfig(join(ROOT, ERRORS_PAGE));
  return format(text, { ...options, parser: 'markdown' });
}

/** A document's part on one error, taken apart again: what a reader finds under the code. */
function readErrorsPage(): Map<string, { message: string; next: string; recovery: string }> {
  const found = new Map<string, { message: string; next: string; recovery: string }>();
  for (const part of readProject(ERRORS_PAGE).split(/^## /m).slice(1)) {
    const [, code = '', message = '', recovery = '', next = ''] =
      /^(\w+)\n\n```text\n(.*?)\n```\n\n\*\*Closehaul\*\* \((\S+)\).*?\n\n\*\*You:\*\* (.*?)\n*$/s.exec(
        part,
      ) ?? [];
    found.set(code, { message, recovery, next: next.replaceAll('\\<', '<') });
  }
  return found;
}

describe('docs/errors.md', () => {
  it('is what the catalogue says (UPDATE_DOCS=1 writes it anew)', async () => {
    const page = await errorsPage();
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(join(ROOT, ERRORS_PAGE), page);

    expect(readProject(ERRORS_PAGE)).toBe(page);
  });

  it('has every code, and none that there is not', () => {
    expect([...readErrorsPage().keys()]).toEqual(Object.keys(ERRORS).sort());
  });

  it.each(entries)('tells of %s in the words of the message', (code, entry) => {
    const { recovery, message, next } = entry;

    expect(readErrorsPage().get(code)).toEqual({ recovery, message, next });
  });
});

describe('the catalogue', () => {
  const sources = filesIn('src')
    .filter((path) => !path.startsWith('src/errors'))
    .map(readProject)
    .join('\n');

  it('has no code that nothing ends with', () => {
    const unused = Object.keys(ERRORS).filter((code) => !sources.includes(`'${code}'`));

    expect(unused).toEqual([]);
  });

  it.each(entries)('%s says what was wrong and what to do, in sentences', (_, entry) => {
    expect(entry.message).toMatch(/^[A-Z{].*[.}]$/s);
    expect(entry.next).toMatch(/^[A-Z].*\.$/s);
  });
});

const WORDS = [
  ...['connection', 'stream', 'sync', 'historical sync', 'incremental sync', 'backfill', 'slice'],
  ...['page', 'record', 'row', 'subtable', 'checkpoint', 'bookmark', 'cursor', 'overlap'],
  ...['rejected', 'tombstone', 'fence', 'lane'],
];

describe('docs/glossary.md', () => {
  const lines = readProject('docs/glossary.md')
    .split('\n')
    .filter((line) => line.startsWith('- '));
  const words = lines.map((line) => /^- \*\*([a-z ]+)\*\*: /.exec(line)?.[1]);

  it('has each word of the design, once', () => {
    expect(words).toEqual([...new Set(words)]);
    expect(words).toEqual(expect.arrayContaining(WORDS));
  });

  it.each(lines)('says what it is and what it is not: %s', (line) => {
    expect(line).toMatch(/^- \*\*[a-z ]+\*\*: .+\. Not: .+\.$/);
  });
});

describe('docs/faults.md', () => {
  const page = readProject('docs/faults.md');
  const named = [...page.matchAll(/`(tests\/[\w./-]+)` "([^"]+)"/g)];

  it.each(named.map(([, file = '', title = '']) => ({ file, title })))(
    '"$title" is in $file',
    ({ file, title }) => {
      expect(readProject(file)).toContain(title);
    },
  );

  it('has a test for each fault of Close and of the network', () => {
    const ofClose = Array.from({ length: 15 }, (_, index) => 16 + index);
    for (const fault of [...ofClose, 36]) {
      const row = page.split('\n').find((line) => line.startsWith(`| F${fault}: `)) ?? '';
      expect(row, `F${fault}`).toMatch(/`tests\/[\w./-]+` "/);
    }
  });
});

describe('the faults of the sandbox', () => {
  const tests = filesIn('tests')
    .filter((path) => path.endsWith('.ts') && !path.startsWith('tests/sandbox/'))
    .map(readProject)
    .join('\n');

  it.each(Object.keys(faultKinds))('%s is met by Closehaul in a test', (name) => {
    expect(tests).toMatch(new RegExp(`['"\`]${name}(?:=|['"\`])`));
  });
});

describe('README.md, ARCHITECTURE.md and docs', () => {
  const pages = ['README.md', 'ARCHITECTURE.md', ...filesIn('docs')];

  it.each(pages)('%s names only files that are there', (page) => {
    const named = [
      ...readProject(page).matchAll(/`((?:src|tests|docs|sql|bench|scripts)\/[\w./-]+)`/g),
    ];
    const linked = [...readProject(page).matchAll(/\]\((?!https?:|#|mailto:)([\w./-]+)/g)].map(
      ([, path = '']) => (page.startsWith('docs/') ? join('docs', path) : path),
    );

    const missing = [...named.map(([, path = '']) => path), ...linked].filter(
      (path) => !existsSync(join(ROOT, path)),
    );

    expect(missing).toEqual([]);
  });
});
