import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type HttpOptions, httpSource } from '../../src/bytes/http.ts';
import type { IoError } from '../../src/errors.ts';
import { MAX_HELD_DOWNLOAD_BYTES, MAX_RESTARTS } from '../../src/limits.ts';
import { resolveSource } from '../../src/bytes/resolve.ts';
import { type ByteSource, readFully } from '../../src/bytes/source.ts';
import { until } from '../clock.ts';
import { refuses } from '../refusal.ts';
import { webServer } from '../web-server.ts';

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
    const range = /^bytes=(\d+)-(\d*)$/.exec(String(request.headers.range));
    const first = Number(range?.[1] ?? 0);
    const end = Math.min(Number(range?.[2] || Infinity), data.length - 1);
    const body = now.body ?? data.subarray(first, end + 1);
    const headers: Record<string, string | undefined> = {
      ...(range && { 'content-range': `bytes ${first}-${end}/${data.length}` }),
      'content-length': String(body.length),
      etag: '"v1"',
      ...now.headers,
    };
    const kept = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined);
    response.writeHead(now.status ?? (range ? 206 : 200), Object.fromEntries(kept));
    response.end(body);
  };
}

/** A server that ignores ranges, as `python -m http.server` does. */
function plain(overrides: Overrides = {}): Answer {
  const answer = serve(overrides);
  return (request, response, count) => {
    request.headers.range = undefined;
    answer(request, response, count);
  };
}

/** Opens, then reads a middle range: whatever is wrong from the second request on is seen there. */
async function readMiddle(options: HttpOptions = SMALL): Promise<Uint8Array> {
  const source = await httpSource(`${origin}/model.gguf?token=secret`, { ...options, headBytes: 1024 });
  const into = new Uint8Array(5000);
  await readFully(source, into, 9000, 'tensor "a"');
  await source.close();
  return into;
}

http('one request serves everything that is read in the order of the file', async () => {
  const source = await resolveSource(`${origin}/model.gguf`, SMALL);
  assert.is(source.size, DATA.length);
  const into = new Uint8Array(16);
  for (let at = 0; at < 2048; at += 16) {
    await readFully(source, into, at, 'x');
    assert.equal(into, DATA.slice(at, at + 16));
  }
  const large = new Uint8Array(10_000);
  await readFully(source, large, 5000, 'x');
  assert.equal(large, DATA.slice(5000, 15_000));
  await readFully(source, into, 100, 'what was read before');
  assert.equal(into, DATA.slice(100, 116));
  await readFully(source, into, DATA.length - 16, 'the end');
  assert.equal(into, DATA.slice(-16));
  assert.is(await source.read(into, DATA.length), 0);
  assert.equal(requests, ['bytes=0-']);
});

http('small reads far apart fetch little, and reading on fetches more each time, then all', async () => {
  const data = new Uint8Array(24 << 20).map((_, i) => (i * 7 + (i >> 9)) & 255);
  answer = serve({ data });
  const source = await httpSource(`${origin}/checkpoint.pt`, { retries: 0, headBytes: 1000 });
  assert.equal(requests, ['bytes=0-999']);
  requests = [];
  const into = new Uint8Array(60);
  for (const at of [20 << 20, 1 << 20, 10 << 20, 0]) {
    await readFully(source, into, at, 'a header');
    assert.equal(into, data.slice(at, at + 60));
  }
  assert.equal(requests, [20 << 20, 1 << 20, 10 << 20, 0].map((at) => `bytes=${at}-${at + (16 << 10) - 1}`));
  requests = [];
  for (let at = 0; at < 2 << 20; at += 4096) await readFully(source, new Uint8Array(4096), at, 'x');
  assert.equal(requests, ['bytes=16384-81919', 'bytes=81920-344063', 'bytes=344064-']);
  requests = [];
  await readFully(source, new Uint8Array(1 << 20), 20 << 20, 'a tensor');
  assert.equal(requests, [`bytes=${20 << 20}-`]);
});

