/**
 * A server of the page for this machine alone.
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { IoError } from '../errors.ts';
import type { PageFiles } from './files.ts';

/** A server that listens. */
export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Names of this machine: a page of another site could reach the server by a name of its own that leads here. */
const LOCAL = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;

/** Starts it on the loopback interface. @param port 0: any free one @throws {IoError} `IO` for a port that is taken */
export async function servePage(files: PageFiles, port: number): Promise<PageServer> {
  const server = createServer((request, response) => {
    answer(files, request, response).catch(() => response.destroy());
  });
  const address = await new Promise<{ port: number }>((resolve, reject) => {
    server.once(
      'error',
      (cause) =>
        reject(new IoError('IO', `port ${port} cannot be used: ${cause.message}; choose another, or 0`, { cause })),
    );
    server.listen(port, '127.0.0.1', () => resolve(server.address() as { port: number }));
  });
  return {
    url: `http://127.0.0.1:${address.port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(files: PageFiles, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url = '', headers } = request;
  if (!LOCAL.test(headers.host ?? '')) return void response.writeHead(403).end();
  if (method !== 'GET' && method !== 'HEAD') return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
  const file = await files(pathOf(url));
  if (!file) return void response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n');
  if (headers['if-none-match'] === file.headers.etag) return void response.writeHead(304, file.headers).end();
  response.writeHead(200, { ...file.headers, 'content-length': file.body.length });
  response.end(method === 'HEAD' ? undefined : file.body);
}

/** The path of a request, decoded; one that cannot be decoded names nothing. */
function pathOf(url: string): string {
  try {
    return decodeURIComponent(url.split(/[?#]/, 1)[0]);
  } catch {
    return '';
  }
}
