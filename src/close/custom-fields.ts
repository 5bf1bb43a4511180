import type { CustomFieldDefinition } from '../core/ports.js';
import { isAbsent } from './absent.js';
import type { CloseClient } from './client.js';
import { fetchListPage, fieldText } from './list-page.js';

const PAGE_SIZE = 100;

/**
 * One family's custom fields (`lead`, `contact`, `opportunity`, `activity`), the shared ones
 * included: Close lists those under each family that uses them. Null when this key may not read the
 * definitions (403) or the account has no such family (404).
 *
 * The list is short and hardly moves, so it is paged by `_skip` until a page brings nothing new.
 */
export async function fetchCustomFields(
  client: CloseClient,
  family: string,
  signal: AbortSignal,
): Promise<readonly CustomFieldDefinition[] | null> {
  const fields = new Map<string, CustomFieldDefinition>();
  const path = `/custom_field/${family}/` as const;
  const list = { client, path, signal };
  try {
    for (let skip = 0; ;) {
      const known = fields.size;
      const { rows, hasMore } = await fetchListPage(list, { _skip: skip, _limit: PAGE_SIZE });
      for (const row of rows) {
        const id = fieldText(row, 'id');
        const type = typeof row['type'] === 'string' ? row['type'] : null;
        fields.set(id, { id, name: fieldText(row, 'name'), type });
      }
      if (!hasMore || fields.size === known) return [...fields.values()];
      skip += rows.length;
    }
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}
