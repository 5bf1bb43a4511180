import { allHandlersFinished, condition, continueAsNew } from '@temporalio/workflow';
import { Entity } from './entity.js';
import { startState, type EntityInput } from './input.js';
import { listen } from './messages.js';

/**
 * One connection, for ever: opens it, runs its historical sync and its backfills in one lane and its
 * incremental syncs in the other, until it is cancelled. Position is never kept here; whatever ends
 * this workflow, starting it again goes on where the rows are.
 */
export async function closeConnection(input: EntityInput): Promise<void> {
  const entity = new Entity(startState(input));
  listen(entity);
  await entity.live();
  // From here only: a signal that arrives in this instant is still handled, and carried along.
  await condition(allHandlersFinished);
  await continueAsNew<typeof closeConnection>({ carried: entity.state });
}
