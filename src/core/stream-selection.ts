/**
 * Which streams a connection syncs, and without which fields.
 *
 *   ['leads', 'activities']       these two
 *   ['-event_log']                all but this
 *   ['all', 'leads.-contacts']    all; leads without their field `contacts`
 *
 * A term with a field says nothing of whether the stream is synced. A stream's key and clocks are
 * needed, and stay whatever is left out.
 */
export interface StreamSelection {
  readonly streams: readonly string[];
  /** Fields that are left out, by stream. */
  readonly leftOut: ReadonlyMap<string, readonly string[]>;
}

const ALL = 'all';

/** `terms` null means all. Gives the first name that is not known, if there is one. */
export function selectStreams(
  terms: readonly string[] | null,
  known: readonly string[],
): StreamSelection | { readonly unknown: string } {
  const included: string[] = [];
  const excluded: string[] = [];
  const leftOut = new Map<string, readonly string[]>();
  for (const term of (terms ?? []).map((text) => text.trim()).filter((text) => text !== '')) {
    const [stream = '', field] = term.split('.-', 2);
    const name = stream.replace(/^-/, '');
    if (name !== ALL && !known.includes(name)) return { unknown: term };
    if (field !== undefined) {
      if (field === '' || name !== stream || name === ALL) return { unknown: term };
      leftOut.set(name, [...(leftOut.get(name) ?? []), field]);
    } else if (stream.startsWith('-')) {
      excluded.push(name);
    } else if (name !== ALL) {
      included.push(name);
    }
  }
  const base = included.length > 0 ? included : known;
  const streams = known.filter((name) => base.includes(name) && !excluded.includes(name));
  return { streams, leftOut };
}
