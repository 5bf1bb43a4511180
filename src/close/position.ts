import { z } from 'zod';
import { parseInstant, type Instant } from '../core/instant.js';
import type { Position } from '../core/stream.js';
import type { CloseList } from './list-page.js';
import { pathPattern } from './rate-limit.js';

const count = z.number().int().nonnegative();

export const instantSchema = z.custom<Instant>(
  (value) => typeof value === 'string' && parseInstant(value) === value,
);

/** The part of a stored position that SkipWalk reads. */
export const skipStateSchema = z.object({
  skip: count,
  limit: z.number().int().positive(),
  back: count,
  marks: z.array(z.tuple([z.string(), z.string()]).readonly()).readonly(),
  read: count.nullable().default(null),
});

/**
 * A stored position, or undefined when there is none or this version cannot read it. The slice is
 * then read from its beginning: that repeats rows and loses none.
 */
export function readPosition<State>(
  schema: z.ZodType<State>,
  position: Position | null,
  list: Pick<CloseList, 'path' | 'warn'>,
): State | undefined {
  if (position === null) return undefined;
  const parsed = schema.safeParse(position);
  if (parsed.success) return parsed.data;
  list.warn({
    code: 'CLOSE_POSITION_UNREADABLE',
    path: pathPattern(list.path),
    message: 'The stored position is of another version; the slice is read from its beginning.',
  });
  return undefined;
}
