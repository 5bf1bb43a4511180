/** A worker that reads as many slices at once as its argument says; bench/scale-out.ts starts it. */
import { databaseUrlOf } from '../../src/commands/database.js';
import { readConfig } from '../../src/config.js';
import { createLog, installRuntime } from '../../src/log.js';
import { startWorker } from '../../src/worker.js';

const config = readConfig();
const log = createLog(config.logLevel);
installRuntime(log, undefined);
const worker = await startWorker({
  ...{ config, databaseUrl: await databaseUrlOf(config), log },
  slicesAtOnce: Number(process.argv[2]),
});
process.on('SIGTERM', () => void worker.stop());
await worker.finished;
