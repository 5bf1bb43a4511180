/**
 * Figure 1: how fast a historical sync is, without latency and rate limit, beside others on the
 * same sandbox and PostgreSQL, and beside what the machine allows.
 *
 *   npm run bench -- history [--quick] [--repetitions N]
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Sandbox } from '../src/sandbox/sandbox.js';
import type { Job, Limit } from './support/drain-and-copy.js';
import { benchOptions, median, publish, type Figure } from './support/figures.js';
import { peersOf, type Peer, type PeerRun } from './support/peers.js';
import { startProgram } from './support/processes.js';
import { ensurePeers } from './support/python-peers.js';
import { makeRawCopy, type RawCopy } from './support/raw-copy.js';
import {
  benchSandbox,
  endReplica,
  replicate,
  type Replica,
  type Replication,
} from './support/replicate.js';
import { withStack, type Database, type Stack } from './support/stack.js';

const DRAIN_AND_COPY = fileURLToPath(new URL('support/drain-and-copy.ts', import.meta.url));
const MIB = 1024 * 1024;

const options = benchOptions();
const size = options.isQuick
  ? { leads: 400, activities: 8_000 }
  : { leads: 4_000, activities: 80_000 };

interface Runs {
  readonly ours: Replication[];
  readonly limit: Limit[];
  readonly peers: Map<string, PeerRun[]>;
}

/** The requests that reach the sandbox while `work` goes on. */
async function recordPaths<T>(work: () => Promise<T>): Promise<readonly [T, readonly string[]]> {
  const paths: string[] = [];
  const note = (message: unknown): void => {
    const { url, method } = (message as { request: IncomingMessage }).request;
    if (url !== undefined && method === 'GET') paths.push(url);
  };
  subscribe('http.server.request.start', note);
  try {
    return [await work(), paths];
  } finally {
    unsubscribe('http.server.request.start', note);
  }
}

async function runOurs(stack: Stack, database: Database, sandbox: Sandbox): Promise<Replica> {
  const replica = await replicate(stack, database, sandbox, { streams: ['leads', 'activities'] });
  await endReplica(replica);
  return replica;
}

async function runLimit(copy: RawCopy, job: string): Promise<Limit> {
  await copy.prepare();
  const args = ['--import', 'tsx', DRAIN_AND_COPY, job];
  const program = startProgram(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  program.child.stdout?.setEncoding('utf8').on('data', (more: string) => (text += more));
  await program.finished;
  return JSON.parse(text) as Limit;
}

async function runPeer(stack: Stack, peer: Peer, closeUrl: string): Promise<PeerRun> {
  const database = await stack.database();
  const run = await peer.run(stack, database, closeUrl);
  await database.drop();
  return run;
}

async function runAll(stack: Stack, sandbox: Sandbox): Promise<Runs> {
  const peers = peersOf(await ensurePeers());
  const runs: Runs = { ours: [], limit: [], peers: new Map() };
  // The first one makes the rows for the limit, and counts for nothing: all files are cold.
  const first = await stack.database();
  const [{ connection }, paths] = await recordPaths(() => runOurs(stack, first, sandbox));
  const copy = await makeRawCopy(first, connection.schema);
  const job: Job = {
    ...{ closeUrl: sandbox.url, paths, databaseUrl: first.url, statements: copy.statements },
  };
  const jobFile = join(stack.folder, 'limit.json');
  writeFileSync(jobFile, JSON.stringify(job));
  for (let repetition = 1; repetition <= options.repetitions; repetition += 1) {
    const database = await stack.database();
    runs.ours.push((await runOurs(stack, database, sandbox)).replication);
    await database.drop();
    runs.limit.push(await runLimit(copy, jobFile));
    for (const peer of peers) {
      const run = await runPeer(stack, peer, sandbox.url);
      runs.peers.set(peer.name, [...(runs.peers.get(peer.name) ?? []), run]);
      say(peer.name, run.records / run.seconds, run.peakBytes);
    }
    const [ours, limit] = [runs.ours.at(-1), runs.limit.at(-1)];
    if (ours === undefined || limit === undefined) continue;
    say('ours, sync alone', ours.records / ours.seconds, ours.peakBytes);
    say('limit', ours.records / limit.seconds, null);
  }
  return runs;
}

function say(what: string, perSecond: number, peakBytes: number | null): void {
  const memory = peakBytes === null ? '' : `, ${(peakBytes / MIB).toFixed(0)} MiB`;
  console.log(`  ${what}: ${perSecond.toFixed(0)} records/s${memory}`);
}

function figuresOf({ ours, limit, peers }: Runs): Figure[] {
  const rates = [...peers].map(([name, runs]) => ({
    ...{ name, perSecond: median(runs.map((run) => run.records / run.seconds)) },
    mebibytes: Math.max(...runs.map((run) => (run.peakBytes ?? NaN) / MIB)),
  }));
  const [best] = [...rates].sort((a, b) => b.perSecond - a.perSecond);
  if (best === undefined) throw new Error('there is no peer');
  const wall = median(ours.map((run) => run.records / run.wallSeconds));
  const sync = median(ours.map((run) => run.records / run.seconds));
  // Of the same repetition each, so that a busy moment of the machine is in both.
  const share = median(ours.map((run, at) => (limit[at]?.seconds ?? NaN) / run.seconds));
  const records = ours[0]?.records ?? NaN;
  const mebibytes = Math.max(...ours.map((run) => (run.peakBytes ?? NaN) / MIB));
  return [
    {
      measure: `historical sync with the start of the program, records/s (peer: ${best.name})`,
      ...{ peer: best.perSecond, ours: wall, limit: null, ratio: wall / best.perSecond },
      ...{ target: '≥ 5 × peer', isMet: wall / best.perSecond >= 5 },
    },
    {
      measure: 'historical sync alone, records/s',
      ...{ peer: null, ours: sync, ratio: share },
      limit: median(limit.map((run) => records / run.seconds)),
      ...{ target: '≥ 0.70 of limit', isMet: share >= 0.7 },
    },
    {
      measure: 'peak memory of a historical sync, MiB',
      ...{ peer: best.mebibytes, ours: mebibytes, limit: 250, ratio: mebibytes / best.mebibytes },
      ...{ target: '≤ 250 MiB', isMet: mebibytes <= 250 },
    },
  ];
}

await withStack(async (stack) => {
  const sandbox = await benchSandbox(size);
  try {
    const runs = await runAll(stack, sandbox);
    publish('history', options, figuresOf(runs), { ...runs, peers: [...runs.peers] });
  } finally {
    await sandbox.stop();
  }
});
