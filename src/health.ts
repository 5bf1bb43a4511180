import { createServer, type Server } from 'node:http';
import { ClosehaulError } from './errors.js';

/**
 * Tells containers and load balancers how a worker is, as `HEALTH_ADDRESS` asks for:
 *
 *   GET /live    200 while the process answers
 *   GET /ready   200 while it polls Temporal and reaches the database, else 503
 *
 * Throws HEALTH_ADDRESS_TAKEN.
 */
export async function serveHealth(
  address: string | undefined,
  isReady: () => Promise<boolean>,
): Promise<{ readonly close: () => void }> {
  if (address === undefined) return { close: () => undefined };
  const server = createServer((request, response) => {
    const answer = (status: number, text: string): void => {
      response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`);
    };
    if (request.url === '/live') answer(200, 'live');
    else if (request.url !== '/ready') answer(404, 'GET /live or /ready');
    else
      isReady().then(
        (ready) => answer(ready ? 200 : 503, ready ? 'ready' : 'not ready'),
        () => answer(503, 'not ready'),
      );
  });
  await listen(server, address);
  return {
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** `0.0.0.0:8080`, `[::]:8080`, or `:8080` for every address. */
function listen(server: Server, address: string): Promise<void> {
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new ClosehaulError('HEALTH_ADDRESS_TAKEN', { address }, { cause }));
    });
    server.listen({ port, ...(host !== '' && { host }) }, resolve);
  });
}
