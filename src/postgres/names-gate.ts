/**
 * Who may use the names of a schema in this process: many pages at a time, or one change alone. The
 * database has a lock for the same, which other processes see; those who wait for each other in one
 * process wait here, without a transaction that holds up others. A change goes before pages that wait.
 */
export class NamesGate {
  private readonly pages = new Set<Promise<void>>();
  /** The change that was asked for last, until it is over; it never rejects. */
  private lastChange: Promise<void> | undefined;

  /** Runs `work`, during which no name changes. It must not ask for a change: that would wait for it. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    while (this.lastChange !== undefined) await this.lastChange;
    const page = work();
    const settled = settle(page).then(() => void this.pages.delete(settled));
    this.pages.add(settled);
    return page;
  }

  /** Runs `work` after all changes that were asked for before and all pages that are under way. */
  async change<T>(work: () => Promise<T>): Promise<T> {
    const change = Promise.all([this.lastChange, ...this.pages]).then(work);
    const settled = settle(change).then(() => {
      if (this.lastChange === settled) this.lastChange = undefined;
    });
    this.lastChange = settled;
    return change;
  }
}

async function settle(work: Promise<unknown>): Promise<void> {
  await work.catch(() => undefined);
}
