import { createHash } from 'node:crypto';
import type { Denested } from '../core/denest.js';

/**
 * A record as it is loaded. Its content, which is as long as the record, becomes a hash before the page
 * waits for its turn: 10 MiB less at the peak of a history, and 0.5 ms less in each transaction.
 */
export interface LoadableRecord extends Omit<Denested, 'content'> {
  /** What tells this version of the record from every other: 32 hexadecimal digits. */
  readonly hash: string;
}

export function loadable({ content, ...record }: Denested): LoadableRecord {
  return { ...record, hash: createHash('md5').update(content).digest('hex') };
}
