/**
 * A process of its own, as our worker is one: reads all answers and decodes them while PostgreSQL
 * takes the rows that came of them. Its argument is a file with a `Job`; it prints the seconds.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import pg from 'pg';

export interface Job {
  readonly closeUrl: string;
  /** Paths of the requests, in the order in which our worker asked. */
  readonly paths: readonly string[];
  readonly databaseUrl: string;
  readonly statements: readonly string[];
}

export interface Limit {
  readonly seconds: number;
  readonly drainSeconds: number;
  readonly copySeconds: number;
}

const agent = new Agent({ keepAlive: true });

async function drain({ closeUrl, paths }: Job): Promise<void> {
  const { origin } = new URL(closeUrl);
  for (const path of paths) JSON.parse(await read(new URL(path, origin)));
}

function read(url: URL): Promise<string> {
  return new Promise((resolve, reject) => {
    const auth = 'api_bench:';
    const sent = request(url, { agent, auth }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve(Buffer.concat(chunks).toString()));
      answer.on('error', reject);
    });
    sent.on('error', reject);
    sent.end();
  });
}

async function copy(client: pg.Client, { statements }: Job): Promise<void> {
  for (const statement of statements) await client.query(statement);
}

async function timed(work: Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work;
  return (performance.now() - startedMs) / 1000;
}

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Job;
const client = new pg.Client({ connectionString: job.databaseUrl });
await client.connect();
const [drainSeconds, copySeconds] = await Promise.all([
  timed(drain(job)),
  timed(copy(client, job)),
]);
await client.end();
agent.destroy();
const limit: Limit = {
  ...{ seconds: Math.max(drainSeconds, copySeconds), drainSeconds, copySeconds },
};
process.stdout.write(JSON.stringify(limit));
