import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ApplicationFailure,
  CancellationScope,
  condition,
  executeChild,
  isCancellation,
  log,
  workflowInfo,
} from '@temporalio/workflow';
import {
  LIVE_JOB,
  WORKFLOW_TYPES,
  type RunKind,
  type RunResult,
  type SyncInput,
} from '../contract.js';
import { dueJob, updateJob, type BackfillJob } from '../core/backfill-queue.js';
import { instantFromMillis } from '../core/instant.js';
import * as states from './connection-state.js';
import type { ConnectionState } from './connection-state.js';
import {
  CHILD_BUSY_RETRY_MS,
  childOptions,
  FRESH_RUN_WAIT_MS,
  PARKED_RETRY_MS,
  PROBE_MS,
  quick,
} from './options.js';
import { workOnRebuild, type Ended } from './rebuild.js';
import { changeRebuild, rebuildDueMs, retryRebuild } from './rebuild-state.js';
import { beginReconcile, endReconcile, reconcileDueMs, retryReconcile } from './reconcile-state.js';
import { failureOf, recoveryOf } from './sync-failure.js';
import { childSummary, makeVisible, rememberConnection } from './visible.js';

/**
 * The two lanes of a connection, and the watchers beside them. Each lane has its own failures; none
 * of them ends the connection or the other lane.
 */
export class Entity {
  private isLeaving = false;
  /** While tables change places, no incremental sync begins. */
  private isLiveHeld = false;
  /** Scopes of the running children; cancelling one stops it between two pages. */
  private readonly scopes = new Set<CancellationScope>();

  constructor(readonly state: ConnectionState) {
    // The run before cancelled its children; what they did is in the database.
    state.isLiveRunning = false;
    // Opened anew in each run: a newer worker may know more parts of a stream.
    state.needsOpening = true;
    state.searchAttributes = null;
    if (state.historical === 'running') state.historical = 'pending';
    // A run of an older version carried none.
    state.rebuild ??= null;
    state.requests ??= { accepted: 0, rejected: 0 };
    state.syncedThrough ??= null;
    state.reconcile ??= null;
    if (state.rebuild?.status === 'running') changeRebuild(state, { status: 'queued' });
    if (state.reconcile?.status === 'running') {
      state.reconcile = { ...state.reconcile, status: 'queued' };
    }
    for (const { id, status } of state.backfills) {
      if (status === 'running')
        state.backfills = updateJob(state.backfills, id, { status: 'queued' });
    }
  }

