/** Which custom objects a lead was laid out with: fields refer to them, so their ids are known first. */
import { base62 } from '../ids.js';
import { Random } from '../random.js';
import type { WorldData } from '../world/world-data.js';

const STREAM = 76;
const SHARE = 0.2;

export function customObjectIds(data: WorldData, lead: number): string[] {
  const random = new Random(data.seed, STREAM, lead);
  if (lead >= data.tables.leads.baseCount || !random.chance(SHARE)) return [];
  return Array.from({ length: 1 + random.below(2) }, () => `co_${base62(random, 22)}`);
}
