// The page of comparisons in a browser: nothing of it breaks its own policy, axe finds nothing in light or dark, the keyboard gets
// everywhere, hostile names stay text, and a running evaluation is followed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { here, root } from './find.mjs';
import { within } from './process.mjs';

const AXE = join(here, 'node_modules', 'axe-core', 'axe.min.js');
const SECONDS = 60;
const built = (path) => import(pathToFileURL(join(root, 'build', 'test', path)).href);

/** Serves pages by their paths, and the live page of the command line for `/live`. */
async function pages() {
  const { samples } = await built('eval/dashboard/samples.js');
  const { dashboardOf } = await import(pathToFileURL(join(root, 'dist', 'eval.js')).href);
  const { results, gate, entries } = await samples();
  const html = await dashboardOf(results, { title: 'Release', entries, gate });
  const server = createServer((request, response) => {
    const known = request.url === '/';
    response.writeHead(known ? 200 : 404, { 'content-type': 'text/html; charset=utf-8' }).end(known ? html : '');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${server.address().port}/`, close };
}

/** What axe has against the page. */
async function complaints(page) {
  await page.evaluate(readFileSync(AXE, 'utf8'));
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return violations.map(({ id, nodes }) =>
      `${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 200)).join(' | ')}`
    );
  });
  assert.deepEqual(found, []);
}

/** The checks, by name: each is given a page that shows the samples. */
const CHECKS = {
  'hostile names stay text': async (page) => {
    assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
    assert.equal(
      await page.evaluate(() => document.querySelectorAll('img, iframe, script[src], link:not([rel=icon])').length),
      0,
    );
    assert.ok(await page.evaluate(() => document.querySelectorAll('figure svg[role=img]').length) > 12);
  },
  'axe finds nothing': complaints,
  'axe finds nothing with all numbers open': async (page) => {
    await page.evaluate(() => document.querySelectorAll('details').forEach((details) => (details.open = true)));
    await complaints(page);
  },
  'the style sheet is applied, and nothing is wider than the page': async (page) => {
    await page.setViewport({ width: 360, height: 800 });
    const [colour, wide] = await page.evaluate(() => [
      getComputedStyle(document.querySelector('.c0')).fill,
      document.documentElement.scrollWidth - document.documentElement.clientWidth,
    ]);
    assert.match(colour, /^rgb\(\d+, \d+, \d+\)$/);
    assert.notEqual(colour, 'rgb(0, 0, 0)');
    assert.ok(wide <= 0, `${wide} pixels stand out`);
    await page.setViewport({ width: 1200, height: 900 });
  },
  'the keyboard reaches the figures, the tables and the search, which says how many are left': async (page) => {
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    const reached = new Set();
    for (let i = 0; i < 200; i++) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => document.activeElement.tagName);
      reached.add(at);
      if (at === 'INPUT') break;
    }
    assert.ok(['SUMMARY', 'DIV', 'INPUT'].every((name) => reached.has(name)), [...reached].join(' '));
    await page.keyboard.type('11 ');
    const [shown, all, said] = await page.evaluate(() => {
      const rows = [...document.querySelectorAll('.search tbody tr')];
      return [
        rows.filter((row) => row.offsetParent !== null).length,
        rows.length,
        document.querySelector('.search output').textContent,
      ];
    });
    assert.ok(shown < all, `${shown} of ${all}`);
    assert.equal(said, `${shown} ${shown === 1 ? 'sample' : 'samples'}`);
  },
};

/** A page in the dark, where the browser can be told. */
async function dark(page) {
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.notEqual(ground, 'rgb(255, 255, 255)');
  await complaints(page);
}

/** A page that follows a run: its figures change, what has the focus stays, and the end is said. */
async function live(page) {
  const { startLive } = await import(pathToFileURL(join(root, 'build', 'src', 'cli', 'live.js')).href);
  const { samples } = await built('eval/dashboard/samples.js');
  const { dashboardOf } = await import(pathToFileURL(join(root, 'dist', 'eval.js')).href);
  const server = await startLive(0, { note: () => {} });
  const until = (check) => page.waitForFunction(check, { timeout: 20_000, polling: 100 });
  const progress = (done) => {
    const values = { a: 3 + done, b: 4 + done };
    server.progress(`scoring ${done} of 9`, {
      phase: 'score',
      done,
      total: 9,
      note: '',
      figure: 'perplexity so far',
      values,
    });
  };
  try {
    progress(1);
    await page.goto(server.url);
    progress(2);
    await until(() => document.getElementById('status').textContent === 'scoring 2 of 9');
    await until(() => document.querySelectorAll('#running tbody tr').length === 2);
    progress(3);
    await until(() => document.querySelectorAll('#running tbody tr').length === 3);
    await complaints(page);
    const { results } = await samples();
    server.show(await dashboardOf(results, { title: 'Done', live: true }));
    await until(() =>
      document.querySelector('#comparison-1 .search') !== null && document.querySelector('#running') === null
    );
  } finally {
    await server.close();
  }
  await until(() => document.getElementById('status').textContent === 'the run has ended');
}

/** Runs the checks in a browser that `launch` of puppeteer.mjs has opened; the counts of them. */
export async function dashboard(opened, name) {
  const served = await pages();
  const counts = { passed: 0, failed: 0, skipped: 0, notes: [] };
  const work = { ...CHECKS, ...(name === 'Chromium' && { 'axe finds nothing in the dark': dark }) };
  const check = async (title, run, url) => {
    const page = await opened.page();
    const errors = [];
    page.on(
      'console',
      (message) => message.type() === 'error' && !/404/.test(message.text()) && errors.push(message.text()),
    );
    page.on('pageerror', (error) => errors.push(error.message));
    try {
      if (url) await page.goto(url);
      await within(SECONDS, title, run(page));
      assert.deepEqual(errors, [], 'the console of the page is empty');
      counts.passed++;
    } catch (error) {
      counts.failed++;
      counts.notes.push([`FAIL ${title}: ${error.message}`, ...errors].join('\n'));
    } finally {
      await within(10, 'closing the page', page.close()).catch(() => {});
    }
  };
  try {
    for (const [title, run] of Object.entries(work)) await check(title, run, served.url);
    await check('a running evaluation is followed', live);
  } finally {
    await served.close();
  }
  return counts;
}
