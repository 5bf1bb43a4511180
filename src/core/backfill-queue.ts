import { earlier, later, parseInstant, type Instant } from './instant.js';
import { isListOfText, REQUEST_ID_FORM } from './request-fields.js';

/**
 * Backfills that operators asked for, from the signal to the end.
 *
 *   request "2024-01-01"                       →  { from: 2024-01-01, to: now, streams: all }
 *   the same while the first is still queued   →  the same job
 *
 * Invariant: one `id` is one job; jobs that wait and overlap for the same streams become one.
 */
export interface BackfillJob {
  readonly id: string;
  readonly from: Instant;
  readonly to: Instant | null;
  readonly streams: readonly string[] | null;
  readonly status: 'queued' | 'running' | 'done' | 'incomplete';
  readonly records: number;
  /** Once a part of it has run, no other request may join it: what is done is not read again. */
  readonly hasStarted: boolean;
  /** When an incomplete one is tried again, in milliseconds since 1970. */
  readonly retryAtMs: number | null;
}

export type BackfillRequest = Pick<BackfillJob, 'from' | 'to' | 'streams'> & {
  readonly id: string | null;
};

const WAITING_MAX = 50;
const ENDED_KEPT = 10;

/** Checks what came by signal or update; says in one sentence what is wrong with it. */
export function parseBackfill(
  input: unknown,
  now: Instant,
  knownStreams: readonly string[] | null,
): { readonly request: BackfillRequest } | { readonly reason: string } {
  const object = typeof input === 'string' ? { from: input } : input;
  if (typeof object !== 'object' || object === null || Array.isArray(object)) {
    return { reason: 'It must be a date, or an object with "from".' };
  }
  const fields = object as Record<string, unknown>;
  const unknown = Object.keys(fields).find((key) => !['from', 'to', 'streams', 'id'].includes(key));
  if (unknown !== undefined) return { reason: 'It has fields other than from, to, streams, id.' };
  const { from: fromText, to: toText = null, streams = null, id = null } = fields;
  const from = typeof fromText === 'string' ? parseInstant(fromText.trim()) : undefined;
  if (from === undefined) return { reason: '"from" must be an ISO date such as 2024-01-01.' };
  if (from > now) return { reason: '"from" lies in the future.' };
  const end = typeof toText === 'string' ? parseInstant(toText.trim()) : null;
  if (end === undefined || (end === null && toText !== null)) {
    return { reason: '"to" must be an ISO date such as 2024-07-01, or be left out.' };
  }
  if (end !== null && end <= from) return { reason: '"to" must be after "from".' };
  // What lies ahead is read by every sync; a plan for the next 8,000 years would only be long.
  const to = end !== null && end > now ? null : end;
  if (id !== null && (typeof id !== 'string' || !REQUEST_ID_FORM.test(id))) {
    return { reason: '"id" must be 1 to 64 letters, digits or . _ : -' };
  }
  if (streams !== null && !isListOfText(streams)) {
    return { reason: '"streams" must be a list of stream names.' };
  }
  if (streams?.length === 0) return { reason: '"streams" is empty; leave it out for all.' };
  const strange = knownStreams && streams?.find((name) => !knownStreams.includes(name));
  if (typeof strange === 'string') {
    return { reason: `"streams" names one that this connection does not have.` };
  }
  return { request: { from, to, streams, id } };
}

/** The queue with the request in it, and the job that it became; a full queue refuses. */
export function enqueue(
  jobs: readonly BackfillJob[],
  request: BackfillRequest,
  newId: string,
):
  | { readonly jobs: readonly BackfillJob[]; readonly job: BackfillJob }
  | { readonly reason: string } {
  const known = jobs.find((job) => job.id === request.id);
  if (known !== undefined) return sameJob(jobs, known, request);
  const waiting = jobs.filter(({ status }) => status === 'queued');
  const fresh = request.id === null ? waiting.filter(({ hasStarted }) => !hasStarted) : [];
  const twin = fresh.find((job) => overlaps(job, request));
  if (twin !== undefined) {
    const job = {
      ...twin,
      from: earlier(twin.from, request.from),
      to: twin.to === null || request.to === null ? null : later(twin.to, request.to),
    };
    return { jobs: jobs.map((other) => (other.id === twin.id ? job : other)), job };
  }
  if (waiting.length >= WAITING_MAX) {
    return {
      reason: `${WAITING_MAX} backfills are waiting already; ask again when some are done.`,
    };
  }
  const { from, to, streams } = request;
  const job: BackfillJob = {
    ...{ id: request.id ?? newId, from, to, streams },
    ...{ status: 'queued', records: 0, hasStarted: false, retryAtMs: null },
  };
  return { jobs: [...jobs, job], job };
}

/** One id is one job: the same request finds it, another range under its id is refused. */
function sameJob(
  jobs: readonly BackfillJob[],
  known: BackfillJob,
  request: BackfillRequest,
):
  | { readonly jobs: readonly BackfillJob[]; readonly job: BackfillJob }
  | { readonly reason: string } {
  const isSame =
    known.from === request.from &&
    (request.to === null || known.to === request.to) &&
    streamsKey(known.streams) === streamsKey(request.streams);
  if (!isSame) return { reason: `A backfill of this id has another range; give it another id.` };
  return { jobs, job: known };
}

function overlaps(job: BackfillJob, request: BackfillRequest): boolean {
  const reaches = (a: Instant | null, b: Instant): boolean => a === null || a >= b;
  return (
    streamsKey(job.streams) === streamsKey(request.streams) &&
    reaches(job.to, request.from) &&
    reaches(request.to, job.from)
  );
}

/** Equal for two lists that name the same streams, in whatever order. */
function streamsKey(streams: readonly string[] | null): string {
  return JSON.stringify(streams && [...new Set(streams)].sort());
}

/** The job that may run now; those that asked first go first. */
export function dueJob(jobs: readonly BackfillJob[], nowMs: number): BackfillJob | undefined {
  return jobs.find(({ status, retryAtMs }) =>
    status === 'queued'
      ? true
      : status === 'incomplete' && retryAtMs !== null && retryAtMs <= nowMs,
  );
}

/** Changes one job; of those that ended, the last ten are kept. */
export function updateJob(
  jobs: readonly BackfillJob[],
  id: string,
  change: Partial<Omit<BackfillJob, 'id'>>,
): readonly BackfillJob[] {
  const changed = jobs.map((job) => (job.id === id ? { ...job, ...change } : job));
  const ended = changed.filter(({ status }) => status === 'done' || status === 'incomplete');
  const forgotten = new Set(ended.slice(0, -ENDED_KEPT));
  return changed.filter((job) => !forgotten.has(job));
}
