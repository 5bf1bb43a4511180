/** The programs that others replicate Close with, from PyPI, fetched once into the cache. */
import { ensurePythonProgram, type PythonProgram } from '../../src/local/python-program.js';
import { ensureTapCloseio } from '../../src/local/tap-closeio.js';
import { toolCacheFolder } from '../../tests/support/tools.js';

// Versions as they were on 2026-11-28.
const TARGET_POSTGRES: PythonProgram = {
  name: 'target-postgres',
  version: '2.1.2',
  requirements: ['pipelinewise-target-postgres==2.1.2'],
  constraints: `
  attrs==26.1.0 backoff==1.10.0 ciso8601==2.4.1 inflection==0.3.1 joblib==1.2.0
  jsonschema==3.2.0 pipelinewise-singer-python==1.3.0 psycopg2-binary==2.9.5
  pyrsistent==0.20.0 python-dateutil==4.0.0 pytz==2020.5 setuptools==84.2.1
  simplejson==3.17.2 six==1.17.0 tzdata==2026.6
`,
  askVersion: `
import importlib.metadata, target_postgres
print(importlib.metadata.version("pipelinewise-target-postgres"))`,
  // Of the tap's "integer or boolean" it makes a number, and then fails with the first `false`.
  main:
    'import target_postgres, target_postgres.db_sync as db; given = db.column_type; ' +
    'db.column_type = lambda schema: "boolean" if "boolean" in schema["type"] else given(schema); ' +
    'target_postgres.main()',
  mayBuild: true,
};

const DLT: PythonProgram = {
  name: 'dlt',
  version: '1.31.0',
  requirements: ['dlt[postgres]==1.31.0'],
  constraints: `
  certifi==2026.10.19.post1 charset-normalizer==3.5.3 click==8.5.1 croniter==7.0.0
  fsspec==2026.9.0 gitdb==4.0.12 GitPython==3.2.1 giturlparse==0.16.0 humanize==4.17.0
  idna==3.20 jsonpath-ng==1.16.0 markdown-it-py==4.3.0 mdurl==0.1.2 orjson==3.13.0
  packaging==26.4 pathvalidate==3.3.1 pendulum==3.3.0 pluggy==1.7.0 psycopg2-binary==2.9.13
  Pygments==2.21.0 python-dateutil==4.0.0 pytz==2026.6 PyYAML==6.0.4 requests==2.34.2
  requirements-parser==0.13.1 rich==15.0.0 rich-argparse==1.8.0 semver==3.1.2
  setuptools==84.2.1 simplejson==4.3.0 smmap==5.0.3 sqlglot==30.30.0 tenacity==9.2.1
  tomlkit==0.15.2 typing_extensions==4.16.0 tzdata==2026.6 urllib3==2.8.0
`,
  askVersion: `
import dlt, dlt.sources.rest_api, psycopg2
print(dlt.__version__)`,
  // Runs the script that it is given, as `python` would.
  main: 'import runpy, sys; sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name="__main__")',
};

export interface PeerPrograms {
  readonly tap: string;
  readonly target: string;
  readonly dlt: string;
}

/** Throws PYTHON_PROGRAM_UNOBTAINABLE. */
export async function ensurePeers(): Promise<PeerPrograms> {
  const { env } = process;
  const options = {
    env,
    cacheFolder: toolCacheFolder(),
    onProgress: (line: string) => console.error(line),
  };
  return {
    tap: await ensureTapCloseio(options),
    target: await ensurePythonProgram(TARGET_POSTGRES, options),
    dlt: await ensurePythonProgram(DLT, options),
  };
}
