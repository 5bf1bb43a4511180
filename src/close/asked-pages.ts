import { fetchListPage, type CloseList, type ListPage } from './list-page.js';
import type { QueryParams } from './request.js';

/** Pages of a list that were asked for at once and wait for their turn. */
export class AskedPages {
  /** By their request, in order. */
  readonly #answers = new Map<string, Promise<ListPage>>();

  constructor(private readonly list: CloseList) {}

  get size(): number {
    return this.#answers.size;
  }

  has(request: QueryParams): boolean {
    return this.#answers.has(JSON.stringify(request));
  }

  ask(requests: readonly QueryParams[]): void {
    for (const request of requests) {
      const answer = fetchListPage(this.list, request);
      // A failure is thrown when its turn comes; until then it must not count as unhandled.
      answer.catch(() => undefined);
      this.#answers.set(JSON.stringify(request), answer);
    }
  }

  async take(request: QueryParams): Promise<ListPage> {
    const answer = this.#answers.get(JSON.stringify(request));
    if (answer === undefined) throw new TypeError('a page that was not asked for');
    this.#answers.delete(JSON.stringify(request));
    return answer;
  }

  /** How many were asked for in vain. */
  forget(): number {
    const { size } = this.#answers;
    this.#answers.clear();
    return size;
  }
}
