import { setTimeout as delay } from 'node:timers/promises';
import Table from 'cli-table3';
import type { Config } from '../config.js';
import {
  REQUEST_RECONCILE_UPDATE,
  type ReconcileAnswer,
  type ReconcileStatus,
  type StatusAnswer,
} from '../contract.js';
import { number } from '../core/words.js';
import { withClient } from './client.js';
import { readStatus } from './connection.js';
import { ask } from './operate.js';
import { answer, type Output } from './output.js';

const LOOK_EVERY_MS = 1_000;

/**
 * Asks a connection to compare all that Close has with its tables, waits for the end, and shows what
 * was found. False when something still differs, or not all could be compared.
 */
export async function reconcile(
  config: Config,
  name: string,
  streams: readonly string[] | undefined,
  output: Output,
): Promise<boolean> {
  return withClient(config, async (client) => {
    const request = streams === undefined ? {} : { streams };
    const asked = await ask<ReconcileAnswer>(client, name, REQUEST_RECONCILE_UPDATE, request);
    if (!output.isJson) output.print(`Reconciliation ${asked.id} of "${name}": ${asked.status}.`);
    for (;;) {
      const status = await readStatus(client, name);
      const ended = endOf(status, asked.id);
      if (ended !== undefined) {
        answer(output, ended, reconcileText(ended));
        return ended.status === 'done' && ended.streams.every(isSettled);
      }
      await delay(LOOK_EVERY_MS);
    }
  });
}

/** The reconciliation when there is nothing to wait for; one that another took the place of, too. */
function endOf({ reconcile, status, problem }: StatusAnswer, id: string) {
  if (reconcile === null) return undefined;
  if (reconcile.id !== id || ['done', 'incomplete'].includes(reconcile.status)) return reconcile;
  // Nobody knows when it goes on.
  const isWaiting = status === 'Paused' || status === 'Blocked';
  const why = `The connection is ${status.toLowerCase()}; it goes on after "closehaul resume".`;
  return isWaiting ? { ...reconcile, problem: problem ?? why } : undefined;
}

function isSettled({ source, unresolved }: ReconcileStatus['streams'][number]): boolean {
  return source !== null && unresolved === 0;
}

function reconcileText({ streams, status, problem }: ReconcileStatus): string {
  const table = new Table({
    head: ['stream', 'in Close', 'in the table', 'missing', 'outdated', 'vanished', 'still differ'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const one of streams) {
    const counts = [one.source, one.warehouse, one.missing, one.outdated, one.vanished];
    table.push([
      one.stream,
      ...[...counts, one.unresolved].map((count) => (count === null ? '?' : number(count))),
    ]);
  }
  const lines = streams.length === 0 ? [] : [table.toString()];
  for (const { stream, note } of streams) if (note !== null) lines.push(`${stream}: ${note}`);
  if (problem !== null) lines.push(`${status}: ${problem}`);
  if (streams.some((one) => one.unresolved > 0)) {
    lines.push(
      'What still differs was refused by PostgreSQL (see "closehaul rejected") or by Close.',
    );
  }
  return lines.join('\n');
}
