import { CLOSE_STREAMS } from '../../src/close/streams.js';
import type { CustomFieldFamilies } from '../../src/core/stream.js';
import { isJsonRecord, type JsonRecord, type JsonValue } from '../../src/core/record.js';
import { textOf, type JsonObject } from '../../src/sandbox/json.js';
import type { SettingName } from '../../src/sandbox/records/settings/kinds.js';
import { difference, readBack, type Leaf } from '../postgres/read-back.js';
import { TEST_KEY } from '../support/stack.js';
import { SCHEMA, type Replica } from './replica.js';

/**
 * Where the tables of these streams and the account differ, a line for each record or leaf: lost,
 * ghost, stale with what it lacks or has instead, doubled. All that a record says is compared, by
 * way of the rows of all its tables.
 */
export async function differences(
  one: Replica,
  streams: readonly string[],
  /** Top-level fields that are not compared. */
  without: readonly string[] = [],
): Promise<string[]> {
  const labels = await readLabels(one);
  const lines: string[] = [];
  for (const stream of streams) lines.push(...(await differencesOf(one, stream, labels)));
  return lines.filter((line) => !without.some((field) => line.includes(` ["${field}"`)));
}

/** What the account holds of a stream, as the API gives it. */
async function livingOf({ sandbox }: Replica, stream: string): Promise<Iterable<JsonObject>> {
  const { world } = sandbox;
  const listed = LISTS[stream];
  if (listed !== undefined) return listed(sandbox.url);
  switch (stream) {
    case 'leads':
      return world.leads();
    case 'contacts':
      return world.contacts();
    case 'opportunities':
      return world.opportunities();
    case 'tasks':
      return world.tasks();
    case 'activities':
      return [...world.activities(), ...world.emailThreads()];
    case 'event_log':
      return world.events();
    default:
      return world.settings.all(stream as SettingName);
  }
}

type List = (url: string) => Promise<JsonObject[]>;

/** Where the API shows other than what there is: by whose key it is, or put together. */
const LISTS: Readonly<Record<string, List>> = {
  lead_statuses: (url) => rowsOf(url, '/status/lead/'),
  opportunity_statuses: (url) => rowsOf(url, '/status/opportunity/'),
  pipelines: (url) => rowsOf(url, '/pipeline/'),
  roles: (url) => rowsOf(url, '/role/'),
  outcomes: (url) => rowsOf(url, '/outcome/'),
  connected_accounts: (url) => rowsOf(url, '/connected_account/'),
  send_as: (url) => rowsOf(url, '/send_as/'),
  users: async (url) => {
    const { former } = await membershipsOf(url);
    return [...(await rowsOf(url, '/user/')), ...former.map(({ user }) => user as JsonObject)];
  },
  memberships: async (url) => {
    const { present, former } = await membershipsOf(url);
    return [...present, ...former];
  },
};

async function membershipsOf(url: string) {
  const { organizations } = await ask(url, '/me/');
  const [organization] = organizations as JsonObject[];
  const fields = ['memberships', 'inactive_memberships'];
  const query = `_fields=${fields.join()}&_expand=${fields.map((name) => `${name}__user`).join()}`;
  const body = await ask(url, `/organization/${textOf(organization?.id)}/?${query}`);
  const [present, former] = fields.map((name) => body[name] as JsonObject[]);
  return { present: present ?? [], former: former ?? [] };
}

async function rowsOf(url: string, path: string): Promise<JsonObject[]> {
  return (await ask(url, path)).data as JsonObject[];
}

async function ask(url: string, path: string): Promise<JsonObject> {
  const authorization = `Basic ${Buffer.from(`${TEST_KEY}:`).toString('base64')}`;
  const answer = await fetch(`${url}${path}`, { headers: { authorization } });
  return (await answer.json()) as JsonObject;
}

