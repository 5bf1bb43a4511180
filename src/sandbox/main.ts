/** The sandbox as a process of its own: `node dist/sandbox/main.js --port 8181 --seed demo`. */
import { parseArgs } from 'node:util';
import { UnknownFaultError } from './api/faults.js';
import { SandboxOptionError, type SandboxOptions } from './options.js';
import { startSandbox } from './sandbox.js';

const USAGE_EXIT = 2;
const FAILED_EXIT = 1;

class UsageError extends Error {}

function readOptions(words: readonly string[]): SandboxOptions & { endsWithInput: boolean } {
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
      'max-skip': { type: 'string' },
      'changes-per-minute': { type: 'string' },
      'api-key': { type: 'string' },
      fault: { type: 'string', multiple: true },
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
    maxSkip: values['max-skip'],
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
    faults: values.fault ?? [],
    endsWithInput: values['end-with-input'],
    // Nobody outside the process can ask for it, and it would grow for as long as changes come.
    keepsLedger: false,
  };
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
  const { endsWithInput, ...options } = readOptions(process.argv.slice(2));
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
