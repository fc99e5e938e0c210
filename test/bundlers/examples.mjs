// Every folder of examples/, run as its README says.
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { start, until } from '../runtimes/process.mjs';
import { serve } from '../runtimes/server.mjs';
import { must, work } from './package.mjs';
import { inWorkerd } from './workerd.mjs';

const folder = join(work, 'examples');
const SECONDS = 60;
/** A story is more than its first words. */
const isStory = (text) => text.startsWith('Once upon a time') && text.length > 100;

/** Clicks the button of a page and waits for the story. */
async function tell({ expect, chromium }, path, isolated) {
  const server = await serve(isolated, { work });
  const page = await (await chromium()).page();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  try {
    await page.goto(`${server.origin}/work/${path}`);
    await page.waitForSelector('button:not([disabled])', { timeout: SECONDS * 1000 });
    await page.click('button');
    const length = () => document.getElementById('story').textContent.length > 100;
    await page.waitForFunction(length, { timeout: SECONDS * 1000, polling: 100 });
    const text = await page.$eval('#story', (story) => story.textContent);
    expect(path, text.length > 100 && errors.length === 0, [text, ...errors]);
  } finally {
    await page.close();
    await server.close();
  }
}

const run = {
  page: (tools) => tell(tools, 'examples/page/index.html', false),

  async react(tools) {
    const { build } = await import('vite');
    const outDir = join(work, 'built', 'react');
    const root = join(folder, 'react');
    const configFile = join(root, 'vite.config.js');
    await build({ root, configFile, logLevel: 'error', build: { outDir, emptyOutDir: true } });
    await tell(tools, 'built/react/index.html', true);
  },

  async node({ expect }) {
    const text = await must(process.execPath, ['index.mjs'], { cwd: join(folder, 'node') });
    expect('a story', isStory(text), text);
  },

  async 'ai-sdk'({ expect, found }) {
    const cwd = join(folder, 'ai-sdk');
    mkdirSync(join(cwd, 'node_modules'));
    symlinkSync(join(import.meta.dirname, '..', 'ai-sdk', 'node_modules', 'ai'), join(cwd, 'node_modules', 'ai'));
    const text = await must(found.node24, ['index.mjs'], { cwd });
    expect('a story', text.length > 100, text);
  },

  async deno({ expect, found }) {
    const env = { DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' };
    // the example takes the package from npm; here it is the one that was packed
    const entries = ['', '/default-model'].map((path) => [
      `ternspike${path}`,
      new URL(`../node_modules/ternspike/dist/${path.slice(1) || 'index'}.js`, `file://${work}/`).href,
    ]);
    const map = `data:application/json,${encodeURIComponent(JSON.stringify({ imports: Object.fromEntries(entries) }))}`;
    const args = ['run', '-A', '--no-config', '--import-map', map, 'main.ts'];
    const text = await must(found.deno, args, { cwd: join(folder, 'deno'), env });
    expect('a story', isStory(text), text);
  },

  async bun({ expect, found }) {
    const server = start(found.bun, ['run', 'server.ts'], { cwd: join(folder, 'bun'), env: { PORT: '0' } });
    try {
      const url = await until(30, 'the server', () => /http:\S+/.exec(server.output())?.[0]);
      const text = await (await fetch(url, { signal: AbortSignal.timeout(SECONDS * 1000) })).text();
      expect('a story', text.length > 80, text);
    } finally {
      await server.stop();
    }
  },

  async cloudflare({ expect, found }) {
    const text = await inWorkerd(found.workerd, join(folder, 'cloudflare', 'worker.js'), '/?prompt=One+day');
    expect('a story', text.length > 40, text);
  },
};

const present = readdirSync(join(import.meta.dirname, '..', '..', 'examples'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory()).map(({ name }) => name);

export const examples = Object.fromEntries(present.map((name) => [
  `example ${name}`,
  run[name] ?? (() => Promise.reject(new Error('this example is run by no test'))),
]));
