/** `serve` as a process, over real sockets: what it prints, who it answers, how it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkout } from '../house/checkout.ts';
import type { Answer } from '../server/asking.ts';
import { folder, refused, speakingModel, ternspike } from './cli.ts';

const test = suite('serve');
const files = folder();
test.after(() => files.remove());

interface Serving {
  readonly url: string;
  readonly port: number;
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  /** Lines of the log so far. */
  log(): Answer[];
}

const CLI = join(checkout(), 'dist', 'cli.js');
const BEFORE = 'deno' in process.versions ? ['run', '-A', CLI] : [CLI];
const alive = new Set<ChildProcess>();
test.after(() => {
  for (const child of alive) child.kill('SIGKILL');
});

/** Starts a server and waits until it says where it is. */
function serve(args: readonly string[] = [], env: Record<string, string> = {}): Promise<Serving> {
  const child = spawn(process.execPath, [...BEFORE, 'serve', '--port', '0', '--json', '--threads', '1', ...args], {
    env: { ...process.env, TERNSPIKE_API_KEY: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  alive.add(child);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (errors += text));
  const ended = new Promise<number | null>((resolve) =>
    child.on('close', (code) => {
      alive.delete(child);
      resolve(code);
    })
  );
  return new Promise((resolve, reject) => {
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      if (!out.includes('\n')) return;
      const { url } = JSON.parse(out) as { url: string };
      const log = (): Answer[] =>
        errors.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
      resolve({ url, port: Number(new URL(url).port), child, ended, log });
    });
    void ended.then((code) => reject(new Error(`it ended with ${code}: ${errors}`)));
  });
}

const post = (url: string, body: object, init: RequestInit = {}): Promise<Response> =>
  fetch(url, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' }, ...init });

/** Sends bytes as they are and gives what comes back until the other side closes, or so many milliseconds. */
function raw(port: number, text: string, ms = 2000): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    const timer = setTimeout(() => socket.destroy(), ms);
    socket.setEncoding('utf8').on('data', (part: string) => void (answer += part));
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.unreachable('nothing came of it in time');
}

test('the bundled models are there as default and sentiment; answers stream, and SIGTERM ends the server when answers are over', async () => {
  const { url, child, ended, log } = await serve();
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
  const { data } = await (await fetch(`${url}/v1/models`)).json() as Answer;
  assert.equal(data.map(({ id }: Answer) => id), ['default', 'sentiment']);
  const judged = await (await post(`${url}/v1/classify`, { model: 'sentiment', input: 'a gorgeous, witty movie' }))
    .json() as Answer;
  assert.is(judged.data[0].label, 'positive');
  const asked = { prompt: 'Once upon a time', seed: 1, max_tokens: 60, logit_bias: { 1: -100 } };
  const whole = await (await post(`${url}/v1/completions`, asked)).json() as Answer;
  const stream = await post(`${url}/v1/completions`, { ...asked, stream: true });
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = (await reader.read()).value ?? '';
  process.kill(child.pid as number, 'SIGTERM');
  for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
  assert.match(text, /data: \[DONE\]\n\n$/);
  const said = text.split('\n\n').filter((event) => event.startsWith('data: {'))
    .map((event) => (JSON.parse(event.slice(6)) as Answer).choices[0].text).join('');
  assert.is(said, whole.choices[0].text);
  assert.is(await ended, 0);
  const lines = log();
  const loaded = lines.find(({ event }) => event === 'loaded');
  assert.equal([loaded?.model, loaded?.parallel], ['default', 8]);
  assert.ok(loaded?.wouldFit >= 8);
  const entry = lines.find(({ path, cachedTokens }) => path === '/v1/completions' && cachedTokens === 0);
  assert.equal([entry?.status, entry?.promptTokens, entry?.completionTokens], [200, 5, 60]);
  assert.not.match(JSON.stringify(lines), /Once upon/);
});

// Deno's node:http does not tell of a client that leaves before its answer begins; there the deadline frees the place
const onNode = 'deno' in process.versions ? test.skip : test;
onNode('a client that hangs up frees its place, whatever its request had come to', async () => {
  const { url, port, child, ended } = await serve(['--parallel', '1', '--queue', '2', '--timeout', '20']);
  const running = async (): Promise<string> =>
    (await (await fetch(`${url}/metrics`)).text())
      .match(/ternspike_requests_(running|waiting)\{model="default"\} \d+/g)!.map((line) => line.split(' ')[1]).join(
        '/',
      );
  const endless = { prompt: 'Once upon a time', max_tokens: 8000, logit_bias: { 1: -100 } };
  const request = (body: object): string => {
    const text = JSON.stringify(body);
    return `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n` +
      `content-length: ${text.length}\r\n\r\n${text}`;
  };
  for (const stream of [false, true]) {
    const hanging = raw(port, request({ ...endless, stream }), 150);
    const queued = raw(port, request({ ...endless, stream }), 100);
    await until(async () => await running() === '1/1');
    await Promise.all([hanging, queued]);
    await until(async () => await running() === '0/0');
  }
  // one that does not read: the server stops after what the sockets hold, and another gets its place when it leaves
  const socket = connect(port, '127.0.0.1', () => socket.write(request({ ...endless, stream: true })));
  await until(async () => await running() === '1/0');
  socket.destroy();
  const { choices } = await (await post(`${url}/v1/completions`, { prompt: 'One', max_tokens: 2 })).json() as Answer;
  assert.is(choices.length, 1);
  process.kill(child.pid as number, 'SIGTERM');
  assert.is(await ended, 0);
});

