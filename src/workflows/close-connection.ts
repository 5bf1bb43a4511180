import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  isCancellation,
  log,
  setCurrentDetails,
  setHandler,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  REQUEST_BACKFILL_UPDATE,
  SIGNALS,
  STATUS_QUERY,
  WORKFLOW_TYPES,
  type BackfillAnswer,
  type BackfillInput,
  type ConnectionInput,
  type RunKind,
  type RunResult,
  type SettingsInput,
  type StatusAnswer,
  type SyncInput,
} from '../contract.js';
import { updateJob, type BackfillJob } from '../core/backfill-queue.js';
import { checkConnection } from '../core/connection-request.js';
import { instantFromMillis } from '../core/instant.js';
import { ERRORS } from '../errors.js';
import * as states from './connection-state.js';
import type { ConnectionState } from './connection-state.js';
import { currentDetails } from './details.js';
import { CHILD_BUSY_RETRY_MS, childOptions, PARKED_RETRY_MS, PROBE_MS, quick } from './options.js';
import { failureOf, progressSignal, recoveryOf } from './sync.js';

/** The input, or, after continue-as-new, all that the run before knew. */
type EntityInput = ConnectionInput | string | { readonly carried: ConnectionState };

const backfillSignal = defineSignal<[BackfillInput]>(SIGNALS.backfill);
const pauseSignal = defineSignal(SIGNALS.pause);
const resumeSignal = defineSignal(SIGNALS.resume);
const syncNowSignal = defineSignal(SIGNALS.syncNow);
const setSignal = defineSignal<[SettingsInput]>(SIGNALS.set);
const statusQuery = defineQuery<StatusAnswer>(STATUS_QUERY);
const backfillUpdate = defineUpdate<BackfillAnswer, [BackfillInput]>(REQUEST_BACKFILL_UPDATE);

/**
 * One connection, for ever: opens it, runs its historical sync and its backfills in one lane and its
 * incremental syncs in the other, until it is cancelled. Position is never kept here; whatever ends
 * this workflow, starting it again goes on where the rows are.
 */
export async function closeConnection(input: EntityInput): Promise<void> {
  const entity = new Entity(startState(input));
  entity.listen();
  const lanes = await Promise.allSettled([
    entity.leaveWhenHistoryIsLong(),
    entity.keepOpen(),
    entity.historyLane(),
    entity.liveLane(),
  ]);
  const failed = lanes.find((lane) => lane.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  // From here only: a signal that arrives in this instant is still handled, and carried along.
  await condition(allHandlersFinished);
  await continueAsNew<typeof closeConnection>({ carried: entity.state });
}

function startState(input: EntityInput): ConnectionState {
  if (typeof input === 'object' && input !== null && 'carried' in input) return input.carried;
  const request = typeof input === 'string' ? { name: input } : input;
  if (typeof request?.name !== 'string') {
    throw invalid('The input needs a "name", such as {"name":"Stitch Closeio"}.');
  }
  const streams: unknown = request.streams;
  if (streams !== undefined && !Array.isArray(streams)) {
    throw invalid('"streams" must be a list of stream names.');
  }
  const known = ['name', 'startDate', 'every', 'anchor', 'streams', 'layout'];
  if (Object.keys(request).some((key) => !known.includes(key))) {
    throw invalid(`The input has unknown fields; known are ${known.join(', ')}.`);
  }
  const checked = checkConnection(request, instantFromMillis(Date.now()));
  if ('problem' in checked) {
    const { message, next } = ERRORS[checked.problem];
    throw ApplicationFailure.nonRetryable(`${message} ${next}`, checked.problem);
  }
  return states.newState(checked.connection, request.startDate !== undefined, Date.now());
}

function invalid(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, 'InvalidInput');
}

class Entity {
  private isLeaving = false;
  /** Scopes of the running children; cancelling one stops it between two pages. */
  private readonly scopes = new Set<CancellationScope>();

  constructor(readonly state: ConnectionState) {
    // The run before cancelled its children; what they did is in the database.
    state.isLiveRunning = false;
    if (state.historical === 'running') state.historical = 'pending';
    for (const { id, status } of state.backfills) {
      if (status === 'running')
        state.backfills = updateJob(state.backfills, id, { status: 'queued' });
    }
  }

