import { isDeepStrictEqual } from 'node:util';
import { isJsonRecord, type JsonRecord, type JsonValue } from '../core/record.js';
import { isAbsent, isRefused } from './absent.js';
import { clockOf, fieldText, readListPage, type CloseList } from './list-page.js';

/**
 * Records by their ids from Advanced Filtering, many in one request. It gives the fields that it is
 * asked for, from an index that may lag, so it has to prove itself: `proof` is one of the records, as
 * Close gives it by its path just now. Where the search has that one differently, nothing it says is
 * taken.
 */
export async function searchedByIds(
  { client, signal }: Pick<CloseList, 'client' | 'signal'>,
  objectType: string,
  proof: JsonRecord,
  ids: readonly string[],
): Promise<{ records: readonly JsonRecord[]; requests: number }> {
  const path = '/data/search/';
  // Without the custom values, which have two forms.
  const fields = Object.keys(proof).filter((name) => !/^custom(\.|$)/.test(name));
  const body: JsonRecord = {
    query: {
      type: 'and',
      queries: [
        { type: 'object_type', object_type: objectType },
        {
          type: 'or',
          queries: [fieldText(proof, 'id'), ...ids].map((value) => ({ type: 'id', value })),
        },
      ],
    },
    // `custom`: all values, by the ids of their fields.
    _fields: { [objectType]: [...fields, 'custom'] },
    _limit: ids.length + 1,
  };
  try {
    const { rows, requests } = readListPage({ path }, await client.post(path, body, signal));
    const records = rows.map((row) => inOrderOf(fields, row));
    const seen = records.find((record) => record['id'] === proof['id']);
    const isProved = seen !== undefined && isDeepStrictEqual(byName(seen), byName(proof));
    const asked = records.filter((record) => ids.includes(fieldText(record, 'id')));
    return { records: isProved ? asked : [], requests };
  } catch (error) {
    if (!isAbsent(error) && !isRefused(error)) throw error;
    return { records: [], requests: 1 };
  }
}

/** Whether a record holds its copy of an object as an event tells of it, or a later one. */
export function holdsWhatIsTold(record: JsonRecord, event: JsonRecord): boolean {
  const copies = Object.values(record).flatMap((value) =>
    Array.isArray(value) ? (value as readonly JsonValue[]).filter(isJsonRecord) : [],
  );
  const copy = copies.find(({ id }) => id === event['object_id']);
  if (event['action'] === 'deleted') return copy === undefined;
  const { data } = event;
  if (copy === undefined || !isJsonRecord(data)) return false;
  const told = clockOf(data, 'date_updated');
  const held = clockOf(copy, 'date_updated');
  return told !== undefined && held !== undefined && held >= told;
}

function inOrderOf(fields: readonly string[], row: JsonRecord): JsonRecord {
  const told = fields.flatMap((name) => (row[name] === undefined ? [] : [[name, row[name]]]));
  const custom = Object.entries(row).filter(([name]) => name.startsWith('custom.'));
  return Object.fromEntries([...told, ...custom]) as JsonRecord;
}

/** All but the form by name that Close is about to give up. */
function byName(record: JsonRecord): JsonRecord {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== 'custom'));
}
