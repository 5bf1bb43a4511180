import { Command, CommanderError } from 'commander';
import type { SchemaFlags } from './commands/schema.js';
import { readConfig, type Config } from './config.js';
import { ClosehaulError } from './errors.js';
import { VERSION } from './version.js';

/**
 * The command line. Each command is loaded when it is run, so that a short one does not wait for
 * the worker's libraries. Exit codes: 0 ok, 1 failed, 2 usage, 3 incomplete.
 */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = buildProgram((code) => (exitCode = code));
  if (argv.length <= 2) {
    program.outputHelp();
    return 2;
  }
  // A reader that is gone (`status --watch | head`) is no error of ours.
  process.stdout.on('error', () => process.exit(0));
  try {
    await program.parseAsync([...argv]);
    return exitCode;
  } catch (error) {
    return explain(error);
  }
}

function buildProgram(setExitCode: (code: number) => void): Command {
  const program = new Command('closehaul')
    .description('Replicates Close (close.com) into PostgreSQL, durably, on Temporal.')
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .showHelpAfterError(false);
  addStart(program);
  addOperations(program);
  addReconcile(program, setExitCode);
  addWarehouse(program);
  addServers(program, setExitCode);
  for (const command of program.commands)
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  return program;
}

function connectionOptions(command: Command): Command {
  return command
    .option('--start-date <date>', 'historical sync from this date (default: one year ago)')
    .option('--every <frequency>', 'replication frequency, such as 30m, 6h, 1d (default: 30m)')
    .option('--anchor <HH:MM>', 'time of day in UTC that the slots are counted from')
    .option(
      '--streams <list>',
      'comma list of streams, "all", exclusions: -event_log, leads.-contacts',
    )
    .option('--layout <layout>', 'stitch (default), stitch-v2 or jsonb; fixed until a rebuild');
}

interface ConnectionFlags {
  readonly startDate?: string;
  readonly every?: string;
  readonly anchor?: string;
  readonly streams?: string;
  readonly layout?: string;
}

/** Flag before environment before default. */
function connectionOf(config: Config, name: string, flags: ConnectionFlags) {
  return {
    name,
    startDate: flags.startDate ?? config.startDate,
    every: flags.every ?? config.every,
    anchor: flags.anchor,
    streams: flags.streams?.split(',') ?? config.streams,
    layout: flags.layout ?? config.layout,
  };
}

function addStart(program: Command): void {
  connectionOptions(program.command('start'))
    .description('brings up whatever is missing, syncs, shows progress, and keeps replicating')
    .option('--name <name>', 'integration name; it makes the schema (default: Stitch Closeio)')
    .option('--once', 'ends after the historical sync and one incremental sync', false)
    .action(async (flags: ConnectionFlags & { name?: string; once: boolean }) => {
      const config = readConfig();
      const { start } = await import('./commands/start.js');
      const options = connectionOf(config, flags.name ?? config.name, flags);
      await start(config, { ...options, once: flags.once }, stopSignal());
    });
}

const json = ['--json', 'prints JSON', false] as const;

function outputOf(flags: { readonly json?: boolean }) {
  return { isJson: flags.json === true, print: (line: string) => console.log(line) };
}

