import { createCloseClient } from '../close/client.js';
import { createMemoryBudget } from '../close/memory-budget.js';
import { createCloseSource } from '../close/source.js';
import type { Config } from '../config.js';
import type { Identity, Source } from '../core/ports.js';
import { ClosehaulError } from '../errors.js';
import { VERSION } from '../version.js';

const TIMEOUT_MS = 15_000;

/** Whom the key of a connection belongs to, by one request. Throws KEY_MISSING and Close's errors. */
export async function identifyKey(
  config: Pick<Config, 'keyOf' | 'closeUrl'>,
  schema: string,
): Promise<Identity> {
  return withSource(config, schema, (source) => source.identify(AbortSignal.timeout(TIMEOUT_MS)));
}

/** Runs `work` with Close as the key of a connection sees it. Throws KEY_MISSING. */
export async function withSource<T>(
  config: Pick<Config, 'keyOf' | 'closeUrl'>,
  schema: string,
  work: (source: Source) => Promise<T>,
): Promise<T> {
  const { key, variable } = config.keyOf(schema);
  if (key === undefined) throw new ClosehaulError('KEY_MISSING', { connection: schema, variable });
  const client = createCloseClient({
    ...{ connection: schema, keyVariable: variable, apiKey: key.reveal(), version: VERSION },
    ...{ baseUrl: config.closeUrl, budget: createMemoryBudget({ now: Date.now }) },
  });
  try {
    return await work(createCloseSource({ client, warn: () => undefined }));
  } finally {
    client.close();
  }
}