  /** Runs all lanes until the history is long enough for a fresh one; throws when it was cancelled. */
  async live(): Promise<void> {
    const lanes = [
      this.leaveWhenHistoryIsLong(),
      this.keepOpen(),
      this.historyLane(),
      this.liveLane(),
    ];
    // Of a bug in one lane the others know nothing; it must fail the workflow task, loudly.
    const bug = new Promise<never>((_resolve, reject: (reason: Error) => void) => {
      for (const lane of lanes) {
        lane.catch((error: Error) => {
          if (!isCancellation(error) && !(error instanceof ApplicationFailure)) reject(error);
        });
      }
    });
    const ends = await Promise.race([Promise.allSettled(lanes), bug]);
    const failed = ends.find((lane) => lane.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  pause(): void {
    this.change({ isPaused: true });
    this.stopChildren();
  }

  /** Also tries again at once what is parked, and asks the server again what it can show. */
  resume(): void {
    const { historical, backfills } = this.state;
    retryRebuild(this.state);
    retryReconcile(this.state);
    this.change({
      isPaused: false,
      resumeAsked: true,
      searchAttributes: null,
      historical: historical === 'incomplete' ? 'pending' : historical,
      backfills: backfills.map((job) =>
        job.status === 'incomplete' ? { ...job, status: 'queued', retryAtMs: null } : job,
      ),
    });
  }

  /** Streams are chosen when the connection is opened, so it is opened again, with nothing running. */
  afterSettings(): void {
    if (this.state.needsOpening) this.stopChildren();
    this.show();
  }

  change(change: Partial<ConnectionState>): void {
    Object.assign(this.state, change);
    this.state.revision += 1;
    this.show();
  }

  show(): void {
    makeVisible(this.state);
  }

  private stopChildren(): void {
    for (const scope of this.scopes) scope.cancel();
  }

  /** Waits until something changed that a lane must look at. */
  private async wait(): Promise<void> {
    const seen = this.state.revision;
    await condition(() => this.isLeaving || this.state.revision !== seen);
  }

  /** The same, but no longer than this; the Web UI shows what for. */
  private async waitFor(durationMs: number, summary: string): Promise<void> {
    const seen = this.state.revision;
    const changed = (): boolean => this.isLeaving || this.state.revision !== seen;
    await condition(changed, Math.max(durationMs, 1), { summary });
  }

  /** Whether a sync may begin. Not on the way out: nobody would stop it any more. */
  canRead(): boolean {
    const { needsOpening, blockedBy, isPaused } = this.state;
    return !this.isLeaving && !needsOpening && blockedBy === null && !isPaused;
  }

  private async leaveWhenHistoryIsLong(): Promise<void> {
    await condition(() => workflowInfo().continueAsNewSuggested || this.isLeaving);
    // A replication is short: it would only begin anew.
    const isIdle = (): boolean => this.isLeaving || !this.state.isLiveRunning;
    const summary = 'a fresh run, once the sync at hand has ended';
    if (!isIdle()) await condition(isIdle, FRESH_RUN_WAIT_MS, { summary });
    this.isLeaving = true;
    this.stopChildren();
  }

  /** Opens the connection, and again after it was blocked: once an hour, or when resumed. */
  private async keepOpen(): Promise<void> {
    const { state } = this;
    while (!this.isLeaving) {
      if (state.searchAttributes === null) await this.askWhatToShow();
      if (state.blockedBy !== null) {
        const isDue = (): boolean => this.isLeaving || state.resumeAsked;
        await condition(isDue, PROBE_MS, { summary: 'hourly probe of the key' });
        if (this.isLeaving) return;
      } else if (!state.needsOpening || this.isLiveHeld) {
        await this.wait();
        continue;
      }
      state.resumeAsked = false;
      try {
        const { name, layout, startDate } = state.connection;
        // Once it is open, only a rebuild changes the layout, and the tables know of it.
        const isOpen = state.open !== null;
        const open = await quick.openConnection({
          ...{ name, layout: isOpen ? null : layout, streams: state.wantedStreams },
          startDate: state.hasStartDate ? startDate : null,
        });
        states.setOpen(state, open);
        rememberConnection(state);
      } catch (error) {
        // What cannot be from the first moment on ends it; what was open before is parked instead.
        const isRefused = state.open === null && recoveryOf(error) === 'stop-command';
        if (isCancellation(error) || isRefused) throw this.leave(error);
        this.block(error);
      }
      this.show();
    }
  }

  private async askWhatToShow(): Promise<void> {
    try {
      this.change({ searchAttributes: await quick.readSearchAttributes() });
    } catch (error) {
      if (isCancellation(error)) throw this.leave(error);
      this.change({ searchAttributes: [] });
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

  block(error: unknown): void {
    log.warn('connection blocked', { code: failureOf(error).type });
    this.change({ blockedBy: failureOf(error).message, resumeAsked: false });
    this.stopChildren();
  }

  private async historyLane(): Promise<void> {
    const { state } = this;
    while (!this.isLeaving) {
      const nowMs = Date.now();
      const job = dueJob(state.backfills, nowMs);
      const isDue = state.historical === 'incomplete' && state.historyRetryAtMs <= nowMs;
      if (!this.canRead()) await this.wait();
      else if (state.historical === 'pending' || isDue) await this.runInitial();
      else if ((rebuildDueMs(state) ?? Infinity) <= nowMs) await workOnRebuild(this);
      else if ((reconcileDueMs(state) ?? Infinity) <= nowMs) await this.runReconcile();
      else if (job !== undefined) await this.runBackfill(job);
      else {
        const parkedMs = this.parkedMs(nowMs);
        if (parkedMs === undefined) await this.wait();
        else await this.waitFor(parkedMs, 'next try of what failed');
      }
    }
  }

  /** How long until something parked is due; undefined when nothing is parked. */
  private parkedMs(nowMs: number): number | undefined {
    const { historical, historyRetryAtMs, backfills } = this.state;
    const dueMs = backfills.flatMap(({ status, retryAtMs }) =>
      status === 'incomplete' && retryAtMs !== null ? [retryAtMs] : [],
    );
    if (historical === 'incomplete') dueMs.push(historyRetryAtMs);
    for (const otherMs of [rebuildDueMs(this.state), reconcileDueMs(this.state)]) {
      if (otherMs !== undefined) dueMs.push(otherMs);
    }
    return dueMs.length === 0 ? undefined : Math.min(...dueMs) - nowMs;
  }

  private async runInitial(): Promise<void> {
    const { state } = this;
    this.change({ historical: 'running' });
    states.markRunning(state, state.open?.streams ?? [], 'Historical sync');
    const startDate = state.open?.startDate;
    const { outcome } = await this.runChild('initial', 'initial', {
      ...(startDate !== undefined && { from: startDate }),
    });
    this.change({
      historical:
        outcome === 'stopped' ? 'pending' : outcome === 'complete' ? 'done' : 'incomplete',
      historyRetryAtMs: Date.now() + PARKED_RETRY_MS,
      // At once after the history: what changed while it was read.
      isSyncAsked: state.isSyncAsked || outcome !== 'stopped',
    });
  }

  private async runBackfill(job: BackfillJob): Promise<void> {
    const { state } = this;
    const set = (change: Partial<BackfillJob>): void => {
      this.change({ backfills: updateJob(state.backfills, job.id, change) });
    };
    // Up to where it first begins, also when it is started again: what comes later is the live lane's.
    const to = job.to ?? instantFromMillis(Date.now());
    set({ status: 'running', hasStarted: true, to });
    const { outcome } = await this.runChild('backfill', `backfill/${job.id}`, {
      ...{ from: job.from, to },
      ...(job.streams !== null && { streams: job.streams }),
    });
    const status =
      outcome === 'stopped' ? 'queued' : outcome === 'complete' ? 'done' : 'incomplete';
    set({ status, retryAtMs: status === 'incomplete' ? Date.now() + PARKED_RETRY_MS : null });
  }

  private async runReconcile(): Promise<void> {
    const { state } = this;
    const { job, ...range } = beginReconcile(state, Date.now());
    this.show();
    const ended = await this.runChild('reconcile', job, range);
    endReconcile(state, ended, Date.now(), PARKED_RETRY_MS);
    this.show();
  }

  private async liveLane(): Promise<void> {
    const { state } = this;
    while (!this.isLeaving) {
      const waitMs = state.nextStartMs - Date.now();
      if (!this.canRead() || this.isLiveHeld) await this.wait();
      else if (waitMs > 0 && !state.isSyncAsked) await this.waitFor(waitMs, 'next sync');
      else await this.runLive();
    }
  }

  private async runLive(): Promise<void> {
    const { state } = this;
    state.previousStartMs = Date.now();
    this.change({ isLiveRunning: true, isSyncAsked: false });
    const slot = new Date(state.previousStartMs).toISOString();
    const { outcome } = await this.runChild('incremental', `incremental/${slot}`, {
      job: LIVE_JOB,
    });
    state.isLiveRunning = false;
    // One that was stopped is wanted as soon as it can go on, not at the next slot.
    if (outcome === 'stopped') state.isSyncAsked = true;
    if (outcome === 'complete' || outcome === 'incomplete') state.syncsCompleted += 1;
    states.planNext(state, Date.now());
    this.show();
  }

  /**
   * Fills the tables that are made anew. Their first sync has the name of any first sync, so that a
   * connection which is started again finds its history read.
   */
  async fill(): Promise<Ended> {
    return this.runChild('rebuild', 'rebuild', { job: 'initial' });
  }

  async withoutLive<T>(work: () => Promise<T>): Promise<T | undefined> {
    this.isLiveHeld = true;
    try {
      this.stopChildren();
      await condition(() => !this.state.isLiveRunning);
      return this.canRead() ? await work() : undefined;
    } finally {
      this.isLiveHeld = false;
      this.change({});
    }
  }

  /** Runs one finite sync to its end, or until it is stopped (pause, block, continue-as-new). */
  private async runChild(kind: RunKind, id: string, more: Partial<SyncInput>): Promise<Ended> {
    const { state } = this;
    const type = kind === 'incremental' ? WORKFLOW_TYPES.incremental : WORKFLOW_TYPES.historical;
    const input: SyncInput = {
      ...{ name: state.connection.name, kind, job: id },
      streams: state.open?.streams ?? [],
      ...more,
    };
    const startedAt = instantFromMillis(Date.now());
    const scope = new CancellationScope();
    this.scopes.add(scope);
    try {
      const workflowId = `${workflowInfo().workflowId}/${id}`;
      const staticSummary = childSummary(input);
      const options = { ...childOptions, workflowId, args: [input], staticSummary };
      const result = await scope.run(() => executeChild(type, options) as Promise<RunResult>);
      if (result.outcome === 'yielded') return STOPPED;
      states.addResult(state, kind, result);
      const { outcome, records, rows } = result;
      const finishedAt = instantFromMillis(Date.now());
      states.addSync(state, { kind, startedAt, finishedAt, outcome, records, rows });
      return { outcome, result, problem: null };
    } catch (error) {
      return await this.afterFailure(kind, error);
    } finally {
      this.scopes.delete(scope);
    }
  }

  private async afterFailure(kind: RunKind, error: unknown): Promise<Ended> {
    if (isCancellation(error)) {
      // The connection itself was cancelled; its own stop of a child is no reason to end.
      if (CancellationScope.current().consideredCancelled) throw error;
      return STOPPED;
    }
    if (recoveryOf(error) === 'stop-connection') {
      this.block(error);
      return STOPPED;
    }
    if (error instanceof WorkflowExecutionAlreadyStartedError) {
      const summary = 'the sync of this name is just ending';
      await condition(() => this.isLeaving, CHILD_BUSY_RETRY_MS, { summary });
      return STOPPED;
    }
    log.warn('sync failed', { code: failureOf(error).type });
    const problem = failureOf(error).message;
    // A rebuild and a reconciliation tell of themselves; they say nothing of the syncs.
    if (kind !== 'rebuild' && kind !== 'reconcile') this.change({ syncProblem: problem });
    return { outcome: 'failed', result: null, problem };
  }
}

const STOPPED: Ended = { outcome: 'stopped', result: null, problem: null };
