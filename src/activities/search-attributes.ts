import { Context } from '@temporalio/activity';
import type { ConnectionLike } from '@temporalio/client';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import { SEARCH_ATTRIBUTES, type SearchAttributeName } from '../contract.js';

const NAMES = Object.keys(SEARCH_ATTRIBUTES) as SearchAttributeName[];

/** Those of our search attributes that may be set. None where the server does not say: never a failure. */
export async function readSearchAttributes(): Promise<readonly SearchAttributeName[]> {
  const { client, info } = Context.current();
  const { namespace } = info;
  return registeredAttributes(client.connection, namespace).catch(() => []);
}

/** Throws what the server says: some let nobody ask. */
export async function registeredAttributes(
  { operatorService }: Pick<ConnectionLike, 'operatorService'>,
  namespace: string,
): Promise<readonly SearchAttributeName[]> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  return NAMES.filter((name) => customAttributes?.[name] === indexedType(name));
}

/** Makes those that are missing. Throws what the server says. */
export async function registerAttributes(
  connection: Pick<ConnectionLike, 'operatorService'>,
  namespace: string,
): Promise<readonly SearchAttributeName[]> {
  const known = await registeredAttributes(connection, namespace);
  const missing = NAMES.filter((name) => !known.includes(name));
  const searchAttributes = Object.fromEntries(
    missing.map((name) => [name, indexedType(name) ?? 0]),
  );
  if (missing.length > 0) {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
  }
  return missing;
}

/** The number of its type in Temporal's protocol. */
function indexedType(name: SearchAttributeName) {
  return encodeSearchAttributeIndexedValueType(SEARCH_ATTRIBUTES[name]);
}