http('a file smaller than what is asked for takes one request', async () => {
  const source = await httpSource(`${origin}/model.gguf`, { headBytes: 1 << 20 });
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

http('more files are opened than a page has connections to a server, and few are held', async () => {
  const data = new Uint8Array(16 << 20).fill(7);
  const many = await webServer(() => data);
  const sources: ByteSource[] = [];
  for (let i = 0; i < 9; i++) {
    sources.push(await httpSource(`${many.origin}/${i}`, SMALL));
    await readFully(sources[i], new Uint8Array(16), 0, 'x');
  }
  assert.is(many.requests.length, 9);
  await until(() => many.answering <= 2);
  // one that was let go goes on where it stopped
  await readFully(sources[0], new Uint8Array(data.length), 0, 'all');
  assert.is(many.requests.length, 10);
  assert.match(many.requests[9], /^\/0 bytes=[1-9]\d*-$/);
  for (const source of sources) await source.close?.();
  await until(() => many.answering === 0);
  await many.close();
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

/** Answers that are refused when they come first, and when they come later. */
const hostile: Array<[string, Overrides, 'HTTP_RANGE' | 'CHANGED' | 'HTTP', ...string[]]> = [
  ['204', { status: 204, body: new Uint8Array(0) }, 'HTTP', '204'],
  ['404', { status: 404 }, 'HTTP', '404'],
  ['503 that stays', { status: 503 }, 'HTTP', '503'],
  ['416', { status: 416 }, 'HTTP_RANGE', '416'],
  [
    '206 without Content-Range',
    { status: 206, headers: { 'content-range': undefined } },
    'HTTP_RANGE',
    'Expose-Headers',
  ],
  ['a range that begins elsewhere', { headers: { 'content-range': 'bytes 1-1023/20000' } }, 'HTTP_RANGE', '1-1023'],
  ['a range that is longer', { headers: { 'content-range': 'bytes 0-20000/20000' } }, 'HTTP_RANGE', '0-20000'],
  ['a total that is unknown', { status: 206, headers: { 'content-range': 'bytes 0-1023/*' } }, 'HTTP_RANGE', '/*'],
  ['a total beyond 2^53', { headers: { 'content-range': 'bytes 0-1023/99999999999999999' } }, 'HTTP_RANGE', '9999'],
  ['a range of another unit', { headers: { 'content-range': 'items 0-1023/20000' } }, 'HTTP_RANGE', 'items'],
  ['an encoding nobody knows', { headers: { 'content-encoding': 'x-mine' } }, 'HTTP_RANGE', 'x-mine'],
];
for (const [name, overrides, code, ...words] of hostile) {
  // case: B7
  http(`${name} is refused when opening, and when it comes later`, async () => {
    answer = serve(overrides);
    const opening = httpSource(`${origin}/model.gguf?token=secret`, { ...SMALL, headBytes: 1024 });
    const error = await refuses(opening, code, '/model.gguf', ...words);
    assert.not.match(error.message, 'secret');
    if (/^\d/.test(name)) assert.is((error as IoError).status, Number(name.slice(0, 3)));
    requests = [];
    answer = serve({ ...overrides, from: 2 });
    await refuses(readMiddle(), code);
    requests = [];
    answer = serve();
    assert.equal(await readMiddle(), DATA.slice(9000, 14_000));
  });
}

http('a body longer than it was announced is refused, and an empty one', async () => {
  const long = { body: DATA, headers: { 'content-length': undefined } };
  answer = serve({ ...long, from: 2 });
  await refuses(readMiddle(), 'HTTP_RANGE', 'more bytes than it announced');
  answer = serve({ body: new Uint8Array(0), from: 2 });
  requests = [];
  await refuses(readMiddle(), 'HTTP', 'early', '9000');
});

http('a server may answer with less than was asked for', async () => {
  answer = (request, response, count) => {
    const first = Number(/\d+/.exec(String(request.headers.range))?.[0]);
    request.headers.range = `bytes=${first}-${Math.min(first + 999, DATA.length - 1)}`;
    serve()(request, response, count);
  };
  const source = await httpSource(`${origin}/model.gguf`, SMALL);
  const into = new Uint8Array(5000);
  await readFully(source, into, 0, 'x');
  assert.equal(into, DATA.slice(0, 5000));
  assert.is(requests.length, 5);
});

const changes: Array<[string, Overrides, ...string[]]> = [
  ['another ETag', { headers: { etag: '"v2"' } }, '"v1"', '"v2"'],
  ['a missing ETag', { headers: { etag: undefined } }, '"v1"'],
  ['another ETag of a server that serves no ranges any more', { status: 200, headers: { etag: '"v3"' } }, '"v3"'],
  ['another length', { data: DATA.subarray(0, 15_000) }, '15000', '20000'],
  ['a file cut before the range', { status: 416, headers: { 'content-range': 'bytes */500' } }, '500', '20000'],
  ['a whole new file', { status: 200, headers: { etag: '"v2"' } }, '"v2"'],
];
for (const [name, overrides, ...words] of changes) {
  // case: B7
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
  const source = await httpSource(`${origin}/model.gguf`, { ...SMALL, headBytes: 1024 });
  answer = serve(dated('Tue, 02 Jan 2024 00:00:00 GMT'));
  await refuses(source.read(new Uint8Array(2000), 9000), 'CHANGED', '01 Jan', '02 Jan');
  answer = serve(dated(undefined));
  assert.equal(await readMiddle(), DATA.slice(9000, 14_000));
});

http('the body of a refused answer is not downloaded, nor the rest of a file that is closed', async () => {
  answer = (_, response) => {
    response.writeHead(203, { 'content-length': String(2 ** 31) });
    response.write(DATA);
  };
  await refuses(httpSource(`${origin}/model.gguf`, SMALL), 'HTTP', '203');
  await until(() => broken === 1);
  const other = await webServer(() => new Uint8Array(32 << 20));
  const source = await httpSource(`${other.origin}/model.gguf`, SMALL);
  await readFully(source, new Uint8Array(16), 0, 'x');
  await source.close();
  await source.close();
  await until(() => other.answering === 0);
  assert.ok(other.bytes < 32 << 20, `${other.bytes} bytes were sent`);
  await refuses(source.read(new Uint8Array(16), 0), 'IO', 'closed');
  await other.close();
});

http('an empty file is refused as such', async () => {
  answer = serve({ status: 416, body: new Uint8Array(0), headers: { 'content-range': 'bytes */0' } });
  await refuses(httpSource(`${origin}/model.gguf`, SMALL), 'HTTP_RANGE', 'empty');
});

// case: B7
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
  const error = await refuses(opening, 'HTTP', 'bytes=0-', 'the network is down');
  assert.instance(error.cause, TypeError);
  assert.is(calls, 2);
});

http('a download that breaks off continues where it stopped', async () => {
  // a reset discards what the other side has not read yet, so it comes after that
  let read = (): void => {};
  const watched: typeof fetch = async (...request) => {
    const answered = await fetch(...request);
    const seen = new TransformStream<Uint8Array, Uint8Array>({
      transform(part, controller) {
        controller.enqueue(part);
        read();
      },
    });
    return new Response(answered.body?.pipeThrough(seen), answered);
  };
  const cut: Answer = (request, response) => {
    read = () => void request.socket.destroy();
    response.writeHead(206, { 'content-range': 'bytes 9000-19999/20000', 'content-length': '11000', etag: '"v1"' });
    response.write(DATA.subarray(9000, 9100));
  };
  answer = (request, response, count) => {
    read = () => {};
    return (count === 2 ? cut : serve())(request, response, count);
  };
  await refuses(readMiddle({ ...SMALL, fetch: watched }), 'HTTP', 'reading byte 9100 on failed');
  requests = [];
  assert.equal(await readMiddle({ ...SMALL, retries: 1, fetch: watched }), DATA.slice(9000, 14_000));
  assert.equal(requests, ['bytes=0-1023', 'bytes=9000-', 'bytes=9100-']);
});

http('one that breaks off again and again is given up on, with ranges and without', async () => {
  const data = new Uint8Array(1 << 20);
  for (const kind of [serve, plain]) {
    answer = (request, response, count) => {
      request.headers.range ??= 'bytes=0-';
      if (kind === plain) request.headers.range = undefined;
      const first = Number(/\d+/.exec(request.headers.range ?? '0')?.[0]);
      const size = data.length - first;
      const range = { 'content-range': `bytes ${first}-${data.length - 1}/${data.length}` };
      response.writeHead(kind === plain ? 200 : 206, {
        ...(kind === serve && range),
        'content-length': size,
        etag: '"v1"',
      });
      response.write(data.subarray(0, 1000 + count), () => request.socket.destroy());
    };
    requests = [];
    const source = await httpSource(`${origin}/model.gguf`, { ...SMALL, retries: 2 });
    await refuses(readFully(source, new Uint8Array(data.length), 0, 'all'), 'HTTP', 'failed');
    assert.is(requests.length, 3);
  }
});

http('a server that asks to wait is waited for, but not for ever', async () => {
  answer = (request, response, count) => {
    if (count > 2) return serve()(request, response, count);
    const wait = count === 1 ? '1' : new Date(Date.now() + 1000).toUTCString();
    response.writeHead(count === 1 ? 429 : 503, { 'retry-after': wait }).end();
  };
  const start = performance.now();
  const source = await httpSource(`${origin}/model.gguf`, { retries: 2 });
  assert.is(source.size, DATA.length);
  assert.ok(performance.now() - start > 990); // timers may come a millisecond early
  await source.close();
  answer = (_, response) => void response.writeHead(429, { 'retry-after': '3600' }).end();
  const error = await refuses(httpSource(`${origin}/model.gguf`, { retries: 5 }), 'HTTP', '429', '3600 s');
  assert.is((error as IoError).status, 429);
});

http('a server that does not answer, or stops within a body, is given up on', async () => {
  const silent: Answer[] = [
    () => {},
    (request, response) => {
      const at = Number(/\d+/.exec(request.headers.range ?? '0')?.[0]);
      response.writeHead(206, { 'content-range': `bytes ${at}-19999/20000`, etag: '"v1"' });
      response.write(DATA.subarray(at, 5));
    },
    (_, response) => void response.writeHead(200, { etag: '"v1"' }).write(DATA.subarray(0, 5)),
  ];
  for (answer of silent) {
    requests = [];
    const opening = httpSource(`${origin}/model.gguf`, { retries: 1, timeoutMs: 60 });
    const read = opening.then((source) => readFully(source, new Uint8Array(100), 0, 'x'));
    await refuses(read, 'HTTP', 'nothing arrived for 0.06 s');
  }
  // a drip is not silence: together longer than the limit, each wait a tenth of it
  answer = (_, response) => {
    response.writeHead(200, { etag: '"v1"', 'content-length': '12' });
    for (let i = 0; i < 12; i++) setTimeout(() => response.write(DATA.subarray(i, i + 1)), 150 * i);
  };
  const source = await httpSource(`${origin}/model.gguf`, { retries: 0, timeoutMs: 1500 });
  const into = new Uint8Array(12);
  await readFully(source, into, 0, 'all');
  assert.equal(into, DATA.slice(0, 12));
});

http('an abort ends the wait for an answer, for a body and between tries', async () => {
  const silent: Answer[] = [
    () => {},
    (_, response) => void response.writeHead(200).write('x'),
    (_, response) => void response.writeHead(503).end(),
  ];
  for (answer of silent) {
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 30);
    const options = { readAheadBytes: 1024, retries: 10, signal: controller.signal };
    const error = await httpSource(`${origin}/model.gguf`, options).catch((error) => error);
    assert.is(error, reason); // without the abort it would wait for ever, or be refused with the status
  }
});

