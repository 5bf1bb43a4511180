/**
 * Changes of the organization: people, statuses, pipelines, custom fields. Other records copy their
 * names and labels, and show the new ones without a new `date_updated` of their own.
 */
import { base62 } from '../ids.js';
import type { JsonObject } from '../json.js';
import { hashText, Random } from '../random.js';
import {
  customFieldRecord,
  type CustomField,
  type CustomFieldHolder,
  type CustomFieldType,
} from '../records/custom-field.js';
import { leadStatusRecord, opportunityStatusRecord } from '../records/organization.js';
import type { WorldData } from './world-data.js';

const STREAM = 134;

export interface FieldPlan {
  readonly name: string;
  readonly type?: CustomFieldType;
  readonly choices?: readonly string[];
  readonly accepts_multiple_values?: boolean;
}

/** As events tell it: `object_type`, and the record before and after. */
export interface OrganizationChange {
  readonly objectType: string;
  readonly before: JsonObject | undefined;
  readonly after: JsonObject | undefined;
}

export class OrganizationChanges {
  private made = 0;

  constructor(private readonly data: WorldData) {}

  private get organization(): WorldData['organization'] {
    return this.data.organization;
  }

  private newId(prefix: string): string {
    const random = new Random(this.data.seed, STREAM, hashText(prefix) ^ ++this.made);
    return `${prefix}_${base62(random, 43)}`;
  }

  setCurrency(currency: string): void {
    this.organization.currency = currency;
  }

  renameUser(id: string, firstName: string, lastName: string): void {
    const user = needed(this.organization.users, id);
    Object.assign(user, { firstName, lastName, name: `${firstName} ${lastName}` });
  }

  /** Users are never deleted: their membership ends, and `/user/` lists them no more. */
  setActive(id: string, isActive: boolean): OrganizationChange {
    const user = needed(this.organization.users, id);
    user.isActive = isActive;
    const membership = { id: user.membershipId, user_id: id };
    return {
      objectType: 'membership',
      before: { ...membership, organization_id: this.organization.id },
      after: { ...membership, organization_id: this.organization.id, role_id: user.role },
    };
  }

  createLeadStatus(label: string): OrganizationChange {
    const status = { id: this.newId('stat'), label };
    this.organization.leadStatuses.push(status);
    const after = leadStatusRecord(this.organization, status);
    return { objectType: 'status.lead', before: undefined, after };
  }

  renameLeadStatus(id: string, label: string): OrganizationChange {
    const status = needed(this.organization.leadStatuses, id);
    const before = leadStatusRecord(this.organization, status);
    status.label = label;
    const after = leadStatusRecord(this.organization, status);
    return { objectType: 'status.lead', before, after };
  }

  deleteLeadStatus(id: string): OrganizationChange {
    const status = needed(this.organization.leadStatuses, id);
    status.isGone = true;
    const before = leadStatusRecord(this.organization, status);
    return { objectType: 'status.lead', before, after: undefined };
  }

  renameOpportunityStatus(id: string, label: string): OrganizationChange {
    const status = needed(this.organization.opportunityStatuses, id);
    const before = opportunityStatusRecord(this.organization, status);
    status.label = label;
    const after = opportunityStatusRecord(this.organization, status);
    return { objectType: 'status.opportunity', before, after };
  }

  /** The log tells nothing of pipelines. */
  renamePipeline(id: string, name: string): void {
    needed(this.organization.pipelines, id).name = name;
    for (const status of this.organization.opportunityStatuses) {
      if (status.pipelineId === id) status.pipelineName = name;
    }
  }

  createCustomField(
    holder: CustomFieldHolder,
    plan: FieldPlan,
    micros: number,
  ): OrganizationChange & { readonly id: string } {
    const type = plan.type ?? 'text';
    const isMultiple = plan.accepts_multiple_values ?? false;
    const field: CustomField = {
      ...{ id: this.newId('cf'), name: plan.name, type, firstType: type, choices: plan.choices },
      ...{ isMultiple, wasMultiple: isMultiple, associations: undefined, isDrawnAlone: true },
      ...{ hasValues: false, isGone: false, createdMicros: micros },
    };
    this.organization.customFields[holder].push(field);
    const after = customFieldRecord(this.organization, field, holder);
    return { id: field.id, objectType: fieldObjectType(holder, field), before: undefined, after };
  }

  /** Renames, retypes, or lets a field take one value or many. */
  updateCustomField(
    holder: CustomFieldHolder,
    id: string,
    plan: Partial<FieldPlan>,
    micros: number,
  ): OrganizationChange {
    const field = needed(this.organization.customFields[holder], id);
    const before = customFieldRecord(this.organization, field, holder);
    field.name = plan.name ?? field.name;
    field.type = plan.type ?? field.type;
    field.choices = plan.choices ?? field.choices;
    field.isMultiple = plan.accepts_multiple_values ?? field.isMultiple;
    field.updatedMicros = micros;
    const after = customFieldRecord(this.organization, field, holder);
    return { objectType: fieldObjectType(holder, field), before, after };
  }

  /** Its values leave all answers at once; the records' `date_updated` stays. */
  deleteCustomField(holder: CustomFieldHolder, id: string): OrganizationChange {
    const field = needed(this.organization.customFields[holder], id);
    const before = customFieldRecord(this.organization, field, holder);
    field.isGone = true;
    return { objectType: fieldObjectType(holder, field), before, after: undefined };
  }
}

function fieldObjectType(holder: CustomFieldHolder, field: CustomField): string {
  if (field.associations) return 'custom_fields.shared';
  return `custom_fields.${holder === 'custom_object_type' ? 'custom_object' : holder}`;
}

function needed<Item extends { readonly id: string }>(items: readonly Item[], id: string): Item {
  const item = items.find((one) => one.id === id);
  if (!item) throw new RangeError(`There is no such setting: ${id}`);
  return item;
}
