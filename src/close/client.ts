import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import axios, { type AxiosResponse } from 'axios';
import { MINUTE_MS, SECOND_MS } from '../core/instant.js';
import type { Lane, RateBudget, Turn } from '../core/ports.js';
import type { JsonRecord } from '../core/record.js';
import { ClosehaulError } from '../errors.js';
import { readBody, type RawAnswer } from './answer-body.js';
import { checkBaseUrl, isLoopback } from './base-url.js';
import { sleep as realSleep, startDeadline, type Sleep } from './pause.js';
import { endpointGroup, pathPattern, readRateLimit, readRetryAfterMs } from './rate-limit.js';
import { refusalError } from './refusal.js';
import { describeRequest, type ClosePath, type QueryParams, type Question } from './request.js';
import { isStaleConnection, readTransportFault, transportError } from './transport-error.js';

export interface CloseClientOptions {
  /** Name of the connection, for messages. */
  readonly connection: string;
  /** Name of the environment variable that the key came from, for messages. */
  readonly keyVariable: string;
  readonly apiKey: string;
  /** As `https://api.close.com/api/v1`. */
  readonly baseUrl: string;
  /** Version of Closehaul, for the User-Agent. */
  readonly version: string;
  readonly budget: RateBudget;
  /** Whose share of the budget it asks for. Default live. */
  readonly lane?: Lane;
  /** Total time of one request, from the first byte sent to the last received. Default 60 s. */
  readonly timeoutMs?: number;
  /** Largest body, before and after decoding. Default 32 MiB. */
  readonly bodyBytesMax?: number;
  /** Rate-limit waits up to this, in total for one call, happen inside. Default 10 s. */
  readonly waitMsMax?: number;
  /** Connections to Close at a time. Default 8. */
  readonly socketsMax?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly sleep?: Sleep;
}

export interface Answer {
  readonly body: JsonRecord;
  /** Length of the body as it came, for messages. */
  readonly bytes: number;
  /** HTTP requests that were sent for it, refused ones included. */
  readonly requests: number;
  /** From sending it to its answer, without any wait for leave. */
  readonly tripMs: number;
}

export interface CloseClient {
  /** For messages. */
  readonly connection: string;
  /**
   * GET of one path, as `/lead/`, under the base URL.
   *
   * Waits for the rate budget, and through 429s that fit `waitMsMax`. Sends one more time when a
   * kept-alive connection was stale. Every other retry is the caller's. Throws ClosehaulError with
   * a CLOSE_ code, or the signal's reason when `signal` aborts.
   */
  get(path: ClosePath, params: QueryParams, signal: AbortSignal): Promise<Answer>;
  /** POST of a question (`/data/search/`): like `get` it changes nothing and may be repeated. */
  post(path: ClosePath, body: JsonRecord, signal: AbortSignal): Promise<Answer>;
  /** Closes idle connections. */
  close(): void;
}

const REFUSALS_MAX = 5;

export function createCloseClient(options: CloseClientOptions): CloseClient {
  const { connection, budget, lane = 'live' } = options;
  const waitMsMax = options.waitMsMax ?? 10 * SECOND_MS;
  const now = options.now ?? Date.now;
  const sleep = options.sleep ?? realSleep;
  const bytesMax = options.bodyBytesMax ?? 32 * 1024 * 1024;
  const sender = createSender(options, bytesMax);
  const queue = new Queue();

  /** Waits for `waitMs` and returns it, or throws when all waits together would take too long. */
  async function pause(group: string, waitMs: number, waitedMs: number, signal: AbortSignal) {
    if (waitedMs + waitMs > waitMsMax) throw rateLimited(group, waitMs);
    await sleep(waitMs, signal);
    return waitMs;
  }

  /** Waits until it may be sent; the wait counts from the turn among the requests of this process. */
  async function leave(group: string, waitedMs: number, signal: AbortSignal): Promise<Leave> {
    for (;;) {
      signal.throwIfAborted();
      const turn = await budget.take(group, lane);
      if (turn.waitMs === 0 || turn.permit !== null) return { ...turn, waitedMs };
      waitedMs += await pause(group, turn.waitMs, waitedMs, signal);
    }
  }

  function ask(question: Question, signal: AbortSignal): Promise<Answer> {
    const group = endpointGroup(question.method, question.path);
    return queue.afterFirst(group, () => exchange(question, group, signal));
  }

  async function exchange(question: Question, group: string, signal: AbortSignal): Promise<Answer> {
    const { path } = question;
    const pattern = pathPattern(path);
    let waitedMs = 0;
    let requests = 0;
    for (let refusals = 0; ;) {
      const { permit, ...turn } = await queue.next(group, () => leave(group, waitedMs, signal));
      waitedMs = turn.waitedMs;
      if (turn.waitMs > 0) waitedMs += await pause(group, turn.waitMs, waitedMs, signal);
      const sentMs = now();
      const { answer, tries } = await sender.send(question, signal);
      const tripMs = now() - sentMs;
      requests += tries;
      await budget.learn(group, readRateLimit(answer.header), permit, tripMs);
      if (answer.status === 200) {
        const body = readBody(answer, pattern, bytesMax);
        return { body, bytes: answer.bytes.length, requests, tripMs };
      }
      if (answer.status !== 429) {
        const { keyVariable } = options;
        const context = { connection, keyVariable, path: pattern, nowMs: now(), bytesMax };
        throw refusalError(answer, context);
      }
      refusals += 1;
      // Without a header: 1, 2, 4, 8 s, and up to a quarter more, so that workers spread out.
      const backOffMs = 2 ** (refusals - 1) * SECOND_MS * (1 + Math.random() / 4);
      const refusedMs = readRetryAfterMs(answer.header, now()) ?? Math.ceil(backOffMs);
      await budget.block(group, refusedMs);
      if (refusals >= REFUSALS_MAX) throw rateLimited(group, refusedMs);
      waitedMs += await pause(group, refusedMs, waitedMs, signal);
    }
  }

  return {
    connection,
    get: (path, params, signal) => ask({ method: 'GET', path, params }, signal),
    post: (path, body, signal) => ask({ method: 'POST', path, body }, signal),
    close: () => sender.close(),
  };
}

