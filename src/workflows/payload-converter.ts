import { defaultPayloadConverter, type PayloadConverter } from '@temporalio/common';

/**
 * Temporal's own converter, but for what it cannot read: that comes as undefined, and whoever gets it
 * says what is needed. An error here would fail the workflow's step, and Temporal would try that for
 * ever; so one signal that says it is JSON and is not would stop a connection for good.
 */
export const payloadConverter: PayloadConverter = {
  toPayload: (value, context, hint) => defaultPayloadConverter.toPayload(value, context, hint),
  fromPayload: (payload, context, hint) => {
    try {
      return defaultPayloadConverter.fromPayload(payload, context, hint);
    } catch {
      return undefined as never;
    }
  },
};