function addOperations(program: Command): void {
  connectionOptions(program.command('create <name>'))
    .description('starts the workflow of a connection on a running Temporal')
    .option(...json)
    .action(async (name: string, flags: ConnectionFlags & { json?: boolean }) => {
      const config = readConfig();
      const { create } = await import('./commands/operate.js');
      await create(config, connectionOf(config, name, flags), outputOf(flags));
    });
  program
    .command('status [name]')
    .description('shows one connection, or all')
    .option('--watch', 'shows it again every two seconds', false)
    .option(...json)
    .action(async (name: string | undefined, flags: { watch: boolean; json?: boolean }) => {
      const { status } = await import('./commands/operate.js');
      await status(readConfig(), name, flags.watch, outputOf(flags));
    });
  program
    .command('backfill <name> <date>')
    .description('reads again from a date; the incremental syncs go on meanwhile')
    .option('--until <date>', 'up to this date, exclusive (default: now)')
    .option('--streams <list>', 'comma list of streams (default: all)')
    .option('--id <id>', 'name of the job; the same id is the same job')
    .option(...json)
    .action(
      async (
        name: string,
        from: string,
        flags: { until?: string; streams?: string; id?: string; json?: boolean },
      ) => {
        const { backfill } = await import('./commands/operate.js');
        const request = {
          from,
          ...(flags.until !== undefined && { to: flags.until }),
          ...(flags.streams !== undefined && { streams: flags.streams.split(',') }),
          ...(flags.id !== undefined && { id: flags.id }),
        };
        await backfill(readConfig(), name, request, outputOf(flags));
      },
    );
  program
    .command('rebuild <name>')
    .description('makes the tables anew beside the old ones, then puts them in their place')
    .option('--layout <layout>', 'stitch, stitch-v2 or jsonb (default: as the tables are)')
    .option(...json)
    .action(async (name: string, flags: { layout?: string; json?: boolean }) => {
      const { rebuild } = await import('./commands/operate.js');
      await rebuild(readConfig(), name, flags.layout, outputOf(flags));
    });
  addSignals(program);
  addReports(program);
  program
    .command('runs <name>')
    .description('what each sync read and wrote, newest first')
    .option('--limit <count>', 'how many', '20')
    .option(...json)
    .action(async (name: string, flags: { limit: string; json?: boolean }) => {
      const { runs } = await import('./commands/runs.js');
      await runs(readConfig(), name, Number.parseInt(flags.limit, 10) || 20, outputOf(flags));
    });
}

/** Exit code of a command that ended well and found something incomplete. */
const INCOMPLETE = 3;

function addReconcile(program: Command, setExitCode: (code: number) => void): void {
  program
    .command('reconcile <name>')
    .description(
      'compares all that Close has with the tables, mends what differs, and waits for it',
    )
    .option('--streams <list>', 'comma list of streams (default: all)')
    .option(...json)
    .action(async (name: string, flags: { streams?: string; json?: boolean }) => {
      const { reconcile } = await import('./commands/reconcile.js');
      const streams = flags.streams?.split(',');
      const isEqual = await reconcile(readConfig(), name, streams, outputOf(flags));
      if (!isEqual) setExitCode(INCOMPLETE);
    });
}

function addWarehouse(program: Command): void {
  program
    .command('rejected <name>')
    .description('records that no table could take, and why')
    .option('--retry', 'loads them again first', false)
    .option(...json)
    .action(async (name: string, flags: { retry: boolean; json?: boolean }) => {
      const { rejected } = await import('./commands/rejected.js');
      await rejected(readConfig(), name, flags.retry, outputOf(flags));
    });
  program
    .command('schema <name>')
    .description('what the warehouse holds: tables, columns, comments, keys; also as dbt sources')
    .option('--count', 'counts the rows instead of giving the estimates of PostgreSQL', false)
    .option('--dbt', 'prints a sources file for dbt 1.10 or newer', false)
    .option('--database <database>', 'with --dbt: its name (default: that of the dbt profile)')
    .option('--warn-after <period>', 'with --dbt: a stream without changes for so long warns', '1d')
    .option('--error-after <period>', 'with --dbt: and for so long is an error', '3d')
    .option(...json)
    .action(async (name: string, flags: SchemaFlags & { json?: boolean }) => {
      const { schema } = await import('./commands/schema.js');
      await schema(readConfig(), name, flags, outputOf(flags));
    });
}

function addReports(program: Command): void {
  program
    .command('streams [name]')
    .description('what is read from Close and how; with a name: rights, rows, last sync')
    .option(...json)
    .action(async (name: string | undefined, flags: { json?: boolean }) => {
      const { streams } = await import('./commands/streams.js');
      await streams(readConfig(), name, outputOf(flags));
    });
}

