/** What `JSON.stringify` can write: every record of the sandbox is made of these. */
export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

/** A text as it is, any other value as JSON; what filters compare with. */
export function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}
