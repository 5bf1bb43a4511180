import { ensurePythonProgram } from './python-program.js';
import type { TctlOptions } from './tctl.js';

const VERSION = '1.6.6';

/**
 * Stitch's own tap, which the tests run against the sandbox: what it reads there, we must read too.
 * It takes Close's address from TAP_CLOSEIO_URL, since it has its own built in.
 */
export function ensureTapCloseio(options: TctlOptions): Promise<string> {
  return ensurePythonProgram(TAP_CLOSEIO, options);
}

const TAP_CLOSEIO = {
  name: 'tap-closeio',
  version: VERSION,
  requirements: [`tap-closeio==${VERSION}`],
  // As it was on 2026-11-24.
  constraints: `
  backoff==1.10.0 certifi==2026.10.18 charset-normalizer==3.5.2 ciso8601==2.4.1 idna==3.20
  jsonschema==2.6.0 pendulum==1.2.0 python-dateutil==4.0.0 pytz==2026.6 pytzdata==2020.1
  requests==2.33.0 simplejson==3.11.1 singer-python==5.13.2 tzdata==2026.6 tzlocal==5.4.5
  urllib3==2.8.0
`,
  askVersion: `
import importlib.metadata, tap_closeio
print(importlib.metadata.version("tap-closeio"))`,
  main:
    'import os, tap_closeio, tap_closeio.http as http; ' +
    'http.BASE_URL = os.environ["TAP_CLOSEIO_URL"]; tap_closeio.main()',
  mayBuild: true,
} as const;
