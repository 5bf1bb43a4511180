/** An answer on its way to the socket, and the ways in which one can go wrong there. */
import type { ServerResponse } from 'node:http';
import type { JsonObject } from '../json.js';

/**
 * `cut` breaks the connection half-way, `early` ends there as if all were sent, `stall` stops,
 * `endless` never does, `hang-up` breaks the connection behind a good answer without a word.
 */
export type Delivery = 'whole' | 'cut' | 'early' | 'stall' | 'drip' | 'endless' | 'hang-up';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
  readonly delivery: Delivery;
}

/** What was asked, as far as an alteration cares. */
export interface Asked {
  readonly endpoint: string;
  readonly path: string;
  readonly url: string;
}
export type Alteration = (answer: Answer, asked: Asked) => Answer;

const SPACES = Buffer.alloc(64_000, ' ');
const DRIP_BYTES = 512;
const DRIP_EVERY_MS = 20;

/** Alters the JSON of a good answer; others stay as they are. */
export function alterJson(alter: (body: JsonObject, asked: Asked) => JsonObject): Alteration {
  return (answer, asked) => {
    if (answer.status !== 200) return answer;
    const body = alter(JSON.parse(answer.bytes.toString()) as JsonObject, asked);
    return { ...answer, bytes: Buffer.from(JSON.stringify(body)) };
  };
}

export function deliver(outgoing: ServerResponse, answer: Answer, isHead: boolean): void {
  const { status, bytes, delivery } = answer;
  const headers: Record<string, string> = { ...answer.headers };
  if (delivery !== 'early' && delivery !== 'endless')
    headers['content-length'] ??= String(bytes.length);
  outgoing.writeHead(status, headers);
  const half = bytes.subarray(0, Math.ceil(bytes.length / 2));
  switch (delivery) {
    case 'whole':
      outgoing.end(isHead ? undefined : bytes);
      return;
    case 'cut':
      outgoing.write(half, () => outgoing.destroy());
      return;
    case 'early':
      outgoing.end(half);
      return;
    case 'stall':
      outgoing.write(bytes.subarray(0, -1));
      return;
    case 'hang-up': {
      // An answer that is finished has let go of its socket.
      const { socket } = outgoing;
      outgoing.end(bytes, () => socket?.destroy());
      return;
    }
    case 'endless':
      outgoing.write(half);
      fill(outgoing);
      return;
    case 'drip':
      drip(outgoing, bytes, 0);
  }
}

/** Spaces for ever, as fast as the caller takes them. */
function fill(outgoing: ServerResponse): void {
  if (outgoing.destroyed) return;
  const isTaken = outgoing.write(SPACES);
  if (isTaken) setImmediate(fill, outgoing);
  else {
    outgoing.once('drain', () => {
      fill(outgoing);
    });
  }
}

function drip(outgoing: ServerResponse, bytes: Buffer, from: number): void {
  if (outgoing.destroyed) return;
  if (from >= bytes.length) {
    outgoing.end();
    return;
  }
  outgoing.write(bytes.subarray(from, from + DRIP_BYTES));
  setTimeout(() => {
    drip(outgoing, bytes, from + DRIP_BYTES);
  }, DRIP_EVERY_MS);
}
