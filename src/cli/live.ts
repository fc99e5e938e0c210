/**
 * A page about a running evaluation: a server for this machine alone, whose page follows it.
 * @module
 */
import { createServer, type ServerResponse } from 'node:http';
import { type CompareProgress, dashboardOf, runningSection } from '../entries/eval.ts';
import { IoError } from '../errors.ts';
import type { Output } from './output.ts';

/** Pages that may follow at a time; each holds a connection. */
const MOST_FOLLOWERS = 16;
/** Milliseconds between two changes that pages are told of. */
const EVERY_MS = 250;
/** Milliseconds that pages have to fetch the last state. */
const LAST_LOOK_MS = 1000;

/** A server of one page. */
export interface Live {
  readonly url: string;
  /** Tells the pages how far the run is. */
  progress(line: string, progress?: CompareProgress): void;
  /** The page as it is from now on. */
  show(html: string): void;
  /** Ends it; pages keep what they show. */
  close(): Promise<void>;
}

/** Starts it. @param port 0: any free one @throws {IoError} `IO` for a port that is taken */
export async function startLive(port: number, out: Output): Promise<Live> {
  let finished = '';
  let [line, told, dirty] = ['', '', false];
  const points = new Map<string, { a: number; b: number }[]>();
  const followers = new Set<ServerResponse>();
  const send = (event: string, data: string): void => {
    for (const follower of followers) follower.write(`event: ${event}\ndata: ${data.replace(/[\r\n]+/g, ' ')}\n\n`);
  };
  const current = async (): Promise<string> =>
    finished !== '' && !dirty ? finished : await dashboardOf([], {
      title: 'Running comparison',
      live: true,
      before: runningSection(line, points),
    });
  const server = createServer((request, response) => {
    const host = request.headers.host ?? '';
    // a page of another site could reach this server by a name of its own that leads here
    const local = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host);
    if (!local || request.method !== 'GET') return void response.writeHead(local ? 405 : 403).end();
    if (request.url === '/events') {
      if (followers.size >= MOST_FOLLOWERS) return void response.writeHead(503).end();
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      followers.add(response);
      response.on('close', () => followers.delete(response));
      response.write(`event: progress\ndata: ${line}\n\n`);
      return;
    }
    if (request.url !== '/') return void response.writeHead(404).end();
    current().then((html) => {
      response.writeHead(200, {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      }).end(html);
    }, () => response.writeHead(500).end());
  });
  const address = await new Promise<{ port: number }>((resolve, reject) => {
    server.once(
      'error',
      (cause) =>
        reject(new IoError('IO', `port ${port} cannot be used: ${cause.message}; choose another, or 0`, { cause })),
    );
    server.listen(port, '127.0.0.1', () => resolve(server.address() as { port: number }));
  });
  const url = `http://127.0.0.1:${address.port}/`;
  out.note(`shown on ${url}`);
  const timer = setInterval(() => {
    if (line === told) return;
    told = line;
    send('progress', line);
    send('page', '');
  }, EVERY_MS);
  timer.unref();
  return {
    url,
    progress(text, progress) {
      line = text;
      dirty = finished === '';
      if (!progress?.values || progress.figure === undefined) return;
      const list = points.get(progress.figure) ?? [];
      if (progress.done <= list.length) list.length = 0; // the next comparison of a suite
      points.set(progress.figure, list);
      list.push(progress.values);
    },
    show(html) {
      finished = html;
      dirty = false;
      send('page', '');
    },
    async close() {
      clearInterval(timer);
      // pages that follow fetch the last state; they keep it when the server is gone
      if (followers.size > 0 && finished !== '') await new Promise((resolve) => setTimeout(resolve, LAST_LOOK_MS));
      await Promise.all([...followers].map((follower) =>
        new Promise<void>((resolve) => {
          follower.on('close', resolve).end('event: end\ndata: the run has ended\n\n', () => resolve());
        })
      ));
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}
