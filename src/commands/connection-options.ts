import {
  checkConnection,
  type CheckedConnection,
  type ConnectionRequest,
} from '../core/connection-request.js';
import { instantFromMillis } from '../core/instant.js';
import { ClosehaulError } from '../errors.js';

export type ConnectionOptions = ConnectionRequest;

/** Throws the catalogue's error for whatever is wrong, before anything is started. */
export function checkOptions(options: ConnectionOptions): CheckedConnection {
  const checked = checkConnection(options, instantFromMillis(Date.now()));
  if ('problem' in checked) throw new ClosehaulError(checked.problem);
  return checked.connection;
}
