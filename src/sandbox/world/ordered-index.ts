/**
 * Records in the order of a time, with records coming and going. The order that the data started
 * with stands in typed arrays and is never rewritten; what changed since is kept beside it, sorted:
 * the places that were left and the records that came. Any page of any time window is then found by
 * bisection, and the few changes cost nothing on a large table.
 *
 * Records of equal time stand in the order of their numbers.
 */
interface Entry {
  readonly time: number;
  readonly index: number;
}

export class OrderedIndex {
  private readonly left: number[] = [];
  private readonly came: Entry[] = [];

  /** `times[place]` is the time at that place, ascending; without `indexes` the place is the number. */
  constructor(
    private readonly times: Float64Array,
    private readonly indexes?: Uint32Array,
  ) {}

  get size(): number {
    return this.times.length - this.left.length + this.came.length;
  }

  add(time: number, index: number): void {
    const entry = { time, index };
    this.came.splice(this.cameBefore(entry), 0, entry);
  }

  /** Takes the record out; `time` is the one that it stands under. */
  remove(time: number, index: number): void {
    const entry = { time, index };
    const position = this.cameBefore(entry);
    const found = this.came[position];
    if (found && found.time === time && found.index === index) {
      this.came.splice(position, 1);
      return;
    }
    const place = bisect(this.times.length, (at) => compare(this.base(at), entry) < 0);
    const base = this.base(place);
    if (base.time !== time || base.index !== index) throw new Error('No such record to remove.');
    this.left.splice(countBelow(this.left, place), 0, place);
  }

  /** How many records have a time before `time`. */
  rankOf(time: number): number {
    const inBase = bisect(this.times.length, (place) => (this.times[place] ?? 0) < time);
    const came = bisect(this.came.length, (position) => (this.came[position]?.time ?? 0) < time);
    return inBase - countBelow(this.left, inBase) + came;
  }

  /** The numbers of `count` records from the one at `rank` on, upwards. */
  slice(rank: number, count: number): number[] {
    const found: number[] = [];
    const end = Math.min(rank + count, this.size);
    if (rank < 0 || rank >= end) return found;
    let position = this.cameAmongFirst(rank);
    let basePosition = rank - position;
    let gone = this.goneBefore(basePosition);
    let place = basePosition + gone;
    for (let at = rank; at < end; at++) {
      const entry = this.came[position];
      if (entry && (place >= this.times.length || compare(entry, this.base(place)) < 0)) {
        found.push(entry.index);
        position++;
        continue;
      }
      found.push(this.indexes ? (this.indexes[place] ?? 0) : place);
      basePosition++;
      place++;
      while (this.left[gone] === place) {
        place++;
        gone++;
      }
    }
    return found;
  }

  /** How many of the first `rank` records are ones that came later than the base. */
  private cameAmongFirst(rank: number): number {
    const low = Math.max(0, rank - (this.times.length - this.left.length));
    const high = Math.min(rank, this.came.length);
    const extra = bisect(high - low, (step) => {
      const entry = this.came[low + step];
      const basePosition = rank - low - step - 1;
      const place = basePosition + this.goneBefore(basePosition);
      return entry !== undefined && compare(entry, this.base(place)) < 0;
    });
    return low + extra;
  }

  /** How many left places stand before the base record that is number `basePosition` of the rest. */
  private goneBefore(basePosition: number): number {
    return bisect(this.left.length, (at) => (this.left[at] ?? 0) - at <= basePosition);
  }

  private cameBefore(entry: Entry): number {
    return bisect(this.came.length, (at) => {
      const other = this.came[at];
      return other !== undefined && compare(other, entry) < 0;
    });
  }

  private base(place: number): Entry {
    return {
      time: this.times[place] ?? Number.POSITIVE_INFINITY,
      index: this.indexes ? (this.indexes[place] ?? 0) : place,
    };
  }
}

/** The number of leading positions that hold, when all that hold stand before all that do not. */
function bisect(length: number, holds: (position: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The index over `times`, whose entries stand in any order. */
export function indexUnordered(times: Float64Array): OrderedIndex {
  const indexes = new Uint32Array(times.length);
  for (let index = 0; index < times.length; index++) indexes[index] = index;
  indexes.sort((one, other) => (times[one] ?? 0) - (times[other] ?? 0) || one - other);
  const sorted = new Float64Array(times.length);
  for (let place = 0; place < times.length; place++) {
    sorted[place] = times[indexes[place] ?? 0] ?? 0;
  }
  return new OrderedIndex(sorted, indexes);
}

function compare(one: Entry, other: Entry): number {
  return one.time - other.time || one.index - other.index;
}

function countBelow(sorted: readonly number[], limit: number): number {
  return bisect(sorted.length, (at) => (sorted[at] ?? 0) < limit);
}
