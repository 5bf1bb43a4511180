import { expect, it } from 'vitest';
import { NamesGate } from '../../src/postgres/names-gate.js';

/** A gate, and work that ends when it is told to, and writes down when it begins. */
function openGate() {
  const log: string[] = [];
  const work = (name: string) => {
    let end: (error?: Error) => void = () => undefined;
    const ended = new Promise<void>((resolve, reject) => {
      end = (error) => (error === undefined ? resolve() : reject(error));
    });
    const run = (): Promise<void> => {
      log.push(name);
      return ended;
    };
    return { run, end };
  };
  return { gate: new NamesGate(), log, work };
}

/** Whatever can go on by itself has gone on then. */
const idle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('lets pages in together, a change alone, and what comes behind it after it', async () => {
  const { gate, log, work } = openGate();
  const [one, two, change, behind] = [work('one'), work('two'), work('change'), work('behind')];
  const all = [gate.hold(one.run), gate.hold(two.run), gate.change(change.run)];
  await idle();
  all.push(gate.hold(behind.run));
  await idle();
  expect(log).toEqual(['one', 'two']);
  one.end();
  await idle();
  expect(log).toEqual(['one', 'two']);
  two.end();
  await idle();
  expect(log).toEqual(['one', 'two', 'change']);
  change.end();
  await idle();
  expect(log).toEqual(['one', 'two', 'change', 'behind']);
  behind.end();
  await Promise.all(all);
});

it('lets a page wait for a change that was asked for while it waited', async () => {
  const { gate, log, work } = openGate();
  const [first, page, second] = [work('first'), work('page'), work('second')];
  const all = [gate.change(first.run), gate.hold(page.run), gate.change(second.run)];
  await idle();
  first.end();
  await idle();
  expect(log).toEqual(['first', 'second']);
  second.end();
  page.end();
  await Promise.all(all);
  expect(log).toEqual(['first', 'second', 'page']);
});

it('makes one change after the other, and goes on behind work that failed', async () => {
  const { gate, log, work } = openGate();
  const [page, first, second, behind] = [
    work('page'),
    work('first'),
    work('second'),
    work('behind'),
  ];
  const failing = [gate.hold(page.run), gate.change(first.run)];
  const outcomes = Promise.allSettled(failing);
  const going = [gate.change(second.run), gate.hold(behind.run)];
  await idle();
  page.end(new Error('no page'));
  await idle();
  expect(log).toEqual(['page', 'first']);
  first.end(new Error('no change'));
  await idle();
  expect(log).toEqual(['page', 'first', 'second']);
  second.end();
  behind.end();
  await Promise.all(going);
  expect(log).toEqual(['page', 'first', 'second', 'behind']);
  expect(await outcomes).toMatchObject([
    { status: 'rejected', reason: { message: 'no page' } },
    { status: 'rejected', reason: { message: 'no change' } },
  ]);
});
