/** The changes of settings that a test or the running sandbox can make; each tells what it did. */
import type { JsonObject } from '../json.js';
import type { CustomFieldHolder } from '../records/custom-field.js';
import { settingKinds, type SettingName } from '../records/settings/kinds.js';
import type { SettingKind } from '../records/settings/kind.js';
import {
  OrganizationChanges,
  type FieldPlan,
  type OrganizationChange,
} from './organization-changes.js';
import type { Settings } from './settings.js';
import type { WorldData } from './world-data.js';

/** A change as the log of events and the ledger want it. */
export interface ToldChange {
  /** The kind's name where the ledger keeps it. */
  readonly name: SettingName | undefined;
  /** Undefined where the event log tells nothing. */
  readonly objectType: string | undefined;
  readonly action: string;
  readonly before: JsonObject | undefined;
  readonly after: JsonObject | undefined;
}

export function actionOfChange(before: unknown, after: unknown): string {
  return before === undefined ? 'created' : after === undefined ? 'deleted' : 'updated';
}

export class SettingChanges {
  private readonly organization: OrganizationChanges;

  constructor(
    data: WorldData,
    private readonly settings: Settings,
    private readonly clock: () => number,
    private readonly tell: (change: ToldChange) => void,
  ) {
    this.organization = new OrganizationChanges(data);
  }

  all(name: SettingName): JsonObject[] {
    return this.settings.all(name);
  }

  ids(name: SettingName): string[] {
    return this.settings.ids(name);
  }

  create(name: SettingName, values: JsonObject = {}): JsonObject {
    return this.told(name, this.settings.create(name, values, this.clock())) ?? {};
  }

  /** `action` where the log has a word of its own, as `completed`. */
  update(name: SettingName, id: string, values: JsonObject, action?: string): JsonObject {
    const change = this.settings.update(name, id, values, this.clock());
    return this.told(name, change, action) ?? {};
  }

  delete(name: SettingName, id: string): void {
    this.told(name, this.settings.delete(name, id));
  }

  /** Every opportunity has it, without an event or a new `date_updated` (Close docs, event types). */
  setCurrency(currency: string): void {
    this.organization.setCurrency(currency);
    this.changedLabels();
  }

  renameUser(id: string, firstName: string, lastName: string): void {
    this.organization.renameUser(id, firstName, lastName);
    this.changedLabels();
  }

  activateUser(id: string): void {
    this.toldOrganization(this.organization.setActive(id, true), 'activated');
  }

  deactivateUser(id: string): void {
    this.toldOrganization(this.organization.setActive(id, false), 'deactivated');
  }

  createLeadStatus(label: string): JsonObject {
    return this.toldOrganization(this.organization.createLeadStatus(label)) ?? {};
  }

  renameLeadStatus(id: string, label: string): void {
    this.toldOrganization(this.organization.renameLeadStatus(id, label));
  }

  deleteLeadStatus(id: string): void {
    this.toldOrganization(this.organization.deleteLeadStatus(id));
  }

  renameOpportunityStatus(id: string, label: string): void {
    this.toldOrganization(this.organization.renameOpportunityStatus(id, label));
  }

  renamePipeline(id: string, name: string): void {
    this.organization.renamePipeline(id, name);
    this.changedLabels();
  }

  createCustomField(holder: CustomFieldHolder, plan: FieldPlan): JsonObject {
    const change = this.organization.createCustomField(holder, plan, this.clock());
    return this.toldOrganization(change) ?? {};
  }

  updateCustomField(holder: CustomFieldHolder, id: string, plan: Partial<FieldPlan>): JsonObject {
    const change = this.organization.updateCustomField(holder, id, plan, this.clock());
    return this.toldOrganization(change) ?? {};
  }

  deleteCustomField(holder: CustomFieldHolder, id: string): void {
    this.toldOrganization(this.organization.deleteCustomField(holder, id));
  }

  private told(
    name: SettingName,
    { before, after }: Pick<ToldChange, 'before' | 'after'>,
    action = actionOfChange(before, after),
  ): JsonObject | undefined {
    const kind: SettingKind = settingKinds[name];
    this.tell({ name, objectType: kind.objectType, action, before, after });
    return after;
  }

  private toldOrganization(change: OrganizationChange, action?: string): JsonObject | undefined {
    const { objectType, before, after } = change;
    const told = action ?? actionOfChange(before, after);
    this.tell({ name: undefined, objectType, action: told, before, after });
    return after;
  }

  /** Nothing that the log or the ledger would tell, but lists have other labels now. */
  private changedLabels(): void {
    this.tell({ ...NOTHING, action: 'updated' });
  }
}

const NOTHING = { name: undefined, objectType: undefined, before: undefined, after: undefined };
