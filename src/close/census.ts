import { z } from 'zod';
import { instantFromMillis, type Instant } from '../core/instant.js';
import type { Page, Present } from '../core/ports.js';
import type { JsonRecord, JsonValue } from '../core/record.js';
import { END_OF_TIME, planSlices } from '../core/slice.js';
import type { Position, Slice } from '../core/stream.js';
import { ClosehaulError } from '../errors.js';
import { isAbsent } from './absent.js';
import { clockOf, fieldText, type Warn } from './list-page.js';
import { instantSchema, readPosition } from './position.js';
import type { ClosePart, CloseStream } from './stream-part.js';

const censusSchema = z.object({
  strategy: z.literal('census'),
  /** The leg being read: its part, and where it begins. */
  part: z.string(),
  from: instantSchema,
  /** Where its list stands; null = at its beginning. */
  inner: z.record(z.string(), z.custom<JsonValue>()).nullable(),
  /** Notes of what this key may not read. */
  notes: z.array(z.string()).readonly(),
});

type CensusState = Readonly<z.infer<typeof censusSchema>>;

/** Stands for the paths of all its parts in messages. */
const CENSUS_PATH = '/census/';

/** One list, or one window of it, on the way through all that Close has of a stream. */
interface Leg {
  readonly part: ClosePart;
  readonly slice: Slice;
  /** Its rows are whole records, and worth loading. */
  readonly isWhole: boolean;
}

export interface CensusOptions {
  readonly warn: Warn;
  /** The pages of one part, as any sync reads them. */
  readonly pages: (
    part: ClosePart,
    slice: Slice,
    position: Position | null,
  ) => AsyncGenerator<Page>;
}

/**
 * All that Close has of a stream, leg after leg: large lists tell keys and clocks alone, by the way
 * of reading that their records take, and small ones are read whole.
 */
export async function* censusPages(
  stream: CloseStream,
  slice: Slice,
  position: Position | null,
  { warn, pages }: CensusOptions,
): AsyncGenerator<Page> {
  const legs = legsOf(stream, slice);
  const stored = readPosition(censusSchema, position, { path: CENSUS_PATH, warn });
  const start = stored === undefined ? 0 : legs.findIndex((leg) => isAt(leg, stored));
  // A version with other parts begins anew.
  const isResumed = stored !== undefined && start >= 0;
  let notes = isResumed ? stored.notes : [];
  let inner = isResumed ? stored.inner : null;
  for (const [index, leg] of legs.entries()) {
    if (index < start) continue;
    const following = legs[index + 1];
    for await (const page of legPages(leg, inner, pages)) {
      if (page.note !== undefined) notes = [...notes, page.note];
      if (page.missing !== undefined) notes = [...notes, missingNote(stream, page.missing)];
      const isEnd = page.next === null && following === undefined;
      const place = page.next === null ? following : leg;
      yield {
        records: leg.isWhole ? page.records : [],
        census: {
          present: page.records.map((row) => toPresent(row, stream, leg)),
          ...(isEnd && { end: notes.length === 0 ? 'whole' : 'part' }),
        },
        next: isEnd || place === undefined ? null : stateAt(place, page.next, notes),
        ...{ totalRecords: null, requests: page.requests },
        ...(isEnd && notes.length > 0 && { note: notes.join(' ') }),
      };
    }
    inner = null;
  }
}

async function* legPages(
  { part, slice }: Leg,
  position: Position | null,
  pages: CensusOptions['pages'],
): AsyncGenerator<Page> {
  try {
    yield* pages(part, slice, position);
  } catch (error) {
    if (!part.isOptional || !isAbsent(error)) throw error;
    const note = `${error.message} ${error.next}`;
    yield { records: [], next: null, totalRecords: null, requests: 1, note };
  }
}

/** Rows of keys alone are short, so windows are longer than those of whole records. */
const KEYS_DAYS = 360;

function missingNote({ name }: CloseStream, missing: number): string {
  return new ClosehaulError('CLOSE_RECORDS_MISSING', { stream: name, missing }).message;
}

const FIRST_DAY = instantFromMillis(0);

function legsOf(stream: CloseStream, { from: reach, to: now }: Slice): readonly Leg[] {
  // A contact is kept with its lead, however old it is itself.
  const from = stream.carriedBy === undefined ? reach : FIRST_DAY;
  const all = { stream: stream.name, from, to: END_OF_TIME };
  const fields = [...new Set([stream.key, stream.clockField, stream.versionField ?? stream.key])];
  return stream.parts.flatMap((part): readonly Leg[] => {
    switch (part.method) {
      case 'events':
        return [];
      case 'list':
      case 'fan-out':
        return [{ part, slice: { ...all, part: part.name }, isWhole: true }];
      case 'search': {
        // All rows are told here, and not only those without the field.
        const counted = { ...part, fields };
        delete counted.without;
        return [{ part: counted, slice: { ...all, part: part.name }, isWhole: false }];
      }
      case 'keyset':
        // What stands inside other records is told by the search.
        if (part.unnest !== undefined) return [];
        return [
          { part: keysOnly(part, fields), slice: { ...all, part: part.name }, isWhole: false },
        ];
      case 'window': {
        const sliceDays = part.sliceDays === null ? null : KEYS_DAYS;
        const grid = { name: part.name, sliceDays };
        const past = [...planSlices(stream, grid, { from, to: now })].reverse();
        const last = past.pop() ?? { ...all, part: part.name };
        return [...past, { ...last, to: END_OF_TIME }].map((window) => ({
          ...{ part: keysOnly(part, fields), slice: window, isWhole: false },
        }));
      }
    }
  });
}

function keysOnly<Part extends ClosePart & { readonly params?: object }>(
  part: Part,
  fields: readonly string[],
): Part {
  return { ...part, params: { ...part.params, _fields: fields } };
}

function isAt({ part, slice }: Leg, state: CensusState): boolean {
  return part.name === state.part && slice.from === state.from;
}

function stateAt(leg: Leg, inner: Position | null, notes: readonly string[]): CensusState {
  return { strategy: 'census', part: leg.part.name, from: leg.slice.from, inner, notes };
}

function toPresent(row: JsonRecord, stream: CloseStream, { isWhole }: Leg): Present {
  const at = (field: string | null): Instant | null =>
    field === null ? null : (clockOf(row, field) ?? null);
  return {
    key: fieldText(row, stream.key),
    clock: isWhole ? null : at(stream.clockField),
    version: at(stream.versionField),
  };
}