test('requests that are no requests: hosts, lengths, paths, halves', async () => {
  const { url, port, child, ended } = await serve();
  const status = async (text: string): Promise<number> =>
    Number(/^HTTP\/1\.1 (\d+)/.exec(await raw(port, text, 3000))?.[1] ?? 0);
  const get = (path: string, host: string): string => `GET ${path} HTTP/1.1\r\n${host}connection: close\r\n\r\n`;
  for (const host of ['evil.com', '127.0.0.1:80@x', 'localhost.evil.com', 'a b', '']) {
    assert.is(await status(get('/v1/models', `host: ${host}\r\n`)), 403, host);
  }
  assert.is(await status(get('/v1/models', '')), 400, 'no host at all');
  assert.is(await status('GET /v1/models HTTP/1.0\r\n\r\n'), 403);
  assert.is(await status(get('/v1/models', 'host: localhost\r\n')), 200);
  for (const path of ['/v1/../../etc/passwd', '/%2e%2e%2f', '/..%5c', '//', '/%00', `/${'x'.repeat(10_000)}`]) {
    assert.is(await status(get(path, 'host: localhost\r\n')), 404, path.slice(0, 30));
  }
  const head =
    'POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n';
  assert.is(await status(`${head}content-length: 99999999\r\n\r\n{}`), 413);
  assert.is(await status(`${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`), 400);
  assert.is(await status(`${head}transfer-encoding: chunked\r\n\r\nzz\r\n`), 400);
  const big = 'a'.repeat(1 << 20);
  const chunk = `${big.length.toString(16)}\r\n${big}\r\n`;
  assert.is(await status(`${head}transfer-encoding: chunked\r\n\r\n${chunk.repeat(5)}`), 413);
  assert.is(await status(`${head}x: ${'y'.repeat(20_000)}\r\n\r\n`), 431);
  assert.is((await fetch(`${url}/health`)).status, 200, 'it is still there');
  process.kill(child.pid as number, 'SIGTERM');
  assert.is(await ended, 0);
});

test('several models under names, keys from the environment, and where it may listen', async () => {
  const path = files.file('talk.gguf', speakingModel());
  const { url, child, ended } = await serve(['-m', `a=${path}`, '-m', path, '--parallel', '2'], {
    TERNSPIKE_API_KEY: 'sk-1',
  });
  assert.is((await fetch(`${url}/v1/models`)).status, 401);
  const headers = { authorization: 'Bearer sk-1', 'content-type': 'application/json' };
  const { data } = await (await fetch(`${url}/v1/models`, { headers })).json() as Answer;
  assert.equal(data.map(({ id }: Answer) => id), ['a', 'talk']);
  const body = { model: 'talk', messages: [{ role: 'user', content: 'the dog' }], max_tokens: 3 };
  assert.is((await (await post(`${url}/v1/chat/completions`, body, { headers })).json() as Answer).model, 'talk');
  assert.is((await post(`${url}/v1/chat/completions`, { ...body, model: path }, { headers })).status, 404);
  process.kill(child.pid as number, 'SIGINT');
  assert.is(await ended, 130);
});

// case: S22
test('wrong usage and refusals', async () => {
  const path = files.file('model.gguf', speakingModel());
  const run = (...args: string[]) => ternspike(['serve', ...args], { env: { TERNSPIKE_API_KEY: '' } });
  refused(await run('--host', '0.0.0.0'), 2, '--host', '--api-key', '--i-know');
  refused(await run('--port', '70000'), 2, '--port', '65535');
  refused(await run('-m', `a=${path}`, '-m', `a=${path}`), 2, 'named a');
  refused(await run('--api-key', 'a b'), 2, 'key');
  refused(await run('--port', '0', '-m', files.file('x.gguf', 'no model'), '--quiet'), 1, 'UNKNOWN_FORMAT');
  refused(await run('--port', '0', '-m', path, '--quiet', '--ctx', '1000000', '--parallel', '1024'), 1, 'MEMORY_LIMIT');
});

test.run();
