import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import {
  setCurrentDetails,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { SearchAttributeName, SyncInput } from '../contract.js';
import { statusAnswer, type ConnectionState } from './connection-state.js';
import { currentDetails } from './details.js';

/** What a connection shows of itself in Temporal: details for one who looks, attributes for one who searches. */
export function makeVisible(state: ConnectionState): void {
  const answer = statusAnswer(state);
  setCurrentDetails(currentDetails(answer, Date.now()));
  const { status, name, syncedThrough } = answer;
  const wanted: Readonly<Record<SearchAttributeName, SearchAttributePair | null>> = {
    // What an SQL database keeps of a keyword.
    CloseConnection: { key: CONNECTION, value: name.slice(0, 255) },
    // A sync that comes and goes is no news, and two events in each history.
    CloseState: status === 'Syncing' ? null : { key: STATE, value: status },
    CloseSyncedThrough:
      syncedThrough === null ? null : { key: SYNCED_THROUGH, value: new Date(syncedThrough) },
  };
  // One that the server does not know would wedge the workflow, so only what it was found to have.
  const changed = (state.searchAttributes ?? []).flatMap((attribute) => {
    const pair = wanted[attribute];
    return pair === null || isSet(pair) ? [] : [pair];
  });
  if (changed.length > 0) upsertSearchAttributes(changed);
}

const CONNECTION = defineSearchAttributeKey('CloseConnection', 'KEYWORD');
const STATE = defineSearchAttributeKey('CloseState', 'KEYWORD');
const SYNCED_THROUGH = defineSearchAttributeKey('CloseSyncedThrough', 'DATETIME');

function isSet({ key, value }: SearchAttributePair): boolean {
  const present = workflowInfo()
    .typedSearchAttributes.getAll()
    .find((pair) => pair.key.name === key.name);
  return present !== undefined && JSON.stringify(present.value) === JSON.stringify(value);
}

/** For lists of workflows and for tools: which connection this is, also where its id does not say so. */
export function rememberConnection(state: ConnectionState): void {
  const { name, schema } = state.connection;
  const memo = { connection: name, schema, streams: state.open?.streams ?? [] };
  const present = workflowInfo().memo ?? {};
  const isSame = Object.entries(memo).every(
    ([field, value]) => JSON.stringify(present[field]) === JSON.stringify(value),
  );
  if (!isSame) upsertMemo(memo);
}

/** What a sync is for, in a line above its history. */
export function childSummary({ name, kind, from, to }: SyncInput): string {
  const range = from === undefined ? '' : ` from ${from.slice(0, 10)}`;
  const end = to === undefined ? '' : ` to ${to.slice(0, 10)}`;
  return `${kind ?? 'historical'} sync of ${name}${range}${end}`;
}
