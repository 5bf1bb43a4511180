import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig, Secret, VARIABLES } from '../src/config.js';
import { ClosehaulError } from '../src/errors.js';
import { removeHome, temporaryHome } from './support/tools.js';

let folder = '';
beforeAll(() => {
  folder = temporaryHome();
});
afterAll(() => removeHome(folder));

function failureOf(env: NodeJS.ProcessEnv, schema = 'stitch_closeio'): ClosehaulError {
  try {
    readConfig(env).keyOf(schema);
  } catch (error) {
    if (error instanceof ClosehaulError) return error;
    throw error;
  }
  throw new Error('nothing was wrong with it');
}

describe('readConfig', () => {
  it('needs nothing: all has a default', () => {
    const config = readConfig({});

    expect(config.hasKey).toBe(false);
    expect(config.closeUrl).toBe('https://api.close.com/api/v1');
    expect(config.name).toBe('Stitch Closeio');
    expect(config.databaseUrl).toBeUndefined();
    expect(config.temporal.connectionOptions.address).toBeUndefined();
    expect(config.keyOf('any').key).toBeUndefined();
  });

  it('takes a connection’s own key before the common one', () => {
    const config = readConfig({ CLOSE_API_KEY: 'api_common', CLOSE_API_KEY_EU_SALES: 'api_own' });

    expect(config.keyOf('eu_sales')).toMatchObject({ variable: 'CLOSE_API_KEY_EU_SALES' });
    expect(config.keyOf('eu_sales').key?.reveal()).toBe('api_own');
    expect(config.keyOf('other').key?.reveal()).toBe('api_common');
  });

  it('reads a secret from the file that the _FILE twin names, without its line end', () => {
    const file = join(folder, 'key');
    writeFileSync(file, 'api_from_file\n');

    expect(readConfig({ CLOSE_API_KEY_FILE: file }).keyOf('any').key?.reveal()).toBe(
      'api_from_file',
    );
  });

  it.each([
    ['an empty key', { CLOSE_API_KEY: '' }, 'KEY_EMPTY'],
    ['a key with a space', { CLOSE_API_KEY: 'api_1 2' }, 'KEY_MALFORMED'],
    ['a key with a colon', { CLOSE_API_KEY: 'api_1:' }, 'KEY_MALFORMED'],
    [
      'a key file that is not there',
      { CLOSE_API_KEY_FILE: '/nowhere/key' },
      'SECRET_FILE_UNREADABLE',
    ],
    ['a variable of ours that is not known', { CLOSEHAUL_EVRY: '30m' }, 'CONFIG_INVALID'],
    ['a URL that is none', { CLOSE_API_URL: 'close.com' }, 'CONFIG_INVALID'],
    ['a database of another kind', { DATABASE_URL: 'mysql://u:canary@h/d' }, 'CONFIG_INVALID'],
    ['a log level that is none', { LOG_LEVEL: 'loud' }, 'CONFIG_INVALID'],
  ])('refuses %s and names the variable, not its value', (_what, env, code) => {
    const failure = failureOf(env);

    expect(failure.code).toBe(code);
    expect(failure.exitCode).toBe(2);
    expect(`${failure.message} ${failure.next}`).toContain(Object.keys(env)[0]);
    expect(failure.message).not.toContain('canary');
  });

  it('names all variables that are wrong at once', () => {
    const { message } = failureOf({ CLOSEHAUL_EVRY: '1h', CLOSE_API_URL: 'x', LOG_LEVEL: 'loud' });

    for (const name of ['CLOSEHAUL_EVRY', 'CLOSE_API_URL', 'LOG_LEVEL']) {
      expect(message).toContain(name);
    }
  });

  it('has every variable in README', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

    for (const name of VARIABLES) expect(readme).toContain(`\`${name}\``);
  });
});

describe('Secret', () => {
  it('shows itself to nobody who does not ask by name', () => {
    const secret = new Secret('api_canary');

    const shown = [String(secret), JSON.stringify({ secret }), inspect({ secret })];

    for (const text of shown) expect(text).not.toContain('canary');
  });
});
