import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: ['tests/support/global-setup.ts'],
    reporters: ['default', './tests/support/closing-line.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // One more than two cores: the tests mostly wait, for servers and for what was killed to be missed.
    maxWorkers: 3,
    // A test that leaves a connection, a timer or a process behind is a failed test.
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