http('an aborted read leaves the source as it was', async () => {
  answer = (request, response, count) => {
    if (count !== 2) return serve()(request, response, count);
    response.writeHead(206, { 'content-range': 'bytes 9000-19999/20000', etag: '"v1"' }).write('x');
  };
  const source = await httpSource(`${origin}/model.gguf`, { ...SMALL, headBytes: 1024 });
  const controller = new AbortController();
  const reading = source.read(new Uint8Array(5000), 9000, controller.signal).catch((error) => error);
  const waiting = source.read(new Uint8Array(5000), 9000, controller.signal).catch((error) => error);
  setTimeout(() => controller.abort(new Error('enough')), 30);
  assert.is((await reading).message, 'enough');
  assert.is((await waiting).message, 'enough');
  const into = new Uint8Array(5000);
  await readFully(source, into, 9001, 'x');
  assert.equal(into, DATA.slice(9001, 14_001));
  await source.close();
});

const whole: Array<[string, Answer]> = [
  ['ignores ranges', plain()],
  ['ignores ranges and says no length', plain({ headers: { 'content-length': undefined } })],
  [
    'ignores ranges and encodes',
    plain({ body: gzipSync(DATA), headers: { 'content-encoding': 'gzip', 'content-length': undefined } }),
  ],
  [
    'encodes ranges, and then the whole',
    (request, ...rest) =>
      request.headers.range
        ? serve({ headers: { 'content-encoding': 'gzip' } })(request, ...rest)
        : plain({ body: gzipSync(DATA), headers: { 'content-encoding': 'gzip', 'content-length': undefined } })(
          request,
          ...rest,
        ),
  ],
  [
    'refuses ranges',
    (request, ...rest) => request.headers.range ? void rest[0].writeHead(416).end() : serve()(request, ...rest),
  ],
  [
    'hides Content-Range',
    (request, ...rest) =>
      request.headers.range
        ? serve({ headers: { 'content-range': undefined } })(request, ...rest)
        : serve()(request, ...rest),
  ],
  [
    'does not know its length within a range',
    (request, ...rest) =>
      request.headers.range
        ? serve({ headers: { 'content-range': 'bytes 0-19999/*' } })(request, ...rest)
        : serve()(request, ...rest),
  ],
];
for (const [name, server] of whole) {
  // case: B7
  http(`a server that ${name} is read as it is`, async () => {
    answer = server;
    const source = await httpSource(`${origin}/model.gguf`, SMALL);
    assert.is(source.size, DATA.length);
    for (const at of [0, 9000, 100, DATA.length - 50]) {
      const into = new Uint8Array(50);
      await readFully(source, into, at, 'x');
      assert.equal(into, DATA.slice(at, at + 50), `at ${at}`);
    }
    assert.ok(requests.length <= 2, requests.join());
    assert.equal(requests.slice(1).filter((range) => range !== 'undefined'), []);
    await source.close();
  });
}