  listen(): void {
    const { state } = this;
    setHandler(statusQuery, () => states.statusAnswer(state), {
      description:
        'All of it as JSON: status, next sync, streams with rows and bookmarks, backfills.',
    });
    setHandler(backfillSignal, (input) => this.reject('backfill', this.request(input)), {
      description: 'Reads again from a date: "2024-01-01" or {"from","to"?,"streams"?,"id"?}.',
    });
    setHandler(backfillUpdate, (input) => this.answer(input), {
      description: 'As the signal backfill, but answers with the job id.',
      validator: (input) => this.assertBackfill(input),
    });
    setHandler(pauseSignal, () => this.pause(), {
      description: 'Finishes the page in hand, then stops until resume.',
    });
    setHandler(resumeSignal, () => this.resume(), {
      description: 'Goes on after pause, or after the key was changed.',
    });
    setHandler(syncNowSignal, () => this.change({ isSyncAsked: true }), {
      description: 'Starts an incremental sync now.',
    });
    setHandler(
      setSignal,
      (input) => this.reject('set', states.changeSettings(state, input, Date.now())),
      {
        description: 'Changes settings: {"every":"6h","anchor":"02:00","streams":["leads"]}.',
      },
    );
    setHandler(progressSignal, (progress) => {
      states.addProgress(state, progress);
      this.show();
    });
  }

  private request(input: unknown): states.BackfillOutcome {
    return states.requestBackfill(this.state, input, Date.now(), uuid4().slice(0, 8));
  }

  private reject(request: string, outcome: object | null): void {
    if (outcome !== null && 'reason' in outcome) {
      const reason = String(outcome.reason);
      states.recordRejected(this.state, request, reason, Date.now());
      log.warn('request rejected', { request, reason });
    }
    this.show();
  }

  private assertBackfill(input: unknown): void {
    // On a copy, since a validator must leave no trace.
    const outcome = states.requestBackfill({ ...this.state }, input, Date.now(), 'check');
    if ('reason' in outcome) throw invalid(outcome.reason);
  }

  private answer(input: unknown): BackfillAnswer {
    const outcome = this.request(input);
    if ('reason' in outcome) throw invalid(outcome.reason);
    return outcome;
  }

  private pause(): void {
    this.change({ isPaused: true });
    this.stopChildren();
  }

  private resume(): void {
    const { historical } = this.state;
    this.change({
      isPaused: false,
      resumeAsked: true,
      historical: historical === 'incomplete' ? 'pending' : historical,
    });
  }

  private change(change: Partial<ConnectionState>): void {
    Object.assign(this.state, change);
    this.state.revision += 1;
    this.show();
  }

  private show(): void {
    setCurrentDetails(currentDetails(states.statusAnswer(this.state)));
  }

  private stopChildren(): void {
    for (const scope of this.scopes) scope.cancel();
  }

  /** Waits until something changed that a lane must look at, or so long; false when time ran out. */
  private async wait(durationMs?: number): Promise<boolean> {
    const seen = this.state.revision;
    const changed = (): boolean => this.isLeaving || this.state.revision !== seen;
    if (durationMs !== undefined) return condition(changed, Math.max(durationMs, 1));
    await condition(changed);
    return true;
  }

  private canRead(): boolean {
    return this.state.open !== null && this.state.blockedBy === null && !this.state.isPaused;
  }

  async leaveWhenHistoryIsLong(): Promise<void> {
    await condition(() => workflowInfo().continueAsNewSuggested || this.isLeaving);
    this.isLeaving = true;
    this.stopChildren();
  }

  /** Opens the connection, and again after it was blocked: once an hour, or when resumed. */
  async keepOpen(): Promise<void> {
    const { state } = this;
    while (!this.isLeaving) {
      if (state.open !== null && state.blockedBy === null) {
        await this.wait();
        continue;
      }
      state.resumeAsked = false;
      try {
        const { name, layout, startDate } = state.connection;
        const open = await quick.openConnection({
          ...{ name, layout, streams: state.wantedStreams },
          startDate: state.hasStartDate ? startDate : null,
        });
        states.setOpen(state, open);
      } catch (error) {
        if (isCancellation(error) || recoveryOf(error) !== 'stop-connection')
          throw this.leave(error);
        this.block(error);
        await condition(() => this.isLeaving || state.resumeAsked, PROBE_MS);
      }
      this.show();
    }
  }

  /** The connection cannot be what it was asked to be: end, with all lanes. */
  private leave(error: unknown): unknown {
    this.isLeaving = true;
    this.stopChildren();
    if (isCancellation(error)) return error;
    const { message, type } = failureOf(error);
    return ApplicationFailure.nonRetryable(message, type);
  }

  private block(error: unknown): void {
    log.warn('connection blocked', { code: failureOf(error).type });
    this.change({ blockedBy: failureOf(error).message });
    this.stopChildren();
  }