interface Leave extends Turn {
  /** All waits so far. */
  readonly waitedMs: number;
}

/** Who goes first among the requests of this process to one group. */
class Queue {
  private readonly firsts = new Map<string, Promise<unknown>>();
  private readonly tails = new Map<string, Promise<unknown>>();

  /** Before the first answer nothing is known of a group's limit, so all others wait for it. */
  async afterFirst<T>(group: string, exchange: () => Promise<T>): Promise<T> {
    const first = this.firsts.get(group);
    if (first !== undefined) await first;
    const answer = exchange();
    if (first === undefined) this.firsts.set(group, Promise.allSettled([answer]));
    return answer;
  }

  /** One at a time asks the budget for leave: those behind it need not ask as well. */
  next<T>(group: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.tails.get(group) ?? Promise.resolve()).then(work, work);
    this.tails.set(group, turn);
    return turn;
  }
}

function rateLimited(group: string, waitMs: number): ClosehaulError {
  return new ClosehaulError('CLOSE_RATE_LIMITED', { group, waitMs }, { retryAfterMs: waitMs });
}

interface Sender {
  send(question: Question, signal: AbortSignal): Promise<{ answer: RawAnswer; tries: number }>;
  close(): void;
}

/** The one place that calls axios, and the edge where its errors end. */
function createSender(options: CloseClientOptions, bytesMax: number): Sender {
  const { connection, apiKey } = options;
  const baseUrl = checkBaseUrl(options.baseUrl, connection);
  const timeoutMs = options.timeoutMs ?? MINUTE_MS;
  const agentOptions = { keepAlive: true, maxSockets: options.socketsMax ?? 8 };
  const httpAgent = new HttpAgent(agentOptions);
  const httpsAgent = new HttpsAgent(agentOptions);
  const http = axios.create({
    httpAgent,
    httpsAgent,
    // Close does not redirect; following one would carry the key elsewhere.
    maxRedirects: 0,
    maxContentLength: bytesMax,
    // Bytes as they came: see answer-body.ts.
    responseType: 'arraybuffer',
    decompress: false,
    transformResponse: [(data: unknown) => data],
    validateStatus: () => true,
    headers: {
      accept: 'application/json',
      'accept-encoding': 'gzip',
      'user-agent': `closehaul/${options.version}`,
    },
    // A proxy of the environment is for the outside, not for the sandbox on this machine.
    ...(isLoopback(baseUrl) ? { proxy: false as const } : {}),
  });

  async function send(question: Question, signal: AbortSignal) {
    const request = describeRequest(baseUrl, question);
    // One deadline for both tries. axios' own `timeout` starts anew with each byte.
    const deadline = startDeadline(timeoutMs, signal);
    try {
      for (let tries = 1; ; tries += 1) {
        try {
          const auth = { username: apiKey, password: '' };
          const response = await http.request<Buffer>({
            ...request,
            auth,
            signal: deadline.signal,
          });
          return { answer: toRawAnswer(response), tries };
        } catch (error) {
          if (tries === 1 && !deadline.signal.aborted && isStaleConnection(error)) continue;
          signal.throwIfAborted();
          const pattern = pathPattern(question.path);
          const fault = deadline.isOver()
            ? ({ is: 'down', kind: 'timeout' } as const)
            : readTransportFault(error);
          throw transportError(fault, pattern, connection, bytesMax);
        }
      }
    } finally {
      deadline.clear();
    }
  }

  function close(): void {
    httpAgent.destroy();
    httpsAgent.destroy();
  }
  return { send, close };
}

function toRawAnswer(response: AxiosResponse<Buffer>): RawAnswer {
  const headers = response.headers;
  return {
    status: response.status,
    bytes: response.data,
    header: (name) => {
      const value: unknown = headers[name];
      return typeof value === 'string' ? value : undefined;
    },
  };
}