http('without ranges a large file is streamed, going back is another download, and there is an end to it', async () => {
  const data = new Uint8Array(
    Uint32Array.from({ length: (MAX_HELD_DOWNLOAD_BYTES >> 2) + (1 << 18) }, (_, i) => i).buffer,
  );
  answer = plain({ data });
  const source = await httpSource(`${origin}/model.gguf`, SMALL);
  const into = new Uint8Array(1000);
  const read = async (at: number): Promise<void> => {
    await readFully(source, into, at, 'x');
    assert.equal(into, data.slice(at, at + 1000));
  };
  await read(0);
  await read(data.length - 1000);
  assert.is(requests.length, 1);
  await read(data.length - 3000); // what was read last is kept
  assert.is(requests.length, 1);
  for (let again = 1; again <= MAX_RESTARTS; again++) {
    await read(1000);
    assert.is(requests.length, 1 + again);
    await read(data.length - 1000);
  }
  await refuses(readFully(source, into, 0, 'x'), 'HTTP_RANGE', 'ignores ranges', `${MAX_RESTARTS + 1} times`, 'Blob');
});

http('a body without a length that breaks off is downloaded anew', async () => {
  answer = (request, response, count) => {
    if (count > 1) return plain({ headers: { 'content-length': undefined } })(request, response, count);
    response.writeHead(200, { etag: '"v1"' }).write(DATA.subarray(0, 100), () => request.socket.destroy());
  };
  const source = await httpSource(`${origin}/model.gguf`, { ...SMALL, retries: 1 });
  const into = new Uint8Array(DATA.length);
  await readFully(source, into, 0, 'all');
  assert.equal(into, DATA);
});

