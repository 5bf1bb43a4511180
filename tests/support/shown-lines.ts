/** The command lines that the documents show, to be run as they stand there. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesIn, readProject, ROOT } from '../architecture-facts.js';

export interface ShownLine {
  readonly page: string;
  readonly line: string;
}

const PROGRAMS = 'tctl|temporal|npx closehaul';
const INLINE = new RegExp(`\`((?:${PROGRAMS})\\s[^\`]+)\``, 'g');
/** At the beginning of a line, or behind a label as in "Status   npx closehaul status". */
const AT_START = new RegExp(`^(?:\\S+ {2,}| +)?((?:${PROGRAMS}) .+)$`);

/** All of them, each once; a page that shows a line again is not named again. */
export function shownLines(): readonly ShownLine[] {
  const pages = [
    'README.md',
    'ARCHITECTURE.md',
    ...filesIn('docs').filter((p) => p.endsWith('.md')),
  ];
  const found = new Map<string, ShownLine>();
  for (const page of pages) {
    // Every second part is a fenced block, its first line only the fence's language.
    const parts = readProject(page).split(/^```/m);
    const fenced = parts
      .filter((_, index) => index % 2 === 1)
      .flatMap((block) => block.split('\n'))
      .flatMap((each) => AT_START.exec(each)?.[1]?.replace(/ +#.*$/, '') ?? []);
    const prose = parts.filter((_, index) => index % 2 === 0).join('\n');
    const inline = [...prose.matchAll(INLINE)].map(([, line = '']) => line.replace(/\s+/g, ' '));
    for (const line of [...inline, ...fenced]) {
      if (!found.has(line)) found.set(line, { page, line });
    }
  }
  return [...found.values()];
}

/** What the lines take for granted in the folder where they are run. */
export function fillFolder(folder: string): void {
  // npx itself would only look for this program, slowly.
  const npx = join(folder, 'npx');
  const bin = join(ROOT, 'bin/closehaul.js');
  writeFileSync(npx, `#!/bin/sh\nshift\nexec "${process.execPath}" "${bin}" "$@"\n`);
  chmodSync(npx, 0o755);
  mkdirSync(join(folder, 'models'));
}
