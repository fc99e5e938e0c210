import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type HttpOptions, httpSource } from '../../src/bytes/http.ts';
import { resolveSource } from '../../src/bytes/resolve.ts';
import { readFully } from '../../src/bytes/source.ts';
import { refuses } from '../refusal.ts';

const DATA = Uint8Array.from({ length: 20_000 }, (_, i) => (i * 13 + (i >> 8)) & 255);
const SMALL: HttpOptions = { readAheadBytes: 1024, retries: 0 };

/** One answer of the test server; `count` is the number of the request, from 1. */
type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void;

const http = suite('http');
let server: Server;
let origin: string;
let answer: Answer = serve();
let requests: string[] = [];
let broken = 0;

http.before(async () => {
  server = createServer((request, response) => {
    requests.push(String(request.headers.range));
    response.on('close', () => {
      if (!response.writableFinished) broken++;
    });
    answer(request, response, requests.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
http.after(() => {
  server.closeAllConnections();
  return new Promise<void>((resolve) => server.close(() => resolve()));
});
http.before.each(() => {
  answer = serve();
  requests = [];
  broken = 0;
});

interface Overrides {
  status?: number;
  headers?: Record<string, string | undefined>;
  data?: Uint8Array;
  body?: Uint8Array;
  /** From this request on. */
  from?: number;
}

/** A server of ranges, with any field of its answers overridden from some request on. */
function serve(overrides: Overrides = {}): Answer {
  return (request, response, count) => {
    const { from = 1, ...wrong } = overrides;
    const now: Overrides = count >= from ? wrong : {};
    const data = now.data ?? DATA;
    const [first, last] = /^bytes=(\d+)-(\d+)$/.exec(String(request.headers.range))!.slice(1).map(Number);
    const end = Math.min(last, data.length - 1);
    const body = now.body ?? data.subarray(first, end + 1);
    const headers: Record<string, string | undefined> = {
      'content-range': `bytes ${first}-${end}/${data.length}`,
      'content-length': String(body.length),
      etag: '"v1"',
      ...now.headers,
    };
    const kept = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined);
    response.writeHead(now.status ?? 206, Object.fromEntries(kept));
    response.end(body);
  };
}

/** Opens, then reads a middle range: whatever is wrong from the second request on is seen there. */
async function readMiddle(options: HttpOptions = SMALL): Promise<Uint8Array> {
  const source = await httpSource(`${origin}/model.gguf?token=secret`, options);
  const into = new Uint8Array(5000);
  await readFully(source, into, 9000, 'tensor "a"');
  return into;
}

http('reads ranges, and small reads share requests', async () => {
  const source = await resolveSource(`${origin}/model.gguf`, SMALL);
  assert.is(source.size, DATA.length);
  const into = new Uint8Array(16);
  for (let at = 0; at < 2048; at += 16) {
    await readFully(source, into, at, 'x');
    assert.equal(into, DATA.slice(at, at + 16));
  }
  assert.equal(requests, ['bytes=0-1023', 'bytes=1024-2047']);
  const large = new Uint8Array(10_000);
  await readFully(source, large, 5000, 'x');
  assert.equal(large, DATA.slice(5000, 15_000));
  assert.equal(requests.slice(2), ['bytes=5000-14999']);
  await readFully(source, into, DATA.length - 16, 'the end');
  assert.equal(into, DATA.slice(-16));
  assert.is(await source.read(into, DATA.length), 0);
  assert.equal(requests.slice(3), ['bytes=19984-19999']);
});

http('small reads far apart fetch little, and reading on fetches more each time', async () => {
  const data = new Uint8Array(4 << 20).map((_, i) => (i * 7 + (i >> 9)) & 255);
  answer = serve({ data });
  const asked = (): number =>
    requests.reduce((sum, range) => {
      const [first, last] = range.slice('bytes='.length).split('-').map(Number);
      return sum + Math.min(last, data.length - 1) - first + 1;
    }, 0);
  const source = await httpSource(`${origin}/checkpoint.pt`, { retries: 0 });
  assert.is(asked(), 512 << 10);
  requests = [];
  const into = new Uint8Array(60);
  for (let i = 0; i < 20; i++) {
    const at = (1 << 20) + i * 150_000;
    await readFully(source, into, at, 'a header');
    assert.equal(into, data.slice(at, at + 60));
  }
  assert.is(asked(), 20 * (16 << 10));
  requests = [];
  for (let at = 2 << 20; at < 4 << 20; at += 4096) await readFully(source, new Uint8Array(4096), at, 'x');
  assert.is(asked(), 2 << 20);
  // 16, 32, … 512 KiB, then 512 KiB each, and the rest
  assert.is(requests.length, 6 + 2 + 1);
});

http('a file smaller than the read-ahead takes one request', async () => {
  const source = await httpSource(`${origin}/model.gguf`);
  const all = new Uint8Array(DATA.length);
  await readFully(source, all, 0, 'all');
  assert.equal(all, DATA);
  assert.is(requests.length, 1);
});

http('reads side by side each get their own bytes', async () => {
  const source = await httpSource(`${origin}/model.gguf`, SMALL);
  await Promise.all(
    Array.from({ length: 24 }, async (_, i) => {
      const into = new Uint8Array(i % 3 === 0 ? 2000 : 300);
      await readFully(source, into, i * 700, 'x');
      assert.equal(into, DATA.slice(i * 700, i * 700 + into.length));
    }),
  );
});

http("headers and fetch are the caller's", async () => {
  let seen: string | undefined;
  answer = (request, ...rest) => {
    seen = request.headers.authorization;
    serve()(request, ...rest);
  };
  let calls = 0;
  const own: typeof fetch = (...args) => {
    calls++;
    return fetch(...args);
  };
  await readMiddle({ ...SMALL, headers: { authorization: 'Bearer x' }, fetch: own });
  assert.equal([seen, calls], ['Bearer x', 2]);
});

const hostile: Array<[string, Overrides, 'HTTP_RANGE' | 'CHANGED' | 'HTTP', ...string[]]> = [
  ['200 instead of 206', { status: 200, body: DATA }, 'HTTP_RANGE', '200', 'Blob'],
  ['204', { status: 204, body: new Uint8Array(0) }, 'HTTP', '204'],
  ['404', { status: 404 }, 'HTTP', '404'],
  ['503 that stays', { status: 503 }, 'HTTP', '503'],
  ['416', { status: 416 }, 'HTTP_RANGE', '416'],
  ['no Content-Range', { headers: { 'content-range': undefined } }, 'HTTP_RANGE', 'missing', 'Expose-Headers'],
  ['a range that begins elsewhere', { headers: { 'content-range': 'bytes 1-1023/20000' } }, 'HTTP_RANGE', '1-1023'],
  ['a range that ends early', { headers: { 'content-range': 'bytes 0-9/20000' } }, 'HTTP_RANGE', '0-9'],
  ['a total that is unknown', { headers: { 'content-range': 'bytes 0-1023/*' } }, 'HTTP_RANGE', '/*'],
  ['a total beyond 2^53', { headers: { 'content-range': 'bytes 0-1023/99999999999999999' } }, 'HTTP_RANGE', '9999'],
  ['a range of another unit', { headers: { 'content-range': 'items 0-1023/20000' } }, 'HTTP_RANGE', 'items'],
  ['gzip', { headers: { 'content-encoding': 'gzip' } }, 'HTTP_RANGE', 'gzip'],
  ['an encoding nobody knows', { headers: { 'content-encoding': 'x-mine' } }, 'HTTP_RANGE', 'x-mine'],
  ['a body longer than its range', { body: DATA, headers: { 'content-length': undefined } }, 'HTTP_RANGE', 'more than'],
  ['an empty body', { body: new Uint8Array(0) }, 'HTTP_RANGE', 'empty'],
];
for (const [name, overrides, code, ...words] of hostile) {
  http(`${name} is refused when opening, and when it comes later`, async () => {
    answer = serve(overrides);
    const error = await refuses(httpSource(`${origin}/model.gguf?token=secret`, SMALL), code, '/model.gguf', ...words);
    assert.not.match(error.message, 'secret');
    requests = [];
    answer = serve({ ...overrides, from: 2 });
    // what is wrong may be wrong in another way for another range; a changed total is a change
    await refuses(readMiddle(), /\/(\*|9999)/.test(String(overrides.headers?.['content-range'])) ? 'HTTP_RANGE' : code);
    requests = [];
    answer = serve();
    assert.equal(await readMiddle(), DATA.slice(9000, 14_000));
  });
}

const changes: Array<[string, Overrides, ...string[]]> = [
  ['another ETag', { headers: { etag: '"v2"' } }, '"v1"', '"v2"'],
  ['a missing ETag', { headers: { etag: undefined } }, '"v1"'],
  ['another length', { data: DATA.subarray(0, 15_000) }, '15000', '20000'],
  ['a file cut before the range', { status: 416, headers: { 'content-range': 'bytes */500' } }, '500', '20000'],
  ['a whole new file', { status: 200, headers: { etag: '"v2"' } }, '"v2"'],
];
for (const [name, overrides, ...words] of changes) {
  http(`${name} after opening is refused as a change`, async () => {
    answer = serve({ ...overrides, from: 2 });
    await refuses(readMiddle(), 'CHANGED', ...words);
  });
}

http('without an ETag the time of change is held constant; without both, the length', async () => {
  const dated = (date: string | undefined, from = 1): Overrides => ({
    from,
    headers: { etag: undefined, 'last-modified': date },
  });
  answer = serve(dated('Mon, 01 Jan 2024 00:00:00 GMT'));
  assert.is((await readMiddle()).length, 5000);
  const opened = httpSource(`${origin}/model.gguf`, SMALL);
  const source = await opened;
  answer = serve(dated('Tue, 02 Jan 2024 00:00:00 GMT'));
  await refuses(source.read(new Uint8Array(2000), 9000), 'CHANGED', '01 Jan', '02 Jan');
  answer = serve(dated(undefined));
  assert.equal(await readMiddle(), DATA.slice(9000, 14_000));
});

http('the body of a refused answer is not downloaded', async () => {
  answer = (_, response) => {
    response.writeHead(200, { 'content-length': String(2 ** 31) });
    response.write(DATA);
  };
  await refuses(httpSource(`${origin}/model.gguf`, SMALL), 'HTTP_RANGE', '200');
  for (let i = 0; i < 100 && broken === 0; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.is(broken, 1);
});

http('an empty file is refused as such', async () => {
  answer = serve({ status: 416, body: new Uint8Array(0), headers: { 'content-range': 'bytes */0' } });
  await refuses(httpSource(`${origin}/model.gguf`, SMALL), 'HTTP_RANGE', 'empty');
});

http('a redirect to another origin is refused unless allowed; within the origin it is followed', async () => {
  const front = createServer((_, response) => response.writeHead(302, { location: `${origin}/to` }).end());
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const elsewhere = `http://127.0.0.1:${(front.address() as AddressInfo).port}/from`;
  await refuses(httpSource(elsewhere, SMALL), 'HTTP_RANGE', 'another origin', origin, 'allowRedirect');
  assert.is((await httpSource(elsewhere, { ...SMALL, allowRedirect: true })).size, DATA.length);
  front.closeAllConnections();
  await new Promise<void>((resolve) => front.close(() => resolve()));

  answer = (request, response, count) => {
    if (request.url === '/to') return serve()(request, response, count);
    response.writeHead(302, { location: '/to' }).end();
  };
  assert.is((await httpSource(`${origin}/from`, SMALL)).size, DATA.length);
});

http('passing failures are tried again, and given up on in the end', async () => {
  answer = (request, response, count) => {
    if (count === 1) return void response.writeHead(503).end('busy');
    if (count === 3) return void request.socket.destroy();
    serve()(request, response, count);
  };
  assert.equal(await readMiddle({ readAheadBytes: 1024 }), DATA.slice(9000, 14_000));
  assert.is(requests.length, 4);
  let calls = 0;
  const failing: typeof fetch = () => {
    calls++;
    return Promise.reject(new TypeError('the network is down'));
  };
  const opening = httpSource(`${origin}/model.gguf`, { retries: 1, fetch: failing });
  const error = await refuses(opening, 'HTTP', 'bytes 0..', 'the network is down');
  assert.instance(error.cause, TypeError);
  assert.is(calls, 2);
});

http('a body that breaks off does not end up in the data', async () => {
  answer = (request, response, count) => {
    if (count !== 2) return serve()(request, response, count);
    response.writeHead(206, { 'content-range': 'bytes 9000-13999/20000', 'content-length': '5000', etag: '"v1"' });
    response.write(new Uint8Array(100).fill(1), () => request.socket.destroy());
  };
  await refuses(readMiddle(), 'HTTP', '9000..13999');
  requests = [];
  assert.equal(await readMiddle({ ...SMALL, retries: 1 }), DATA.slice(9000, 14_000));
});

http('an abort ends the wait for an answer, for a body and between tries', async () => {
  const silent: Answer[] = [
    () => {},
    (_, response) => void response.writeHead(206, { 'content-range': 'bytes 0-1023/20000' }).write('x'),
    (_, response) => void response.writeHead(503).end(),
  ];
  for (answer of silent) {
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 30);
    const start = performance.now();
    const options = { readAheadBytes: 1024, retries: 5, signal: controller.signal };
    const error = await httpSource(`${origin}/model.gguf`, options).catch((error) => error);
    assert.is(error, reason);
    assert.ok(performance.now() - start < 1000);
  }
});

http('options out of range are refused', async () => {
  await refuses(httpSource(`${origin}/a`, { readAheadBytes: 1023 }), 'OPTION', 'readAheadBytes', '1023');
  await refuses(httpSource(`${origin}/a`, { readAheadBytes: NaN }), 'OPTION', 'NaN');
  await refuses(httpSource(`${origin}/a`, { retries: 11 }), 'OPTION', 'retries', '11');
  await refuses(httpSource('model.gguf'), 'OPTION', 'model.gguf', 'absolute');
  assert.is(requests.length, 0);
});

http.run();
