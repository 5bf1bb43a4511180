/** The sandbox as a process of its own: `node dist/sandbox/main.js --port 8181 --seed demo`. */
import { parseArgs } from 'node:util';
import { faultHelp, UnknownFaultError } from './api/faults.js';
import { isRole, roles, type Role } from './api/rights.js';
import { SandboxOptionError, type SandboxOptions } from './options.js';
import { startSandbox } from './sandbox.js';

const USAGE_EXIT = 2;
const FAILED_EXIT = 1;

class UsageError extends Error {}

interface MainOptions extends SandboxOptions {
  readonly endsWithInput: boolean;
  readonly wantsHelp: boolean;
}

const HELP = `Serves a simulator of Close's API and prints its address as one line of JSON.

  --port N --host NAME         where to listen; 0 takes any free port
  --seed TEXT                  the same seed and dates give the same account
  --leads N --activities N     how large the account is (2000, 30000)
  --from DATE --until DATE     what time its data spans (one year up to now)
  --changes-per-minute N       changes while it runs (0)
  --latency-ms N               how long each answer takes at least (0)
  --rate-limit N               requests a second for each key and endpoint group; 0 for none (160)
  --max-skip [PATH=]N          the largest _skip, of all lists or of one, as activity/email=1000
  --api-key KEY                the one key that is let in (any that begins with "api_")
  --role ROLE                  whose rights a key has: ${roles.join(', ')} (admin)
  --fault NAME                 trouble, by name; may be given more than once:

${faultHelp()}

  N: every Nth request, TIMES: so many times at most, PATH: below it only, as 1*3:/lead/
`;

function readOptions(words: readonly string[]): MainOptions {
  const { values } = parseArgs({
    args: [...words],
    strict: true,
    options: {
      port: { type: 'string' },
      host: { type: 'string' },
      seed: { type: 'string' },
      leads: { type: 'string' },
      activities: { type: 'string' },
      from: { type: 'string' },
      until: { type: 'string' },
      'latency-ms': { type: 'string' },
      'rate-limit': { type: 'string' },
      'max-skip': { type: 'string', multiple: true },
      role: { type: 'string' },
      'changes-per-minute': { type: 'string' },
      'api-key': { type: 'string' },
      fault: { type: 'string', multiple: true },
      help: { type: 'boolean', default: false },
      // For whoever started us: when it is killed, its end of the pipe closes, and we end too.
      'end-with-input': { type: 'boolean', default: false },
    },
  });
  const numbers = {
    port: values.port,
    leads: values.leads,
    activities: values.activities,
    latencyMs: values['latency-ms'],
    rateLimit: values['rate-limit'],
    changesPerMinute: values['changes-per-minute'],
  };
  const texts = {
    host: values.host,
    seed: values.seed,
    from: values.from,
    until: values.until,
    apiKey: values['api-key'],
  };
  return {
    ...given(numbers, readNumber),
    ...given(texts, (text) => text),
    ...readMaxSkips(values['max-skip'] ?? []),
    ...given({ role: values.role }, readRole),
    faults: values.fault ?? [],
    endsWithInput: values['end-with-input'],
    wantsHelp: values.help,
    // Nobody outside the process can ask for it, and it would grow for as long as changes come.
    keepsLedger: false,
  };
}

/** `500` is for all lists, `activity/email=500` for one. */
function readMaxSkips(texts: readonly string[]): Pick<SandboxOptions, 'maxSkip' | 'maxSkips'> {
  const maxSkips: Record<string, number> = {};
  let all: { maxSkip?: number } = {};
  for (const text of texts) {
    const place = text.indexOf('=');
    const value = readNumber(text.slice(place + 1), 'max-skip');
    if (place < 0) all = { maxSkip: value };
    else maxSkips[text.slice(0, place).replace(/^\/|\/$/g, '')] = value;
  }
  return { ...all, maxSkips };
}

function readRole(text: string): Role {
  if (isRole(text)) return text;
  throw new UsageError(`"role" must be one of ${roles.join(', ')}, not "${text}".`);
}

/** The entries that were given, each read by `read`. */
function given<Name extends string, Value>(
  entries: Readonly<Record<Name, string | undefined>>,
  read: (text: string, name: string) => Value,
): Partial<Record<Name, Value>> {
  const found: Partial<Record<Name, Value>> = {};
  for (const name of Object.keys(entries) as Name[]) {
    const text = entries[name];
    if (text !== undefined) found[name] = read(text, name);
  }
  return found;
}

function readNumber(text: string, name: string): number {
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) {
    throw new UsageError(`"${name}" must be a number, not "${text}".`);
  }
  return value;
}

function fail(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const isUsage =
    error instanceof UsageError ||
    error instanceof SandboxOptionError ||
    error instanceof UnknownFaultError ||
    code.startsWith('ERR_PARSE_ARGS') ||
    code === 'ERR_SOCKET_BAD_PORT';
  const text =
    code === 'EADDRINUSE'
      ? 'The port is already taken. Choose another with --port, or 0 for any.'
      : message;
  process.stderr.write(`sandbox: ${text}\n`);
  process.exit(isUsage ? USAGE_EXIT : FAILED_EXIT);
}

try {
  const { endsWithInput, wantsHelp, ...options } = readOptions(process.argv.slice(2));
  if (wantsHelp) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const sandbox = await startSandbox(options);
  const stop = (): void => {
    void sandbox.stop().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  if (endsWithInput) process.stdin.once('close', stop).resume();
  process.stdout.write(`${JSON.stringify({ url: sandbox.url })}\n`);
} catch (error) {
  fail(error);
}
