/** Takes a home, says so, and keeps it until its standard input ends. */
import { ClosehaulError } from '../../src/errors.js';
import { openHome } from '../../src/local/home.js';

try {
  openHome(process.argv[2] ?? '');
  console.log('taken');
} catch (error) {
  console.log(error instanceof ClosehaulError ? error.code : String(error));
}
process.stdin.resume();
