import { Context } from '@temporalio/activity';
import type { Probe } from '../../src/activities/deps.js';
import type { SliceRef } from '../../src/contract.js';

/**
 * Stops a sync behind the pages that it has just committed, until the gate is opened or the sync is
 * told to stop. So a test can do something in the middle of it, however quick the machine is.
 */
export class PageGate {
  private open: () => void = () => undefined;
  private readonly opened = new Promise<void>((resolve) => (this.open = resolve));
  private reach: () => void = () => undefined;
  /** Settles when the first page is there. */
  readonly reached = new Promise<void>((resolve) => (this.reach = resolve));

  /** Of which slices it holds the pages. */
  constructor(private readonly holds: (ref: SliceRef) => boolean) {}

  readonly probe: Probe = async (point, ref) => {
    if (point !== 'page-committed' || ref === undefined || !this.holds(ref)) return;
    this.reach();
    await Promise.race([this.opened, Context.current().cancelled]);
  };

  readonly release = (): void => this.open();
}
