import type { ErrorEntry } from './entry.js';

/** What can go wrong with Close and the network on the way to it. */
export const CLOSE_ERRORS = {
  CLOSE_KEY_REJECTED: {
    recovery: 'stop-connection',
    message: 'Close rejected the API key of connection {connection} (HTTP {status}).',
    next: 'Put a valid key into {variable}, restart or signal "resume"; nothing that was loaded is lost.',
  },
  CLOSE_URL_REFUSED: {
    recovery: 'stop-connection',
    exitCode: 2,
    message: 'The base URL of connection {connection} is not allowed: {reason}.',
    next: 'Set CLOSE_API_URL to an https: address, or to http: on this machine (localhost) for the sandbox.',
  },
  CLOSE_FORBIDDEN: {
    recovery: 'fail-stream',
    message: 'Close does not let the key of connection {connection} read {path} (HTTP 403).',
    next: "Give the role of the key's user access to it, or leave the stream out; the next sync tries it again.",
  },
  CLOSE_NOT_FOUND: {
    recovery: 'fail-stream',
    message: 'Close has no {path} for connection {connection} (HTTP 404).',
    next: 'Check that CLOSE_API_URL ends in /api/v1; else leave the stream out. The next sync tries it again.',
  },
  CLOSE_BAD_REQUEST: {
    recovery: 'fail-stream',
    message: 'Close refused the request to {path} (HTTP {status}; fields named: {fields}).',
    next: 'HTTP 402 means a limit of your Close plan. Else Close may have changed its API: update Closehaul.',
  },
  CLOSE_SKIP_TOO_FAR: {
    recovery: 'retry',
    message: 'Close pages {path} only up to row {maxSkip}.',
    next: 'Nothing to do: the range is read in smaller parts.',
  },
  CLOSE_WINDOW_TOO_DENSE: {
    recovery: 'fail-stream',
    message: 'Close holds more rows of {path} than it pages through in the {unit} from {from}.',
    next: 'Ask Close to raise the limit for your organization, or start the sync after that time.',
  },
  CLOSE_FILTER_IGNORED: {
    recovery: 'fail-stream',
    message: 'Close did not apply the filter on {field} to {path}.',
    next: 'Close may have changed its API: update Closehaul. Nothing that was loaded is lost.',
  },
  CLOSE_RATE_LIMITED: {
    recovery: 'retry',
    message: 'Close limits {group} for another {waitMs} ms.',
    next: 'Nothing to do: the sync goes on by itself. Other programs on the same key share the limit.',
  },
  CLOSE_UNAVAILABLE: {
    recovery: 'retry',
    message: 'Close did not answer {path}: {kind}.',
    next: 'Nothing to do if it passes; else look at status.close.com and at the network of this machine.',
  },
  CLOSE_TLS: {
    recovery: 'stop-connection',
    message: "The certificate of connection {connection}'s Close address is not valid: {kind}.",
    next: 'Check CLOSE_API_URL, the clock, and NODE_EXTRA_CA_CERTS behind a company proxy; then signal "resume".',
  },
  CLOSE_REDIRECTED: {
    recovery: 'stop-connection',
    message:
      'Close answered {path} with a redirect (HTTP {status}); it was not followed, to keep the key here.',
    next: 'Check CLOSE_API_URL of connection {connection}, then signal "resume".',
  },
  CLOSE_BODY_INCOMPLETE: {
    recovery: 'retry',
    message: 'The answer of {path} was cut or damaged on its way: {kind}.',
    next: 'Nothing to do if it passes; nothing of a damaged answer was loaded.',
  },
  CLOSE_UNEXPECTED_BODY: {
    recovery: 'retry',
    message:
      'The answer of {path} is not what Close documents: {kind} (HTTP {status}, {contentType}, {bytes} bytes).',
    next: 'Check CLOSE_API_URL and any proxy in between; else Close may have changed its API.',
  },
  CLOSE_BODY_TOO_LARGE: {
    recovery: 'fail-stream',
    message: 'The answer of {path} is larger than {bytesMax} bytes, even when read row by row.',
    next: 'One record is too large to load; shorten it in Close.',
  },
  CLOSE_PAGING_LOOP: {
    recovery: 'retry',
    message: 'Close promises more rows of {path} but gives no new ones.',
    next: 'Nothing to do if it passes; nothing was skipped.',
  },
  CLOSE_RECORDS_MISSING: {
    recovery: 'fail-stream',
    message:
      'Close counts {missing} more records of {stream} than it gives, also when asked twice.',
    next: 'Nothing to do if it passes: the next sync reads them again. Else ask Close which of the two is right.',
  },
  CLOSE_STREAM_UNKNOWN: {
    recovery: 'fail-stream',
    message: 'This version of Closehaul reads no stream {stream} with a part {part}.',
    next: 'Run "closehaul streams" for the names, and update every worker to one version.',
  },
} as const satisfies Record<string, ErrorEntry>;
