import { Client, Connection } from '@temporalio/client';
import type { ClientConnectConfig } from '@temporalio/envconfig';
import type { Config } from '../config.js';
import { ClosehaulError } from '../errors.js';
import { findTemporal } from '../local/temporal-server.js';

/** Where the commands find Temporal: as the environment says, else the one that `start` runs here. */
export function temporalOf(config: Config): ClientConnectConfig {
  if (config.temporal.connectionOptions.address !== undefined) return config.temporal;
  const local = findTemporal({ path: config.home });
  if (local === undefined) return config.temporal;
  const connectionOptions = { ...config.temporal.connectionOptions, address: local.address };
  return {
    ...config.temporal,
    namespace: config.temporal.namespace ?? local.namespace,
    connectionOptions,
  };
}

const CONNECT_TIMEOUT_MS = 5_000;

/** Throws TEMPORAL_UNREACHABLE. */
export async function connectClient(temporal: ClientConnectConfig): Promise<Client> {
  const { connectionOptions } = temporal;
  try {
    const connection = await Connection.connect({
      ...connectionOptions,
      connectTimeout: CONNECT_TIMEOUT_MS,
    });
    return new Client({
      connection,
      namespace: temporal.namespace ?? 'default',
      // One that has ended would still tell how it stood, as if it went on.
      workflow: { queryRejectCondition: 'NOT_OPEN' },
    });
  } catch (error) {
    const address = connectionOptions.address ?? 'localhost:7233';
    throw new ClosehaulError('TEMPORAL_UNREACHABLE', { address }, { cause: error });
  }
}

/** Runs `work` with a client that is closed afterwards. */
export async function withClient<T>(
  config: Config,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await connectClient(temporalOf(config));
  try {
    return await work(client);
  } finally {
    await client.connection.close();
  }
}