async function differencesOf(one: Replica, stream: string, labels: Labels): Promise<string[]> {
  const shape = CLOSE_STREAMS.find(({ name }) => name === stream);
  if (shape === undefined) throw new Error(`no stream ${stream}`);
  const versions = await readBack(
    { rows: (sql, values) => one.rows(sql, values), schema: SCHEMA, catalog: one.catalog },
    stream,
  );
  const alive = versions.size === 0 ? [] : await livingIn(one, stream, shape.loading);
  const lines = alive
    .filter((id, index) => id === alive[index - 1])
    .map((id) => `${stream} ${id}: doubled`);
  const expected = new Map(
    [...(await livingOf(one, stream))].map((record) => [textOf(record.id), record]),
  );
  const shown = new Set(alive);
  for (const id of shown) if (!expected.has(id)) lines.push(`${stream} ${id}: ghost`);
  for (const [id, record] of expected) {
    const all = versions.get(id) ?? [];
    const newest = all.at(-1);
    if (newest === undefined || !shown.has(id)) {
      lines.push(`${stream} ${id}: lost`);
      continue;
    }
    const folded = fold(record, shape.customFields, labels);
    const [lacks, has] = difference(folded, newest).map((leaves) =>
      leaves.filter((leaf) => !shape.volatileFields.includes(fieldOf(leaf))),
    ) as [string[], string[]];
    const copies = (leaf: string): string => withUsers(leaf, one.userNames);
    const told = { lacks: lacks.map(copies), has: has.map(copies) };
    const isStrange = (others: string[]) => (leaf: string) => !others.includes(copies(leaf));
    lines.push(
      ...lacks.filter(isStrange(told.has)).map((leaf) => `${stream} ${id}: lacks ${leaf}`),
    );
    lines.push(...has.filter(isStrange(told.lacks)).map((leaf) => `${stream} ${id}: has ${leaf}`));
    if (new Set(all.map(contentOf)).size < all.length) {
      lines.push(`${stream} ${id}: one version twice`);
    }
  }
  return lines;
}

async function livingIn(one: Replica, stream: string, loading: string): Promise<string[]> {
  const view = loading === 'append' ? `${stream}_current` : stream;
  const rows = await one.rows(
    `SELECT id FROM ${one.table(view)} WHERE _sdc_deleted_at IS NULL ORDER BY id`,
  );
  return rows.map(({ id }) => String(id));
}

/** With the user in the place of each name, whatever the user was called when it was copied. */
function withUsers(leaf: string, names: ReadonlyMap<string, string>): string {
  let text = leaf;
  for (const [name, id] of names) text = text.replace(name, id);
  return text;
}

/** The first field on a leaf's way. */
function fieldOf(leaf: string): string {
  return /^\["((?:[^"\\]|\\.)*)"/.exec(leaf)?.[1] ?? '';
}

function contentOf(leaves: readonly Leaf[]): string {
  return leaves
    .map(({ place, value }) => `${place} ${value}`)
    .sort()
    .join('\n');
}

/** By family and id, what the column of a custom field is called. */
type Labels = ReadonlyMap<string, string>;

async function readLabels(one: Replica): Promise<Labels> {
  const rows = await one.rows(
    'SELECT family, field_id, label FROM closehaul.custom_fields WHERE schema_name = $1',
    [SCHEMA],
  );
  return new Map(
    rows.map(({ family, field_id: id, label }) => [
      `${String(family)} ${String(id)}`,
      String(label),
    ]),
  );
}

/** Close gives custom values twice, by name and by id; the tables have each once, under its label. */
function fold(
  record: JsonRecord,
  families: CustomFieldFamilies | null,
  labels: Labels,
): JsonRecord {
  if (families === null) return record;
  const custom: Record<string, JsonValue> = {};
  const folded: Record<string, JsonValue> = { custom };
  for (const [field, value] of Object.entries(record)) {
    const id = field.startsWith('custom.') ? field.slice('custom.'.length) : undefined;
    const family = families.nested[field];
    if (id !== undefined) custom[labels.get(`${families.own} ${id}`) ?? id] = value;
    else if (family !== undefined && Array.isArray(value)) {
      const own = { own: family, nested: {} };
      folded[field] = (value as JsonValue[]).map((each) =>
        isJsonRecord(each) ? fold(each, own, labels) : each,
      );
    } else if (field !== 'custom') folded[field] = value;
  }
  return folded;
}
