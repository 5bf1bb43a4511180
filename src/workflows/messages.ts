import {
  defineQuery,
  defineSignal,
  defineUpdate,
  log,
  setDefaultSignalHandler,
  setHandler,
  uuid4,
} from '@temporalio/workflow';
import {
  PROGRESS_SIGNAL,
  REQUEST_BACKFILL_UPDATE,
  REQUEST_REBUILD_UPDATE,
  REQUEST_RECONCILE_UPDATE,
  SIGNALS,
  STATUS_QUERY,
  type BackfillAnswer,
  type BackfillInput,
  type ProgressReport,
  type RebuildAnswer,
  type RebuildInput,
  type ReconcileAnswer,
  type ReconcileInput,
  type SettingsInput,
  type StatusAnswer,
  type StreamProgress,
} from '../contract.js';
import * as states from './connection-state.js';
import type { Entity } from './entity.js';
import { invalidInput } from './input.js';
import { requestRebuild } from './rebuild-state.js';
import { requestReconcile } from './reconcile-state.js';

export const progressSignal = defineSignal<[ProgressReport]>(PROGRESS_SIGNAL);
const backfillSignal = defineSignal<[BackfillInput]>(SIGNALS.backfill);
const pauseSignal = defineSignal(SIGNALS.pause);
const resumeSignal = defineSignal(SIGNALS.resume);
const syncNowSignal = defineSignal(SIGNALS.syncNow);
const setSignal = defineSignal<[SettingsInput]>(SIGNALS.set);
const rebuildSignal = defineSignal<[RebuildInput | undefined]>(SIGNALS.rebuild);
const reconcileSignal = defineSignal<[ReconcileInput | undefined]>(SIGNALS.reconcile);
const statusQuery = defineQuery<StatusAnswer>(STATUS_QUERY);
const backfillUpdate = defineUpdate<BackfillAnswer, [BackfillInput]>(REQUEST_BACKFILL_UPDATE);

const rebuildUpdate = defineUpdate<RebuildAnswer, [RebuildInput | undefined]>(
  REQUEST_REBUILD_UPDATE,
);

const reconcileUpdate = defineUpdate<ReconcileAnswer, [ReconcileInput | undefined]>(
  REQUEST_RECONCILE_UPDATE,
);

/**
 * What an operator can say to a connection. Handlers are synchronous and never throw: one that
 * throws wedges the workflow or ends it. What cannot be done is recorded in the status instead.
 */
export function listen(entity: Entity): void {
  const { state } = entity;
  setHandler(statusQuery, () => states.statusAnswer(state), {
    description:
      'All of it as JSON: status, next sync, streams with rows and bookmarks, backfills.',
  });
  setHandler(backfillSignal, (input) => note(entity, 'backfill', request(entity, input)), {
    description: 'Reads again from a date: "2024-01-01" or {"from","to"?,"streams"?,"id"?}.',
  });
  setHandler(backfillUpdate, (input) => answer(entity, input), {
    description: 'As the signal backfill, but answers with the job id.',
    validator: (input) => assertBackfill(entity, input),
  });
  setHandler(pauseSignal, () => note(entity, 'pause', entity.pause()), {
    description: 'Finishes the page in hand, then stops until resume.',
  });
  setHandler(resumeSignal, () => note(entity, 'resume', entity.resume()), {
    description: 'Goes on after pause, or after the key was changed.',
  });
  setHandler(syncNowSignal, () => note(entity, 'syncNow', entity.change({ isSyncAsked: true })), {
    description: 'Starts an incremental sync now.',
  });
  setHandler(
    setSignal,
    (input) => {
      note(entity, 'set', states.changeSettings(state, input, Date.now()));
      entity.afterSettings();
    },
    { description: 'Changes settings: {"every":"6h","anchor":"02:00","streams":["leads"]}.' },
  );
  listenForRebuilds(entity);
  listenForReconciliations(entity);
  setHandler(
    progressSignal,
    (progress) => {
      if (isProgress(progress)) states.addProgress(state, progress);
      entity.show();
    },
    { description: 'Internal: a sync tells how far it is. Nothing to send by hand.' },
  );
  // Without this, a name that was mistyped would wait for its handler in silence, for ever.
  setDefaultSignalHandler((name) => note(entity, name.slice(0, NAME_SHOWN), NO_SUCH_SIGNAL));
}

