/**
 * What a key may see: a key has the role of the user who made it. Close documents what
 * administrators alone get from the event log; which lists other roles are refused is not told
 * anywhere, so those here are an example of it.
 */
import { hashText } from '../random.js';
import type { World } from '../world/world.js';
import { ApiError } from './api-error.js';
import type { ApiContext } from './context.js';

export const roles = ['admin', 'user', 'restricteduser'] as const;
export type Role = (typeof roles)[number];

export function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text);
}

/** First parts of paths that a role is refused with 403. */
const REFUSED: Readonly<Record<Role, readonly string[]>> = {
  admin: [],
  user: ['/export/', '/bulk_action/', '/webhook/', '/blocked_phone_number/'],
  restricteduser: [
    ...['/export/', '/bulk_action/', '/webhook/', '/blocked_phone_number/', '/event/', '/dialer/'],
    ...['/custom_field/', '/custom_field_schema/', '/sequence_subscription/', '/integration_link/'],
  ],
};

export const FORBIDDEN = { error: 'You do not have permission to perform this action.' };

/** One question for each thing that a role may hide. */
export interface Reader {
  /** Whether every lead is visible: then nothing needs to be looked at one by one. */
  readonly seesAll: boolean;
  readonly lead: (id: string | null) => boolean;
}

export class Rights {
  constructor(private readonly world: World) {}

  /** Throws the 403 of a path, below the base, that the role may not read. */
  check(role: Role, path: string): void {
    if (REFUSED[role].some((refused) => path.startsWith(refused))) {
      throw new ApiError(403, FORBIDDEN);
    }
  }

  /** A restricted user sees a third of the leads, and nothing of the others. */
  reader(c: ApiContext): Reader {
    if (c.get('role') !== 'restricteduser') return { seesAll: true, lead: () => true };
    return { seesAll: false, lead: (id) => id !== null && this.isOwn(id) };
  }

  private isOwn(id: string): boolean {
    return hashText(`${String(this.world.data.seed)} ${id}`) % 3 === 0;
  }
}
