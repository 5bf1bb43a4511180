/** What a command says: one answer, for people or as JSON. */
export interface Output {
  readonly isJson: boolean;
  readonly print: (line: string) => void;
}

export function answer(output: Output, json: unknown, text: string): void {
  output.print(output.isJson ? JSON.stringify(json, null, 2) : text);
}
