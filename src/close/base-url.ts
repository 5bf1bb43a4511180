import { ClosehaulError } from '../errors.js';

const LOOPBACK = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * The base URL without its trailing slash. Throws CLOSE_URL_REFUSED unless it is `https:`, or
 * `http:` to this machine (the sandbox): the key must never travel unencrypted. Names, not
 * addresses, are compared, so nothing is looked up here.
 */
export function checkBaseUrl(text: string, connection: string): string {
  const reason = refusal(text);
  if (reason !== undefined) throw new ClosehaulError('CLOSE_URL_REFUSED', { connection, reason });
  return new URL(text).href.replace(/\/+$/, '');
}

export function isLoopback(url: string): boolean {
  return LOOPBACK.test(new URL(url).hostname);
}

/** Says why, without repeating the URL: it may hold a password. */
function refusal(text: string): string | undefined {
  if (!URL.canParse(text)) return 'it is not a URL';
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'it holds a user name or a password';
  if (url.search !== '' || url.hash !== '') return 'it holds a query or a fragment';
  if (url.protocol === 'https:') return undefined;
  if (url.protocol !== 'http:') return 'it is neither https: nor http:';
  return LOOPBACK.test(url.hostname) ? undefined : 'http: is for this machine only';
}
