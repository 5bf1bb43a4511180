/**
 * Keeps what is being read for all who ask for it meanwhile and later; a failure only for those who wait
 * already, since a database that was away for a moment must not be remembered as away.
 */
export function remember<T>(
  known: Map<string, Promise<T>>,
  key: string,
  read: Promise<T>,
): Promise<T> {
  known.set(key, read);
  read.catch(() => known.get(key) === read && known.delete(key));
  return read;
}
