import { createCloseClient } from '../close/client.js';
import { createMemoryBudget } from '../close/memory-budget.js';
import { createCloseSource } from '../close/source.js';
import type { Config } from '../config.js';
import type { Identity } from '../core/ports.js';
import { ClosehaulError } from '../errors.js';
import { VERSION } from '../version.js';

const TIMEOUT_MS = 15_000;

/** Whom the key of a connection belongs to, by one request. Throws KEY_MISSING and Close's errors. */
export async function identifyKey(
  config: Pick<Config, 'keyOf' | 'closeUrl'>,
  schema: string,
): Promise<Identity> {
  const { key, variable } = config.keyOf(schema);
  if (key === undefined) throw new ClosehaulError('KEY_MISSING', { connection: schema, variable });
  const client = createCloseClient({
    ...{ connection: schema, keyVariable: variable, apiKey: key.reveal(), version: VERSION },
    ...{ baseUrl: config.closeUrl, budget: createMemoryBudget({ now: Date.now }) },
  });
  try {
    const source = createCloseSource({ client, warn: () => undefined });
    return await source.identify(AbortSignal.timeout(TIMEOUT_MS));
  } finally {
    client.close();
  }
}
