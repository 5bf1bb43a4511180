import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ApplicationFailure,
  CancellationScope,
  condition,
  executeChild,
  isCancellation,
  log,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import { WORKFLOW_TYPES, type RunKind, type RunResult, type SyncInput } from '../contract.js';
import { updateJob, type BackfillJob } from '../core/backfill-queue.js';
import { instantFromMillis } from '../core/instant.js';
import * as states from './connection-state.js';
import type { ConnectionState } from './connection-state.js';
import { currentDetails } from './details.js';
import { CHILD_BUSY_RETRY_MS, childOptions, PARKED_RETRY_MS, PROBE_MS, quick } from './options.js';
import { failureOf, recoveryOf } from './sync-failure.js';

/**
 * The two lanes of a connection, and the watchers beside them. Each lane has its own failures; none
 * of them ends the connection or the other lane.
 */
export class Entity {
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

  /** Runs all lanes until the history is long enough for a fresh one; throws when it was cancelled. */
  async live(): Promise<void> {
    const lanes = await Promise.allSettled([
      this.leaveWhenHistoryIsLong(),
      this.keepOpen(),
      this.historyLane(),
      this.liveLane(),
    ]);
    const failed = lanes.find((lane) => lane.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  pause(): void {
    this.change({ isPaused: true });
    this.stopChildren();
  }

  resume(): void {
    const { historical } = this.state;
    this.change({
      isPaused: false,
      resumeAsked: true,
      historical: historical === 'incomplete' ? 'pending' : historical,
    });
  }

  change(change: Partial<ConnectionState>): void {
    Object.assign(this.state, change);
    this.state.revision += 1;
    this.show();
  }

  /** Shows the state above the history in the Web UI. */
  show(): void {
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

  private async leaveWhenHistoryIsLong(): Promise<void> {
    await condition(() => workflowInfo().continueAsNewSuggested || this.isLeaving);
    this.isLeaving = true;
    this.stopChildren();
  }

  /** Opens the connection, and again after it was blocked: once an hour, or when resumed. */
  private async keepOpen(): Promise<void> {
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

  private async historyLane(): Promise<void> {
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

  private async liveLane(): Promise<void> {
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