http('a failure says why, and says no password', async () => {
  const port = new URL(origin).port;
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const gone = `http://127.0.0.1:${(closed.address() as AddressInfo).port}/a.gguf?token=secret`;
  await new Promise<void>((resolve) => closed.close(() => resolve()));
  const error = await refuses(httpSource(gone, { retries: 0 }), 'HTTP', '/a.gguf');
  assert.not.match(error.message, 'secret');
  assert.instance(error.cause, Error);

  const seen: (string | undefined)[] = [];
  answer = (request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(401).end();
  };
  for (const headers of [undefined, { Authorization: 'Bearer x' }]) {
    const refusal = await refuses(httpSource(`http://me:p%20w@127.0.0.1:${port}/a.gguf`, { headers }), 'HTTP', '401');
    assert.not.match(refusal.message, /me|p%20w|p w/);
    assert.is((refusal as IoError).status, 401);
  }
  assert.equal(seen, [`Basic ${btoa('me:p w')}`, 'Bearer x']);
});

http('options out of range are refused', async () => {
  await refuses(httpSource(`${origin}/a`, { readAheadBytes: 1023 }), 'OPTION', 'readAheadBytes', '1023');
  await refuses(httpSource(`${origin}/a`, { readAheadBytes: NaN }), 'OPTION', 'NaN');
  await refuses(httpSource(`${origin}/a`, { retries: 11 }), 'OPTION', 'retries', '11');
  await refuses(httpSource(`${origin}/a`, { timeoutMs: 0 }), 'OPTION', 'timeoutMs', '0');
  await refuses(httpSource('model.gguf'), 'OPTION', 'model.gguf', 'absolute');
  assert.is(requests.length, 0);
});

http.run();