  async historyLane(): Promise<void> {
    const { state } = this;
    while (!this.isLeaving) {
      const job = state.backfills.find(({ status }) => status === 'queued');
      if (!this.canRead()) await this.wait();
      else if (state.historical === 'pending') await this.runInitial();
      else if (job !== undefined) await this.runBackfill(job);
      else if (state.historical === 'incomplete') await this.waitParked();
      else await this.wait();
    }
  }

  /** A stream failed for good as it seemed; after an hour, or when an operator resumes, it is tried again. */
  private async waitParked(): Promise<void> {
    const isDisturbed = await this.wait(PARKED_RETRY_MS);
    if (!isDisturbed) this.change({ historical: 'pending' });
  }

  private async runInitial(): Promise<void> {
    const { state } = this;
    this.change({ historical: 'running' });
    states.markRunning(state, state.open?.streams ?? [], 'Historical sync');
    const startDate = state.open?.startDate;
    const result = await this.runChild('initial', 'initial', {
      ...(startDate !== undefined && { from: startDate }),
    });
    // At once after the history: what changed while it was read.
    const isSyncAsked = result !== null;
    const historical =
      result === null ? 'pending' : result.outcome === 'complete' ? 'done' : 'incomplete';
    this.change({ historical, isSyncAsked: state.isSyncAsked || isSyncAsked });
  }

  private async runBackfill(job: BackfillJob): Promise<void> {
    const { state } = this;
    const set = (status: BackfillJob['status']): void => {
      this.change({ backfills: updateJob(state.backfills, job.id, { status }) });
    };
    set('running');
    const result = await this.runChild('backfill', `backfill/${job.id}`, {
      from: job.from,
      // Up to where this run begins: what comes later is the live lane's.
      to: job.to ?? instantFromMillis(Date.now()),
      ...(job.streams !== null && { streams: job.streams }),
    });
    set(result === null ? 'queued' : result.outcome === 'complete' ? 'done' : 'incomplete');
  }

  async liveLane(): Promise<void> {
    const { state } = this;
    while (!this.isLeaving) {
      const waitMs = state.nextStartMs - Date.now();
      if (!this.canRead()) await this.wait();
      else if (waitMs > 0 && !state.isSyncAsked) await this.wait(waitMs);
      else await this.runLive();
    }
  }

  private async runLive(): Promise<void> {
    const { state } = this;
    state.previousStartMs = Date.now();
    this.change({ isLiveRunning: true, isSyncAsked: false });
    const slot = new Date(state.previousStartMs).toISOString();
    const result = await this.runChild('incremental', `incremental/${slot}`, {});
    state.isLiveRunning = false;
    if (result !== null) state.syncsCompleted += 1;
    states.planNext(state, Date.now());
    this.show();
  }

  /** Runs one finite sync; null when it was stopped (pause, block, continue-as-new) or is to be repeated. */
  private async runChild(
    kind: RunKind,
    job: string,
    range: Partial<SyncInput>,
  ): Promise<RunResult | null> {
    const { state } = this;
    const type = kind === 'incremental' ? WORKFLOW_TYPES.incremental : WORKFLOW_TYPES.historical;
    const input: SyncInput = {
      ...{ name: state.connection.name, kind, job: kind === 'incremental' ? 'live' : job },
      streams: state.open?.streams ?? [],
      ...range,
    };
    const startedAt = instantFromMillis(Date.now());
    const scope = new CancellationScope();
    this.scopes.add(scope);
    try {
      const workflowId = `${workflowInfo().workflowId}/${job}`;
      const result = await scope.run(
        () =>
          executeChild(type, { ...childOptions, workflowId, args: [input] }) as Promise<RunResult>,
      );
      if (result.outcome === 'yielded') return null;
      states.addResult(state, result);
      state.syncProblem = null;
      const { outcome, records, rows } = result;
      const finishedAt = instantFromMillis(Date.now());
      state.lastSync = { kind, startedAt, finishedAt, outcome, records, rows };
      return result;
    } catch (error) {
      await this.afterFailure(error);
      return null;
    } finally {
      this.scopes.delete(scope);
    }
  }

  private async afterFailure(error: unknown): Promise<void> {
    // The connection itself was cancelled; its own stop of a child is no reason to end.
    if (isCancellation(error)) {
      if (CancellationScope.current().consideredCancelled) throw error;
      return;
    }
    if (recoveryOf(error) === 'stop-connection') {
      this.block(error);
      return;
    }
    const isBusy = error instanceof WorkflowExecutionAlreadyStartedError;
    log.warn('sync failed', { code: isBusy ? 'CHILD_BUSY' : failureOf(error).type });
    if (!isBusy) this.change({ syncProblem: failureOf(error).message });
    await this.wait(isBusy ? CHILD_BUSY_RETRY_MS : PARKED_RETRY_MS);
  }
}
