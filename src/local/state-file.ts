import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

/**
 * What we remember about a server from one run to the next. A file that cannot be understood is
 * the same as none: everything in it can be found out again.
 */
export function readState<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): z.infer<Schema> | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Readers see the old content or the new, never half of it. */
export function writeState(path: string, state: object): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}

export const identitySchema = z.object({ pid: z.number().int(), startTime: z.string() });