function addSignals(program: Command): void {
  const signals = [
    ['pause <name>', 'pause', 'finishes the page in hand, then stops until resume'],
    ['resume <name>', 'resume', 'goes on after a pause, or after the key was changed'],
    ['sync-now <name>', 'syncNow', 'starts an incremental sync now'],
  ] as const;
  for (const [usage, signal, description] of signals) {
    program
      .command(usage)
      .description(description)
      .option(...json)
      .action(async (name: string, flags: { json?: boolean }) => {
        const { tell } = await import('./commands/operate.js');
        await tell(readConfig(), name, signal, [], outputOf(flags));
      });
  }
  program
    .command('set <name>')
    .description('changes frequency, anchor or streams of a running connection')
    .option('--every <frequency>')
    .option('--anchor <HH:MM>')
    .option('--streams <list>')
    .option(...json)
    .action(async (name: string, flags: ConnectionFlags & { json?: boolean }) => {
      const { every, anchor, streams } = flags;
      const settings = {
        ...(every !== undefined && { every }),
        ...(anchor !== undefined && { anchor }),
        ...(streams !== undefined && { streams: streams.split(',') }),
      };
      const { checkOptions } = await import('./commands/connection-options.js');
      checkOptions({ name, every, anchor });
      const { tell } = await import('./commands/operate.js');
      await tell(readConfig(), name, 'set', [settings], outputOf(flags));
    });
}

function addServers(program: Command, setExitCode: (code: number) => void): void {
  program
    .command('worker')
    .description('runs a worker against TEMPORAL_ADDRESS and DATABASE_URL')
    .action(async () => {
      const { work } = await import('./commands/work.js');
      await work(readConfig(), stopSignal());
    });
  program
    .command('check')
    .description('tries the key and its rights, database, Temporal and clock; says what is wrong')
    .option('--name <name>', 'integration name')
    .option(...json)
    .action(async (flags: { name?: string; json?: boolean }) => {
      const config = readConfig();
      const { check } = await import('./commands/check.js');
      const isGood = await check(config, flags.name ?? config.name, outputOf(flags));
      if (!isGood) setExitCode(1);
    });
  program
    .command('doctor')
    .description('looks at the whole installation, and says of each part what to do')
    .option('--name <name>', 'integration name, whose key is tried')
    .option(
      '--register',
      "makes the search attributes that Temporal's lists are filtered by",
      false,
    )
    .option(...json)
    .action(async (flags: { name?: string; register: boolean; json?: boolean }) => {
      const config = readConfig();
      const { doctor } = await import('./commands/doctor.js');
      const name = flags.name ?? config.name;
      const isGood = await doctor(config, name, flags.register, outputOf(flags));
      if (!isGood) setExitCode(1);
    });
  program
    .command('sandbox')
    .description(
      'serves the Close simulator alone (options: --port, --seed, --leads, --activities, …)',
    )
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .action(async (_flags: unknown, command: Command) => {
      const { sandbox } = await import('./commands/sandbox.js');
      setExitCode(await sandbox(command.args));
    });
  program
    .command('stop')
    .description('stops what "start" runs in this folder, or what a killed one left behind')
    .action(async () => {
      const { stop } = await import('./commands/stop.js');
      await stop(readConfig(), (line) => console.log(line));
    });
}

/** npm passes on a Ctrl-C that the terminal has sent us already; within this time it is the same one. */
const SAME_SIGNAL_MS = 1_000;

/** Aborts at the first SIGINT, SIGTERM or SIGHUP; a later one ends the process without draining. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let firstMs = 0;
  const onSignal = (): void => {
    if (!controller.signal.aborted) {
      firstMs = Date.now();
      controller.abort();
    } else if (Date.now() - firstMs > SAME_SIGNAL_MS) {
      console.error('Ended without draining; "npx closehaul stop" stops what still runs.');
      process.exit(130);
    }
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  // Nobody reads our output any more (`start | head`): stop in order, as for Ctrl-C.
  process.stdout.removeAllListeners('error').on('error', () => controller.abort());
  return controller.signal;
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    console.error(`closehaul: ${error.message.replace(/^error: /, '')}`);
    console.error('See "npx closehaul --help".');
    return 2;
  }
  if (error instanceof ClosehaulError) {
    console.error(`closehaul: ${error.message}\n${error.next}`);
    return error.exitCode;
  }
  const stack =
    error instanceof Error
      ? (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
      : [];
  const kind = error instanceof Error ? error.constructor.name : typeof error;
  console.error(
    `closehaul: an unexpected ${kind}. Please report it with these lines:\n${stack.join('\n')}`,
  );
  return 1;
}
