/**
 * A web server for tests and benchmarks on the loopback: with or without ranges, lengths, a delay, and a limited bandwidth.
 * It remembers what was asked for, and counts the bytes that it sent.
 * @module
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a server answers. */
export interface WebServerOptions {
  /** Answers ranges; true by default. */
  readonly ranges?: boolean;
  /** Says how long a body is; true by default. */
  readonly sized?: boolean;
  /** Milliseconds before every answer. */
  readonly latencyMs?: number;
  /** Bytes a second of all connections together. */
  readonly bytesPerSecond?: number;
  /** More headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface WebServer {
  readonly origin: string;
  /** `PATH RANGE` of every request; without a range, `PATH`. */
  readonly requests: string[];
  /** Bytes of bodies that were sent. */
  bytes: number;
  /** Requests that are being answered. */
  answering: number;
  close(): Promise<void>;
}

const PIECE_BYTES = 64 << 10;

/** @param find the bytes at a path, null where there is no file */
export async function webServer(
  find: (path: string) => Uint8Array | null,
  options: WebServerOptions = {},
): Promise<WebServer> {
  const { ranges = true, sized = true, latencyMs = 0, bytesPerSecond = Infinity, headers: more = {} } = options;
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  let free = 0; // when the line is free again
  const server = createServer(async (request, response) => {
    const path = new URL(String(request.url), 'http://localhost').pathname;
    served.requests.push(request.headers.range ? `${path} ${request.headers.range}` : path);
    if (latencyMs > 0) await sleep(latencyMs);
    const data = find(path);
    if (data === null) return void response.writeHead(404).end();
    const range = ranges ? /^bytes=(\d+)-(\d*)$/.exec(String(request.headers.range)) : null;
    const first = Number(range?.[1] ?? 0);
    const end = Math.min(Number(range?.[2] || Infinity), data.length - 1);
    response.writeHead(range ? 206 : 200, {
      ...(range && { 'content-range': `bytes ${first}-${end}/${data.length}` }),
      ...(sized && { 'content-length': String(end + 1 - first) }),
      etag: `"${data.length}"`,
      ...more,
    });
    let over = false;
    let wake = (): void => {};
    served.answering++;
    response.on('close', () => {
      over = true;
      served.answering--;
      wake();
    }).on('drain', () => wake());
    for (let at = first; at <= end && !over; at += PIECE_BYTES) {
      const piece = data.subarray(at, Math.min(at + PIECE_BYTES, end + 1));
      if (bytesPerSecond < Infinity) {
        free = Math.max(free, performance.now()) + piece.length / bytesPerSecond * 1000;
        if (free - performance.now() > 2) await sleep(free - performance.now());
      }
      served.bytes += piece.length;
      if (!response.write(piece)) await new Promise<void>((resolve) => over ? resolve() : void (wake = resolve));
    }
    response.end();
  });
  const served: WebServer = {
    origin: '',
    requests: [],
    bytes: 0,
    answering: 0,
    close() {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(served, { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}
