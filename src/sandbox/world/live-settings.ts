/** What people do to settings and small records while the sandbox runs. */
import type { JsonObject } from '../json.js';
import { Random } from '../random.js';
import type { SettingName } from '../records/settings/kinds.js';
import { familyNames, givenNames, sentences, subjects } from '../records/vocabulary.js';
import type { World } from './world.js';

type Act = (world: World, random: Random) => void;

function some(world: World, name: SettingName, random: Random): string | undefined {
  const ids = world.settings.ids(name);
  return ids.length === 0 ? undefined : random.pick(ids);
}

/** An edit of some record of a kind, where there is one. */
function edit(name: SettingName, values: (random: Random) => JsonObject): Act {
  return (world, random) => {
    const id = some(world, name, random);
    if (id !== undefined) world.settings.update(name, id, values(random));
  };
}

function drop(name: SettingName): Act {
  return (world, random) => {
    const id = some(world, name, random);
    if (id !== undefined) world.settings.delete(name, id);
  };
}

/** Records that come and go every day. */
const DAILY: readonly Act[] = [
  edit('custom_objects', (random) => ({ name: `Machine ${String(random.below(1_000))}` })),
  edit('custom_objects', (random) => ({ name: `Machine ${String(random.below(1_000))}` })),
  drop('custom_objects'),
  edit('sequence_subscriptions', () => ({ status: 'paused', pause_reason: 'manual' })),
  edit('sequence_subscriptions', () => ({ status: 'active', pause_reason: null })),
  edit('comments', (random) => ({ body: `<body><p>${random.pick(sentences)}</p></body>` })),
  // Churns by itself in Close, too.
  edit('connected_accounts', (random) => ({ receive_attempts_count: random.below(9) })),
  (world, random) => {
    const lead = livingLead(world, random);
    if (lead === undefined) return;
    const name = `Machine ${String(random.below(1_000))}`;
    createCustomObject(world, world.data.tables.leads.ids.encode(lead), name);
  },
];

/** What administrators do now and then. */
const RARE: readonly Act[] = [
  edit('email_templates', (random) => ({ subject: random.pick(subjects) })),
  edit('smart_views', (random) => ({ name: random.pick(subjects) })),
  edit('sequences', (random) => ({ name: random.pick(subjects) })),
  edit('groups', (random) => ({ name: `Team ${random.pick(familyNames)}` })),
  (world, random) =>
    void world.settings.create('email_templates', {
      ...{ name: random.pick(subjects), subject: random.pick(subjects), body: '<p></p>' },
      ...{ attachments: [], is_shared: true, is_archived: false, unsubscribe_link_option: null },
    }),
  (world, random) => {
    const user = random.pick(world.data.organization.users);
    world.settings.renameUser(user.id, random.pick(givenNames), random.pick(familyNames));
  },
  (world, random) => {
    const field = random.pick(world.data.organization.customFields.contact);
    const name = field.name.endsWith(' (old)') ? field.name.slice(0, -6) : `${field.name} (old)`;
    if (!field.isGone) world.settings.updateCustomField('contact', field.id, { name });
  },
];

/** With all fields that the older ones have: a search refuses what it does not know. */
export function createCustomObject({ data, settings }: World, leadId: string, name: string): void {
  const { organization } = data;
  const [user] = organization.users;
  settings.create('custom_objects', {
    organization_id: organization.id,
    custom_object_type_id: organization.objectTypeId,
    ...{ lead_id: leadId, name, created_by: user?.id ?? null, updated_by: user?.id ?? null },
  });
}

export function changeSetting(world: World, random: Random): void {
  random.pick(random.chance(0.8) ? DAILY : RARE)(world, random);
}

function livingLead(world: World, random: Random): number | undefined {
  const order = world.data.tables.leads.order('created');
  return order.slice(random.below(order.size), 1)[0];
}
