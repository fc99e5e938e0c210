/** `web`: the page is served with its types and headers, to this machine only, and nothing but the page. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openPage, PAGE_POLICY } from '../../src/web/files.ts';
import { servePage } from '../../src/web/serve.ts';
import { checkout } from '../house/checkout.ts';
import { refuses } from '../refusal.ts';
import { folder } from './cli.ts';

const test = suite('web');

/** An answer to a path that is sent as it is written. */
function ask(
  url: string,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    request({ hostname, port, path, method, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => void (body += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    }).on('error', reject).end();
  });
}

test('the files have their types, isolation and policy; what has not changed is not sent again', async () => {
  const server = await servePage(await openPage(), 0);
  try {
    const page = await ask(server.url, '/');
    assert.is(page.status, 200);
    assert.is(page.headers['content-type'], 'text/html; charset=utf-8');
    assert.is(page.headers['cross-origin-opener-policy'], 'same-origin');
    assert.is(page.headers['cross-origin-embedder-policy'], 'require-corp');
    assert.is(page.headers['content-security-policy'], `${PAGE_POLICY}; frame-ancestors 'none'`);
    assert.ok(page.body.includes(`content="${PAGE_POLICY}"`), 'the page states the same policy for other hosts');
    assert.is(page.headers['x-content-type-options'], 'nosniff');
    assert.not.match(page.body, /<style|style=|<script(?! type="module" src=")|\son\w+=/);
    for (
      const [path, type] of [
        ['/app.js?x=1', 'text/javascript; charset=utf-8'],
        ['/style.css', 'text/css; charset=utf-8'],
        ['/icon.svg', 'image/svg+xml'],
        ['/manifest.webmanifest', 'application/manifest+json'],
        ['/models/stories-spiking.gguf', 'application/octet-stream'],
      ]
    ) {
      const { status, headers } = await ask(server.url, path, { method: 'HEAD' });
      assert.equal([status, headers['content-type']], [200, type], path);
      assert.ok(Number(headers['content-length']) > 0);
    }
    const { headers: { etag } } = page;
    assert.is((await ask(server.url, '/', { headers: { 'if-none-match': String(etag) } })).status, 304);
    assert.is((await ask(server.url, '/', { headers: { 'if-none-match': '"other"' } })).status, 200);
  } finally {
    await server.close();
  }
});

test('no path leads out of the folder, and other hosts and methods are refused', async () => {
  const files = folder();
  const inside = join(files.path, 'web');
  mkdirSync(inside);
  writeFileSync(join(files.path, 'secret.txt'), 'secret');
  writeFileSync(join(inside, 'index.html'), 'page');
  const server = await servePage(await openPage(inside), 0);
  try {
    assert.is((await ask(server.url, '/index.html')).body, 'page');
    for (
      const path of [
        '/../secret.txt',
        '/%2e%2e/secret.txt',
        '/..%2fsecret.txt',
        '/web/../../secret.txt',
        '//secret.txt',
        '/%',
        '/%00',
        '/..\\secret.txt',
        '/index.html/',
        '/__proto__',
      ]
    ) {
      assert.is((await ask(server.url, path)).status, 404, path);
    }
    assert.is((await ask(server.url, '/', { headers: { host: 'evil.example' } })).status, 403);
    assert.is((await ask(server.url, '/', { headers: { host: 'localhost:1' } })).status, 200);
    assert.is((await ask(server.url, '/', { method: 'POST' })).status, 405);
  } finally {
    await server.close();
    files.remove();
  }
});

test('a port that is taken and a folder without a page are refused', async () => {
  const files = await openPage();
  const server = await servePage(files, 0);
  await refuses(servePage(files, Number(new URL(server.url).port)), 'IO', 'port', 'choose another');
  await server.close();
  const again = await servePage(files, Number(new URL(server.url).port));
  await again.close();
  await refuses(openPage(join(checkout(), 'docs')), 'IO', 'npm run build');
});

if ('deno' in process.versions || 'bun' in process.versions || process.platform === 'win32') {
  test.skip('the command says where it is, and ends when it is interrupted (on Node)', () => {});
} else {
  test('the command says where it is, and ends when it is interrupted', async () => {
    const cli = join(checkout(), 'dist', 'cli.js');
    const child = spawn(process.execPath, [cli, 'web', '--port', '0', '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const line = await new Promise<string>((resolve, reject) => {
      child.once('error', reject).once('exit', (code) => reject(new Error(`it ended with ${code}`)));
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.includes('\n')) resolve(text);
      });
    });
    const { url } = JSON.parse(line) as { url: string };
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
    assert.is((await ask(url, '/')).status, 200);
    child.removeAllListeners('exit');
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill('SIGINT');
    assert.is(await ended, 130);
  });
}

test.run();
