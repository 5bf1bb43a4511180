/** The real browser that the tests look at Temporal's Web UI with: a Debian package. */
import { ClosehaulError } from '../errors.js';
import { findOnPath, reasonOf } from './commands.js';
import { run } from './processes.js';
import type { TctlOptions } from './tctl.js';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const UPDATE_TIMEOUT_MS = 5 * 60 * 1000;
const INSTALL_TIMEOUT_MS = 10 * 60 * 1000;

/**
 * The path of a Chromium. Where there is none and this user may, Debian's package manager installs
 * it, from where its own settings say. Throws CHROMIUM_UNOBTAINABLE.
 */
export async function ensureChromium(options: TctlOptions): Promise<string> {
  try {
    const found = find(options.env);
    if (found !== undefined) return found;
    options.onProgress?.('Installing the Debian package chromium with apt-get, once.');
    await install(options.env);
    const installed = find(options.env);
    if (installed === undefined) throw new Error('apt-get installed it, but it is not on PATH');
    return installed;
  } catch (error) {
    const reason = reasonOf(error);
    throw new ClosehaulError('CHROMIUM_UNOBTAINABLE', { reason }, { cause: error });
  }
}

function find(env: NodeJS.ProcessEnv): string | undefined {
  const path = `${env['PATH'] ?? ''}:/usr/bin`;
  const programs = NAMES.map((name) => findOnPath(name, { PATH: path }));
  return programs.find((program) => program !== undefined);
}

async function install(env: NodeJS.ProcessEnv): Promise<void> {
  const aptGet = findOnPath('apt-get', env);
  if (aptGet === undefined) throw new Error('there is no "apt-get" on PATH');
  if (process.getuid?.() !== 0) throw new Error('only root may install packages');
  const quiet = { ...env, DEBIAN_FRONTEND: 'noninteractive' };
  const steps = [
    { args: ['update'], timeoutMs: UPDATE_TIMEOUT_MS },
    {
      args: ['install', '--yes', '--no-install-recommends', 'chromium'],
      timeoutMs: INSTALL_TIMEOUT_MS,
    },
  ];
  for (const { args, timeoutMs } of steps) {
    const { exitCode, stderr } = await run(aptGet, args, { env: quiet, timeoutMs });
    if (exitCode !== 0) throw new Error(reasonOf(stderr));
  }
}
