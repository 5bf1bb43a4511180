/** The parameters of one request. Those that nobody asks for are ignored in silence, as Close does. */
import { fieldError } from './api-error.js';
import { parseTime, type ParsedTime } from './moment.js';

export class Parameters {
  constructor(
    private readonly values: ReadonlyMap<string, string>,
    /** From the header `X-TZ-Offset`: what a time without an offset means. */
    readonly offsetHours: number,
  ) {}

  /** An empty value counts as none. */
  text(name: string): string | undefined {
    const value = this.values.get(name);
    return value === '' ? undefined : value;
  }

  list(name: string): readonly string[] | undefined {
    return this.text(name)
      ?.split(',')
      .map((part) => part.trim());
  }

  has(name: string): boolean {
    return this.text(name) !== undefined;
  }

  count(name: string, whenAbsent: number): number {
    const value = this.text(name);
    if (value === undefined) return whenAbsent;
    if (!/^\d{1,15}$/.test(value)) throw fieldError(name, 'Must be a whole number, 0 or more.');
    return Number(value);
  }

  flag(name: string): boolean | undefined {
    const value = this.text(name)?.toLowerCase();
    return value === undefined ? undefined : value === 'true' || value === '1';
  }

  time(name: string): ParsedTime | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const time = parseTime(value, this.offsetHours);
    if (!time) throw fieldError(name, 'Must be a date or a time in the form of ISO 8601.');
    return time;
  }

  /** All of them in one text: equal for requests that ask the same. */
  signature(without: readonly string[]): string {
    const kept = [...this.values].filter(([name]) => !without.includes(name)).sort();
    return JSON.stringify([this.offsetHours, kept]);
  }
}
