/** Starts PostgreSQL in the given home as whatever user runs this, connects, and stops it. */
import pg from 'pg';
import { startPostgres } from '../../src/local/postgres.js';
import { openHome } from '../../src/local/home.js';

const home = openHome(process.argv[2] ?? '');
const postgres = await startPostgres({ home });
const client = new pg.Client({ connectionString: postgres.adminUrl });
await client.connect();
await client.end();
await postgres.stop();
home.release();
console.log('started and stopped');
