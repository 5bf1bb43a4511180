/** An id that an operator chooses for a request; it becomes part of a workflow's id. */
export const REQUEST_ID_FORM = /^[\w.:-]{1,64}$/;

export function isListOfText(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((element) => typeof element === 'string');
}
