/** The activities of a connection that has nothing to read, as a test wants them to answer. */
import { Context } from '@temporalio/activity';
import type { Activities } from '../../src/activities/index.js';
import type { OpenInput, RunInput, SliceRef } from '../../src/contract.js';
import { withFailures } from '../../src/activities/failure.js';

export interface Call {
  readonly name: keyof Activities;
  readonly input: unknown;
  /** On the clock of the server that gave out the work. */
  readonly atMs: number;
}

/**
 * For tests of the workflows alone: what stands between them and Close is played, the workflows and
 * the server are real. Any of them may be replaced; each call is noted.
 */
export class ScriptedActivities {
  readonly calls: Call[] = [];

  constructor(private readonly script: Partial<Activities> = {}) {}

  activities(): Activities {
    const noted = <Name extends keyof Activities>(name: Name): Activities[Name] => {
      type Activity = (input: unknown) => Promise<unknown>;
      const activity = (this.script[name] ?? usual[name]) as Activity;
      const wrapped = withFailures((input: unknown) => {
        const atMs = Context.current().info.currentAttemptScheduledTimestampMs;
        this.calls.push({ name, input, atMs });
        return activity(input);
      });
      return wrapped as unknown as Activities[Name];
    };
    return {
      readSearchAttributes: noted('readSearchAttributes'),
      openConnection: noted('openConnection'),
      beginRun: noted('beginRun'),
      syncSlices: noted('syncSlices'),
      endRun: noted('endRun'),
      openRebuild: noted('openRebuild'),
      swapRebuild: noted('swapRebuild'),
      dropReplaced: noted('dropReplaced'),
    };
  }

  /** When runs of this kind began, in order. */
  startsOf(kind: RunInput['kind']): readonly number[] {
    const begun = this.calls.filter(
      ({ name, input }) => name === 'beginRun' && (input as RunInput).kind === kind,
    );
    return begun.map(({ atMs }) => atMs);
  }

  timesOf(name: keyof Activities): readonly number[] {
    return this.calls.filter((call) => call.name === name).map(({ atMs }) => atMs);
  }
}

const STREAMS = ['leads', 'activities'];
const FROM = '2026-01-01T00:00:00.000000Z';

function opened({ name }: OpenInput): ReturnType<Activities['openConnection']> {
  const schema = name.toLowerCase().replace(/\W/g, '_');
  const [streams, knownStreams] = [STREAMS, STREAMS];
  return Promise.resolve({
    ...{ schema, layout: 'stitch', rebuildLayout: null, startDate: FROM, liveFrom: FROM },
    ...{ streams, knownStreams },
  });
}

function oneSliceEach({ schema, job }: RunInput): ReturnType<Activities['beginRun']> {
  const slices = STREAMS.map((stream) => ({ schema, job, stream, slice: 'all' }));
  return Promise.resolve({ slices });
}

function onePageEach(refs: readonly SliceRef[]): ReturnType<Activities['syncSlices']> {
  const counts = { pages: 1, records: 10, inserted: 10, rows: 10, rejected: 0 };
  const streams = [...new Set(refs.map(({ stream }) => stream))];
  return Promise.resolve({
    done: refs.map((_ref, index) => index),
    streams: streams.map((stream) => ({ stream, ...counts })),
    parked: null,
  });
}

export function ended(
  { streams }: RunInput,
  outcome: 'complete' | 'incomplete',
): ReturnType<Activities['endRun']> {
  const isComplete = outcome === 'complete';
  const names = streams ?? STREAMS;
  const counts = { records: 10, rows: 10 };
  return Promise.resolve({
    ...{ outcome, records: 10 * names.length, rows: 10 * names.length },
    streams: names.map((name) => ({
      ...{ name, isComplete, ...counts, totalRows: 100, bookmark: FROM },
      ...{ error: isComplete ? null : 'Close did not answer.', note: null, isSkipped: false },
    })),
  });
}

/** A connection whose every sync is complete at once. */
export const usual: Activities = {
  readSearchAttributes: () => Promise.resolve([]),
  openConnection: opened,
  beginRun: oneSliceEach,
  syncSlices: onePageEach,
  endRun: (input) => ended(input, 'complete'),
  openRebuild: () => Promise.resolve(),
  swapRebuild: () =>
    Promise.resolve({
      streams: STREAMS.map((name) => ({ name, rows: 100, bookmark: FROM })),
      left: [],
    }),
  dropReplaced: () => Promise.resolve([]),
};