/** Characters of an unknown signal's name that the status shows. */
const NAME_SHOWN = 40;
const NO_SUCH_SIGNAL = {
  reason: `There is no such signal; there are ${Object.values(SIGNALS).join(', ')}.`,
};

/** Syncs send it, but anybody can: what is not one of theirs must not be read as one. */
function isProgress(value: unknown): value is ProgressReport {
  if (typeof value !== 'object' || value === null) return false;
  const { job, streams } = value as Partial<Record<keyof ProgressReport, unknown>>;
  if (typeof job !== 'string' || !Array.isArray(streams)) return false;
  return streams.every((each: unknown) => {
    const { records, inserted } = (each ?? {}) as Partial<StreamProgress>;
    return Number.isFinite(records) && Number.isFinite(inserted);
  });
}

function listenForRebuilds(entity: Entity): void {
  const { state } = entity;
  setHandler(rebuildSignal, (input) => note(entity, 'rebuild', requestRebuild(state, input)), {
    description: 'Makes the tables anew beside the old ones, then swaps: {"layout"?: "jsonb"}.',
  });
  setHandler(
    rebuildUpdate,
    (input) => {
      const outcome = requestRebuild(state, input);
      if ('reason' in outcome) throw invalidInput(outcome.reason);
      note(entity, 'rebuild', outcome);
      return outcome;
    },
    {
      description: 'As the signal rebuild, but answers with its status.',
      validator: (input) => {
        // On a copy, since a validator must leave no trace.
        const outcome = requestRebuild({ ...state }, input);
        if ('reason' in outcome) throw invalidInput(outcome.reason);
      },
    },
  );
}

function listenForReconciliations(entity: Entity): void {
  const { state } = entity;
  const ask = (input: unknown): ReturnType<typeof requestReconcile> =>
    requestReconcile(state, input, uuid4().slice(0, 8));
  setHandler(reconcileSignal, (input) => note(entity, 'reconcile', ask(input)), {
    description:
      'Compares all that Close has with the tables and mends what differs: {"streams"?,"id"?}.',
  });
  setHandler(
    reconcileUpdate,
    (input) => {
      const outcome = ask(input);
      if ('reason' in outcome) throw invalidInput(outcome.reason);
      note(entity, 'reconcile', outcome);
      return outcome;
    },
    {
      description: 'As the signal reconcile, but answers with its id and status.',
      validator: (input) => {
        // On a copy, since a validator must leave no trace.
        const outcome = requestReconcile({ ...state }, input, 'check');
        if ('reason' in outcome) throw invalidInput(outcome.reason);
      },
    },
  );
}

function request(entity: Entity, input: unknown): states.BackfillOutcome {
  return states.requestBackfill(entity.state, input, Date.now(), uuid4().slice(0, 8));
}

/** Counts the request, with why it was rejected when it was. */
function note(entity: Entity, name: string, outcome: object | null | void): void {
  if (outcome && 'reason' in outcome) {
    const reason = String(outcome.reason);
    states.recordRejected(entity.state, name, reason, Date.now());
    log.warn('request rejected', { request: name, reason });
  } else states.recordAccepted(entity.state);
  entity.show();
}

/** Synchronous: the SDK ignores what an asynchronous validator says. */
function assertBackfill(entity: Entity, input: unknown): void {
  // On a copy, since a validator must leave no trace.
  const outcome = states.requestBackfill({ ...entity.state }, input, Date.now(), 'check');
  if ('reason' in outcome) throw invalidInput(outcome.reason);
}

function answer(entity: Entity, input: unknown): BackfillAnswer {
  const outcome = request(entity, input);
  if ('reason' in outcome) throw invalidInput(outcome.reason);
  note(entity, 'backfill', outcome);
  return outcome;
}
