/** The real dbt, which reads the sources file that `closehaul schema --dbt` writes. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClosehaulError } from '../errors.js';
import { fetchIntoCache } from './cache.js';
import { findOnPath, reasonOf } from './commands.js';
import { run } from './processes.js';
import type { TctlOptions } from './tctl.js';

/** Its 1.12 needs a part that no package registry holds: its installer loads it from elsewhere. */
const VERSION = '1.11.16';
const REQUIREMENTS = [`dbt-core==${VERSION}`, 'dbt-postgres==1.11.0'];
/** All that these two need, as it was on 2026-11-24, so that they are the same every time. */
const CONSTRAINTS = `
  agate==1.9.1 annotated-types==0.8.0 attrs==26.1.0 babel==2.18.0 certifi==2026.10.18
  charset-normalizer==3.5.2 click==8.5.1 colorama==0.4.6 daff==1.4.2
  dbt-adapters==1.24.5 dbt-common==1.39.0 dbt-extractor==0.6.0 dbt-protos==1.0.615
  dbt-semantic-interfaces==0.9.0 deepdiff==8.6.2 idna==3.20 importlib_metadata==8.9.0
  isodate==0.7.2 Jinja2==3.1.6 jsonschema==4.26.0 jsonschema-specifications==2025.9.1
  leather==0.4.1 MarkupSafe==3.0.4 mashumaro==3.14 more-itertools==10.8.0
  msgpack==1.2.4 networkx==3.6.1 opentelemetry-api==1.45.2 orderly-set==5.5.0
  packaging==26.3 parsedatetime==2.6 pathspec==0.12.1 protobuf==6.33.6
  psycopg2-binary==2.9.13 pydantic==2.14.3 pydantic_core==2.50.4
  python-dateutil==2.9.0.post0 python-slugify==9.2.0 pytimeparse==1.1.10 pytz==2026.6
  PyYAML==6.0.3 referencing==0.37.0 requests==2.34.2 rpds-py==2026.9.1 six==1.17.0
  snowplow-tracker==1.1.0 sqlparse==0.6.1 text-unidecode==1.3 typing-inspection==0.4.5
  typing_extensions==4.16.0 urllib3==2.8.0 zipp==4.1.2
`;
const INSTALL_TIMEOUT_MS = 10 * 60 * 1000;
const ASK_TIMEOUT_MS = 60_000;

const WHICH_PYTHON = `
import sys
print(sys.implementation.cache_tag if sys.version_info >= (3, 10) else 'too old')`;
const WHICH_DBT = `
import dbt.adapters.postgres, dbt.version
print(dbt.version.__version__)`;

/**
 * The path of a `dbt` that runs. It lies in a folder of its own, made by pip alone: a virtual
 * environment would be tied to the place where it was made, and Debian's Python cannot make one.
 * Throws DBT_UNOBTAINABLE.
 */
export async function ensureDbt(options: TctlOptions): Promise<string> {
  try {
    const python = findOnPath('python3', options.env);
    if (python === undefined) throw new Error('there is no "python3" on PATH');
    const tag = (await ask(python, WHICH_PYTHON, options.env)).trim();
    if (tag === 'too old') throw new Error('its Python is older than 3.10');
    const name = `dbt-${VERSION}-${tag}`;
    const folder = join(options.cacheFolder, name);
    if (!(await isUsable(python, folder, options.env))) {
      options.onProgress?.(`Fetching dbt ${VERSION} with pip, once.`);
      rmSync(folder, { recursive: true, force: true });
      await install(python, name, options).catch(async (error: unknown) => {
        // Of two that fetch it at once, the second finds the folder there.
        if (!(await isUsable(python, folder, options.env))) throw error;
      });
    }
    return join(folder, 'bin', 'dbt');
  } catch (error) {
    throw new ClosehaulError('DBT_UNOBTAINABLE', { reason: reasonOf(error) }, { cause: error });
  }
}

async function isUsable(python: string, folder: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  if (!existsSync(join(folder, 'bin', 'dbt'))) return false;
  const version = await ask(python, WHICH_DBT, { ...env, PYTHONPATH: folder }).catch(() => '');
  return version.trim() === VERSION;
}

async function install(python: string, name: string, options: TctlOptions): Promise<void> {
  await fetchIntoCache(options.cacheFolder, async (temporaryFolder) => {
    const constraints = join(temporaryFolder, 'constraints.txt');
    writeFileSync(constraints, CONSTRAINTS.trim().replaceAll(/\s+/g, '\n'));
    const file = join(temporaryFolder, name);
    mkdirSync(file);
    const flags = ['--no-input', '--disable-pip-version-check', '--only-binary=:all:'];
    const args = [...flags, '--target', file, '--constraint', constraints, ...REQUIREMENTS];
    const { exitCode, stderr } = await run(python, ['-m', 'pip', 'install', ...args], {
      env: options.env,
      timeoutMs: INSTALL_TIMEOUT_MS,
      workingFolder: temporaryFolder,
    });
    if (exitCode !== 0) throw new Error(reasonOf(stderr));
    writeFileSync(join(file, 'bin', 'dbt'), launcher(python), { mode: 0o755 });
    return { file, name };
  });
}

/** What pip makes itself would not find the packages beside it. */
function launcher(python: string): string {
  return `#!/bin/sh
PYTHONPATH="$(dirname "$0")/.." exec '${python}' -c 'from dbt.cli.main import cli; cli(prog_name="dbt")' "$@"
`;
}

async function ask(python: string, script: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { exitCode, stdout, stderr } = await run(python, ['-c', script], {
    env,
    timeoutMs: ASK_TIMEOUT_MS,
  });
  if (exitCode !== 0) throw new Error(reasonOf(stderr));
  return stdout;
}
