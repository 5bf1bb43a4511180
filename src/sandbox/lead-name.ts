/** What a lead is called, in its own record and in all that copy the name. */
import { contactFacts } from './contact-record.js';
import { Random } from './random.js';
import { companyKinds, companyStems } from './vocabulary.js';
import type { WorldData } from './world-data.js';

const STREAM = 50;

/** Some leads have no name of their own. */
export function leadName(data: WorldData, lead: number): string {
  const changed = data.tables.leads.fieldsOf(lead)?.name;
  if (typeof changed === 'string') return changed;
  const random = new Random(data.seed, STREAM, lead);
  if (random.chance(0.02)) return '';
  return `${random.pick(companyStems)} ${random.pick(companyKinds)} ${String(lead + 1)}`;
}

/** A lead without a name is shown by its first contact's. */
export function leadDisplayName(data: WorldData, lead: number): string {
  const name = leadName(data, lead);
  if (name !== '') return name;
  const [first] = data.childrenOf(lead, 'contacts');
  return first === undefined ? 'Untitled' : contactFacts(data, first).name;
}
