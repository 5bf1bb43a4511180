import axios from 'axios';
import { SECOND_MS } from '../core/instant.js';
import { checkBaseUrl, isLoopback } from './base-url.js';

const TIMEOUT_MS = 10 * SECOND_MS;

/**
 * Milliseconds by which Close's clock is ahead of ours, to the second, by the header of an answer to
 * a request without a key; undefined when the answer has none, or when none comes. Throws
 * CLOSE_URL_REFUSED.
 */
export async function closeClockAheadMs(
  baseUrl: string,
  connection: string,
  nowMs: () => number,
): Promise<number | undefined> {
  const url = checkBaseUrl(baseUrl, connection);
  const beforeMs = nowMs();
  try {
    const { headers } = await axios.head<unknown>(`${url}/me/`, {
      maxRedirects: 0,
      timeout: TIMEOUT_MS,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      validateStatus: () => true,
      ...(isLoopback(url) ? { proxy: false as const } : {}),
    });
    const toldMs = Date.parse(String(headers['date']));
    // The header is cut to the second; half of one is the best guess.
    const theirMs = toldMs + SECOND_MS / 2;
    return Number.isNaN(toldMs) ? undefined : theirMs - (beforeMs + nowMs()) / 2;
  } catch {
    // Whether Close answers is told by the request that carries the key.
    return undefined;
  }
}
