import axios from 'axios';
import { ClosehaulError } from '../errors.js';

/**
 * What went wrong on the wire, in words that carry no address, key or body.
 *
 * - `cut`      the answer ended before its end
 * - `tooLarge` the answer passed the size cap
 * - `tls`      the certificate is not valid: no retry can help
 * - `down`     everything else: retry
 */
export interface TransportFault {
  readonly is: 'cut' | 'tooLarge' | 'tls' | 'down';
  readonly kind: string;
}

const KINDS: Readonly<Record<string, string>> = {
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  ECONNREFUSED: 'connection refused',
  ECONNABORTED: 'timeout',
  ETIMEDOUT: 'timeout',
  ENOTFOUND: 'cannot resolve the host name',
  EAI_AGAIN: 'cannot resolve the host name now',
  ENETUNREACH: 'network unreachable',
  EHOSTUNREACH: 'host unreachable',
  EPROTO: 'no TLS on the other side',
};

/** Certificate faults of OpenSSL and node:tls. A reset during the handshake is not among them. */
const CERTIFICATE =
  /^(CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|PATH_LENGTH_EXCEEDED|ERR_TLS_CERT_)/;

/**
 * Reads what an axios call threw. An AxiosError holds the key, the address and the answer, and
 * prints them when inspected, so it ends here: only the fault's name goes on.
 */
export function readTransportFault(error: unknown): TransportFault {
  const code = errorCode(error);
  if (CERTIFICATE.test(code)) return { is: 'tls', kind: code };
  if (axios.isAxiosError(error) && error.message.startsWith('maxContentLength')) {
    return { is: 'tooLarge', kind: 'too large' };
  }
  if (axios.isAxiosError(error) && error.response !== undefined) {
    return { is: 'cut', kind: 'connection lost inside the answer' };
  }
  // An unknown code is a name of Node or OpenSSL, but only one that looks like a name is repeated.
  const fallback = /^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? code : 'request failed';
  return { is: 'down', kind: KINDS[code] ?? fallback };
}

/** True when the server had closed a kept-alive connection before it read our request. */
export function isStaleConnection(error: unknown): boolean {
  if (!axios.isAxiosError(error) || error.response !== undefined) return false;
  const code = errorCode(error);
  const request = error.request as { reusedSocket?: unknown } | undefined;
  return (code === 'ECONNRESET' || code === 'EPIPE') && request?.reusedSocket === true;
}

/** The catalogue's error for a fault. `path` is a pattern without ids. No cause: see above. */
export function transportError(
  fault: TransportFault,
  path: string,
  connection: string,
  bytesMax: number,
): ClosehaulError {
  const { kind } = fault;
  switch (fault.is) {
    case 'tls':
      return new ClosehaulError('CLOSE_TLS', { connection, kind });
    case 'cut':
      return new ClosehaulError('CLOSE_BODY_INCOMPLETE', { path, kind });
    case 'tooLarge':
      return new ClosehaulError('CLOSE_BODY_TOO_LARGE', { path, bytesMax });
    case 'down':
      return new ClosehaulError('CLOSE_UNAVAILABLE', { path, kind });
  }
}

function errorCode(error: unknown): string {
  const code: unknown =
    typeof error === 'object' && error !== null && 'code' in error ? error.code : '';
  return typeof code === 'string' ? code : '';
}
