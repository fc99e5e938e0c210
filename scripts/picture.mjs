#!/usr/bin/env node
// Makes docs/images/page.png, the picture of the page in the README: a real screenshot, taken when its story is written.
// Needs a build (`npm run build`) and Chromium with puppeteer (`node test/runtimes/install.mjs`).
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { find } from '../test/runtimes/find.mjs';
import { launch } from '../test/runtimes/puppeteer.mjs';

/** Bytes of the picture: it is part of the package. */
const MOST_BYTES = 200_000;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const path = join(root, 'docs', 'images', 'page.png');
const { chromium } = find();
if (chromium === null) throw new Error('Chromium is not installed; node test/runtimes/install.mjs installs it');

const server = spawn(process.execPath, [join(root, 'dist', 'cli.js'), 'web', '--port', '0', '--json'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const browser = await launch('chrome', chromium);
try {
  const { url } = JSON.parse(await new Promise((resolve) => server.stdout.setEncoding('utf8').once('data', resolve)));
  const page = await browser.page();
  await page.setViewport({ width: 1200, height: 800 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
  await page.goto(url);
  await page.waitForFunction(() => document.getElementById('view-write').dataset.state === 'done', { timeout: 60_000 });
  await page.evaluate(() => document.activeElement?.blur());
  await page.hover('.story .t[data-at="60"]');
  await page.screenshot({ path });
} finally {
  await browser.close();
  server.kill('SIGINT');
}
const { size } = statSync(path);
if (size > MOST_BYTES) throw new Error(`${path} has ${size} bytes, at most ${MOST_BYTES}`);
console.log(`${path}: ${size} bytes`);
