/**
 * An app on a port of this machine, by `node:http`.
 * @module
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { IoError } from '../errors.ts';
import { hostAllowed } from '../server/hosts.ts';
import type { App } from '../server/types.ts';

/** Milliseconds in which the head of a request, and all of it, has to arrive. */
const HEAD_MS = 10_000;
const REQUEST_MS = 60_000;
/** Bytes of a head: keys and names are short. */
const MAX_HEAD_BYTES = 16 << 10;

export interface Listening extends AsyncDisposable {
  readonly url: string;
  /** New connections are refused from now on, and those without a request end. */
  stopListening(): void;
}

/** @throws {IoError} `IO` where the address cannot be listened on */
export async function listen(
  app: App,
  { host, port, hosts }: { host: string; port: number; hosts: readonly string[] },
): Promise<Listening> {
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer({
    headersTimeout: HEAD_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: 1000,
    maxHeaderSize: MAX_HEAD_BYTES,
  }, (request, response) => {
    // before anything makes a URL of it
    if (hostAllowed(request.headers.host, hosts)) return void answer(request, response);
    const body = {
      error: {
        message: 'this server does not answer to that host',
        type: 'invalid_request_error',
        param: null,
        code: 'host_not_allowed',
      },
    };
    response.writeHead(403, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body));
  });
  const address = host.replace(/^\[|\]$/g, '');
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'the port is in use; choose another with --port' : cause.message;
      reject(new IoError('IO', `${host} port ${port} cannot be listened on: ${why}`, { cause }));
    });
    server.listen(port, address, () => resolve());
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${bound}`,
    stopListening() {
      server.close();
      server.closeIdleConnections();
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      // answers that have been given up may still be on their way to their sockets
      const timer = setTimeout(() => server.closeAllConnections(), 500);
      await closed;
      clearTimeout(timer);
    },
  };
}
