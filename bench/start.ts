/**
 * Figure 7: how soon `npm start` shows its first rows in a new folder, all programs being there, and
 * how long the short commands take, beside the historical sync and after it.
 *
 *   npm run bench -- start [--quick] [--repetitions N]
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { removeHome, temporaryHome } from '../tests/support/tools.js';
import { BIN } from './support/connection.js';
import { benchOptions, median, publish, type Figure } from './support/figures.js';
import { startProgram } from './support/processes.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NAME = 'Stitch Closeio';
const COMMANDS = [['--help'], ['streams'], ['status'], ['status', NAME], ['streams', NAME]];

const options = benchOptions();

/** Without a key, so it brings up everything, the sandbox too. */
function environment(home: string): NodeJS.ProcessEnv {
  const mine = ['PATH', 'HOME', 'XDG_CACHE_HOME', 'TEMPORAL_CLI_PATH'];
  const kept = mine.flatMap((name) => (process.env[name] === undefined ? [] : [name]));
  return {
    ...Object.fromEntries(kept.map((name) => [name, process.env[name]])),
    CLOSEHAUL_HOME: home,
  };
}

interface Started {
  readonly firstRowsSeconds: number;
  /** The historical sync is over, and one incremental sync. */
  readonly complete: Promise<void>;
  readonly stop: () => Promise<void>;
}

/** `npm start` up to the line that tells of rows in the warehouse. */
async function start(env: NodeJS.ProcessEnv): Promise<Started> {
  const startedMs = performance.now();
  const { child, finished } = startProgram('npm', ['start'], {
    ...{ cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (more: string) => (text += more));
  const says = (words: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => (text.includes(words) ? resolve() : undefined);
      child.stdout?.on('data', look);
      void finished.then(() => reject(new Error('it ended')), reject);
    });
  const complete = says('complete after');
  complete.catch(() => undefined);
  await says('First rows after');
  return {
    firstRowsSeconds: (performance.now() - startedMs) / 1000,
    complete,
    stop: async () => {
      // To the whole group, as a terminal sends its Ctrl-C.
      process.kill(-(child.pid ?? 0), 'SIGINT');
      if (child.exitCode === null) await once(child, 'close');
    },
  };
}

interface Taken {
  readonly seconds: number;
  /** Of a processor; on a busy machine it tells more than the clock on the wall. */
  readonly processorSeconds: number;
}

async function runCommand(words: readonly string[], env: NodeJS.ProcessEnv): Promise<Taken> {
  const startedMs = performance.now();
  const timed = '"$@" >/dev/null 2>&1; times';
  const { child, finished } = startProgram(
    'sh',
    ['-c', timed, 'sh', process.execPath, BIN, ...words],
    { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (more: string) => (text += more));
  await finished;
  const seconds = (performance.now() - startedMs) / 1000;
  // The second line is of the children: user and system, as `0m0.41s 0m0.08s`.
  const [, ofChildren = ''] = text.trim().split('\n');
  const parts = [...ofChildren.matchAll(/(\d+)m([\d.]+)s/g)];
  const processorSeconds = parts.reduce((sum, [, m, s]) => sum + Number(m) * 60 + Number(s), 0);
  return { seconds, processorSeconds };
}

function figureOf(measure: string, values: readonly number[], limit: number): Figure {
  const ours = median(values);
  return {
    ...{ measure, peer: null, ours, limit, ratio: ours / limit },
    ...{ target: `≤ ${limit} s`, isMet: ours <= limit },
  };
}

const firstRows: number[] = [];
const WHEN = ['beside a running sync', 'after it'] as const;
const commands = new Map<string, Taken[]>();
for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
  const home = temporaryHome();
  const env = environment(home);
  const started = await start(env);
  firstRows.push(started.firstRowsSeconds);
  try {
    for (const when of WHEN) {
      if (when === 'after it') await started.complete;
      for (const words of COMMANDS) {
        const line = words.map((word) => (word.includes(' ') ? `'${word}'` : word)).join(' ');
        const name = `${line}, ${when}`;
        commands.set(name, [...(commands.get(name) ?? []), await runCommand(words, env)]);
      }
    }
  } finally {
    await started.stop();
    removeHome(home);
  }
}
publish(
  'start',
  options,
  [
    figureOf('npm start in a new folder: seconds to the first rows', firstRows, 5),
    ...[...commands].map(([name, taken]) => {
      const processor = median(taken.map(({ processorSeconds }) => processorSeconds));
      return figureOf(
        `closehaul ${name}: seconds (${processor.toFixed(2)} of a processor)`,
        taken.map(({ seconds }) => seconds),
        0.5,
      );
    }),
  ],
  { firstRows, commands: Object.fromEntries(commands) },
);
