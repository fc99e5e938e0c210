// The page that `ternspike web` serves, in a browser: it starts by itself, says what Node says, breaks no policy, asks nobody else,
// works without a network, and axe finds nothing in it.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { here, root } from './find.mjs';
import { scratch, within } from './process.mjs';

const AXE = join(here, 'node_modules', 'axe-core', 'axe.min.js');
const SECONDS = 60;
/** Until the first token; measured are 0.4 to 1.2 s on two shared cores, where other browsers run meanwhile. */
const FIRST_TOKEN_MS = 8000;
const built = (path) => import(pathToFileURL(join(root, 'build', path)).href);

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

/** Files that the checks open. */
async function fixtures(folder) {
  const { speakingModel } = await built('test/cli/cli.js');
  const { classifierFolder } = await built('test/cli/classifier.js');
  const { samples } = await built('test/eval/dashboard/samples.js');
  const at = (name) => join(folder, name);
  writeFileSync(at('dense.gguf'), speakingModel());
  mkdirSync(at('classifier'));
  classifierFolder(at('classifier'));
  writeFileSync(at('run.json'), JSON.stringify((await samples()).results[0]));
  writeFileSync(at('other.json'), '{"a": 1}');
  return {
    dense: at('dense.gguf'),
    classifier: ['config.json', 'vocab.txt', 'model.safetensors'].map((name) => at(`classifier/${name}`)),
    run: at('run.json'),
    other: at('other.json'),
  };
}

/** The hash that Node gives for what the page writes first. */
async function expected() {
  const { open } = await import(pathToFileURL(join(root, 'dist', 'index.js')).href);
  const { defaultModel } = await import(pathToFileURL(join(root, 'dist', 'default-model.js')).href);
  const { hashIds } = await built('web/hash.js');
  const model = await open(defaultModel, { threads: 1 });
  const { ids } = await model.complete('Once upon a time', { maxTokens: 190, seed: 7 });
  model.dispose();
  return hashIds(ids);
}

const until = (page, check, ...args) => page.waitForFunction(check, { timeout: 20_000, polling: 50 }, ...args);

/** The text is written to its end. */
async function finished(page) {
  await until(page, () => document.getElementById('view-write').dataset.state === 'done');
}

/** Moves the pace to its end: as fast as tokens come. */
async function fullSpeed(page) {
  await page.evaluate(() => {
    const slider = document.querySelector('input[type=range]');
    slider.value = slider.max;
    slider.dispatchEvent(new Event('input'));
  });
}

async function choose(page, chip, paths) {
  await page.click(chip);
  await page.waitForSelector('dialog[open]');
  await (await page.$('dialog input[type=file]')).uploadFile(...paths);
  await until(page, () => {
    const dialog = document.querySelector('dialog');
    const error = dialog?.querySelector('[role=alert]').textContent;
    if (error) throw new Error(error);
    return dialog === null;
  });
}

/** The checks, by name; each is given a fresh page at the address. */
const CHECKS = {
  async 'it starts by itself, on several threads where it may, and says what Node says'(
    page,
    { url, hash, note, name },
  ) {
    const begun = Date.now();
    await page.goto(url);
    await until(page, () => document.querySelectorAll('.story .t').length > 6);
    const took = Date.now() - begun;
    note(`${name}: first token ${took} ms after navigation began`);
    assert.ok(took < FIRST_TOKEN_MS, `${took} ms`);
    assert.equal(await page.evaluate(() => globalThis.crossOriginIsolated), true);
    await fullSpeed(page);
    await finished(page);
    assert.equal(await page.evaluate(() => document.getElementById('answer-hash').textContent), hash);
    const [silent, avoided] = await page.evaluate(() =>
      [...document.querySelectorAll('.counters dd')].map((cell) => cell.firstChild.data)
    );
    assert.match(silent, /^9\d\.\d %$/);
    assert.match(avoided, /million$/);
    // something of every layer was drawn
    const colours = await page.evaluate(() => {
      const canvas = document.querySelector('.raster');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    });
    assert.ok(colours > 10, `${colours} colours`);
  },
  async 'frames go on while it writes, and no task of the page is long'(page, { url, note, name }) {
    await page.goto(url);
    await until(page, () => document.querySelectorAll('.story .t').length > 6);
    const { frames, longest } = await page.evaluate(async () => {
      const start = performance.now();
      let [frames, longest, last] = [0, 0, start];
      while (performance.now() - start < 2000) {
        await new Promise((resolve) => requestAnimationFrame(resolve));
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
        frames++;
      }
      return { frames: frames / 2, longest };
    });
    note(`${name}: ${frames} frames a second while writing, longest gap ${Math.round(longest)} ms`);
    assert.ok(frames > 5, `${frames} frames a second`);
  },
  async 'pause, step, stop and another text'(page, { url }) {
    await page.goto(url);
    await until(page, () => document.querySelectorAll('.story .t').length > 6);
    const press = (text) =>
      page.evaluate((text) => {
        [...document.querySelectorAll('#view-write button')].find((button) => button.textContent === text).click();
      }, text);
    const tokens = () => page.evaluate(() => document.querySelectorAll('.story .t').length);
    await press('Pause');
    await new Promise((resolve) => setTimeout(resolve, 150));
    const paused = await tokens();
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(await tokens(), paused);
    await press('Step');
    await until(page, (n) => document.querySelectorAll('.story .t').length === n, paused + 1);
    await press('Stop');
    await finished(page);
    assert.ok(await tokens() < 100);
    await fullSpeed(page);
    const first = await page.evaluate(() => document.getElementById('answer-hash').textContent);
    await press('Another');
    await until(page, (first) => {
      const hash = document.getElementById('answer-hash')?.textContent;
      return hash !== undefined && hash !== first;
    }, first);
  },
  async 'the keyboard moves through the columns, which light their words'(page, { url }) {
    await page.goto(url);
    await fullSpeed(page);
    await until(page, () => document.querySelectorAll('.story .t').length > 6);
    await fullSpeed(page);
    await finished(page);
    await page.focus('.raster');
    await page.keyboard.press('Home');
    for (let i = 0; i < 6; i++) await page.keyboard.press('ArrowRight');
    const [lit, said, now] = await page.evaluate(() => {
      const canvas = document.querySelector('.raster');
      return [
        document.querySelectorAll('.story .t.on').length,
        canvas.getAttribute('aria-valuetext'),
        canvas.getAttribute('aria-valuenow'),
      ];
    });
    assert.equal(lit, 1);
    assert.equal(now, '7');
    assert.match(said, /^token 7 “.+”: \d+ of [\d,]+ neurons fired/);
    await page.hover('.story .t[data-at="9"]');
    await until(page, () => document.querySelector('.raster').getAttribute('aria-valuenow') === '10');
  },
  async 'a model of the user opens, talks, and is kept and deleted'(page, { url, files }) {
    await page.goto(url);
    await until(page, () => document.querySelectorAll('.story .t').length > 6);
    await choose(page, '#view-write .chip', [files.dense]);
    assert.match(await page.evaluate(() => document.querySelector('#view-write .chip').textContent), /^dense\.gguf/);
    assert.equal(await page.evaluate(() => document.querySelector('.raster').hidden), true);
    await fullSpeed(page);
    await page.type('#view-write input[name=prompt]', 'hello');
    await page.click('#view-write button.main');
    await finished(page);
    assert.ok(await page.evaluate(() => document.querySelectorAll('.story .turn').length === 2));
    await page.click('#view-write .chip');
    await page.waitForSelector('dialog[open]');
    await complaints(page);
    if (!(await page.$('dialog input[name=keep]'))) return;
    await page.click('dialog input[name=keep]');
    await (await page.$('dialog input[type=file]')).uploadFile(files.dense);
    await until(page, () => document.querySelector('dialog') === null);
    await page.reload();
    await page.click('#view-write .chip');
    await until(page, () => document.querySelector('[aria-label="Delete dense.gguf"]') !== null);
    await page.click('[aria-label="Delete dense.gguf"]');
    await until(page, () => document.querySelector('[aria-label="Delete dense.gguf"]') === null);
  },
  async 'two models side by side part at a token that is marked'(page, { url, files }) {
    await page.goto(`${url}#beside`);
    await until(page, () => document.querySelector('#view-beside .chip')?.textContent.startsWith('stories'));
    await choose(page, '#view-beside .panes > div:nth-child(2) .chip', [files.dense]);
    await page.click('#view-beside button.main');
    await until(page, () => document.querySelectorAll('#view-beside .differs').length === 2);
    await complaints(page);
  },
  async 'a spiking classifier settles over its steps'(page, { url, files }) {
    await page.goto(`${url}#classify`);
    await page.waitForSelector('#view-classify .chip');
    await choose(page, '#view-classify .chip', files.classifier);
    await until(page, () => /%/.test(document.querySelector('#view-classify .decision').textContent));
    await until(page, () => document.querySelectorAll('#view-classify polyline').length === 2);
    const points = await page.evaluate(() =>
      document.querySelector('#view-classify polyline').getAttribute('points').split(' ').length
    );
    const columns = await page.evaluate(() =>
      document.querySelector('#view-classify canvas').getAttribute('aria-valuemax')
    );
    assert.equal(String(points), columns);
    await page.evaluate(() => {
      document.querySelector('#view-classify details').open = true;
      document.querySelector('#view-classify textarea').value = 'a good film\nthe film\tgood';
      document.querySelectorAll('#view-classify form')[1].requestSubmit();
    });
    await until(page, () => document.querySelectorAll('#view-classify tbody tr').length === 2);
    await complaints(page);
  },
  async 'the dashboard of runs draws what compare wrote, and refuses the rest'(page, { url, files }) {
    await page.goto(`${url}#runs`);
    const input = await page.waitForSelector('#view-runs input[type=file]');
    await input.uploadFile(files.run);
    const figures = () =>
      document.querySelector('#view-runs .results').shadowRoot.querySelectorAll('figure svg').length;
    await until(page, figures);
    const before = await page.evaluate(figures);
    await input.uploadFile(files.other);
    await until(
      page,
      () => /not a result of compare/.test(document.querySelector('#view-runs [role=alert]').textContent),
    );
    assert.equal(await page.evaluate(figures), before);
    await complaints(page);
  },
  async 'nothing is wider than a small screen, and axe finds nothing in light and dark'(page, { url }) {
    await page.setViewport({ width: 320, height: 700 });
    await page.goto(url);
    await until(page, () => document.querySelectorAll('.story .t').length > 6);
    for (const view of ['write', 'beside', 'classify', 'runs']) {
      await page.evaluate((view) => void (location.hash = view), view);
      await until(page, (view) => !document.getElementById(`view-${view}`).hidden, view);
      const wide = await page.evaluate(() =>
        document.documentElement.scrollWidth - document.documentElement.clientWidth
      );
      assert.ok(wide <= 0, `${view}: ${wide} pixels stand out`);
    }
    await page.evaluate(() => void (location.hash = 'write'));
    await page.setViewport({ width: 1200, height: 900 });
    await complaints(page);
    try {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
    } catch {
      return; // not every browser can be told
    }
    await complaints(page);
  },
};

/** Without a network: the page was there once, and is still there when its server is gone. */
async function offline(page, { serve }) {
  const served = await serve();
  await page.goto(served.url);
  await until(page, () => navigator.serviceWorker.ready.then((all) => all.active !== null));
  await until(page, () => caches.keys().then((names) => names.length === 1));
  await served.close();
  await page.reload();
  await until(page, () => document.querySelectorAll('.story .t').length > 6);
  assert.equal(await page.evaluate(() => globalThis.crossOriginIsolated), true);
}

/** Of browsers but Chromium: what depends on the browser. Markup and style are the same for all. */
const ELSEWHERE = /starts by itself|frames|model of the user|settles/;

/** WebKit, whose driver opens a page and asks a script until it answers: the page writes what Node says. */
async function throughDriver(opened, { url, hash }) {
  const script = `
    const slider = document.querySelector('input[type=range]');
    if (slider && slider.value !== slider.max) {
      slider.value = slider.max;
      slider.dispatchEvent(new Event('input'));
    }
    return document.getElementById('answer-hash')?.textContent ?? document.querySelector('[role=alert]:not(:empty)')?.textContent ?? null;`;
  assert.equal(await opened.wait(url, SECONDS, script), hash);
}

/** Runs the checks in a browser that `launch` of puppeteer.mjs or webkit.mjs has opened; the counts of them. */
export async function webpage(opened, name) {
  const { openPage } = await built('src/web/files.js');
  const { servePage } = await built('src/web/serve.js');
  const folder = scratch();
  const pages = await openPage(join(root, 'dist', 'web'));
  const serve = () => servePage(pages, 0);
  const served = await serve();
  const counts = { passed: 0, failed: 0, skipped: 0, notes: [] };
  const known = {
    url: served.url,
    files: await fixtures(folder.path),
    hash: await expected(),
    note: (line) => void counts.notes.push(line),
    name,
    serve,
  };
  const check = async (title, run) => {
    const page = await opened.page();
    const errors = [];
    const foreign = [];
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('request', (request) => {
      const url = request.url();
      if (!/^(http:\/\/127\.0\.0\.1:|blob:http:\/\/127|about:|data:)/.test(url)) foreign.push(url);
    });
    try {
      await within(SECONDS, title, run(page, known));
      assert.deepEqual(foreign, [], 'nothing was asked of another origin');
      // a policy that is broken is an error of the console, too
      assert.deepEqual(errors.filter((line) => !/ERR_CONNECTION_REFUSED|NS_ERROR_CONNECTION_REFUSED/.test(line)), []);
      counts.passed++;
    } catch (error) {
      counts.failed++;
      counts.notes.push([`FAIL ${title}: ${error.message}`, ...errors].join('\n'));
    } finally {
      await within(10, 'closing the page', page.close()).catch(() => {});
    }
  };
  try {
    if (!opened.page) {
      await throughDriver(opened, known);
      counts.passed++;
      return counts;
    }
    for (const [title, run] of Object.entries(CHECKS)) {
      if (name === 'Chromium' || ELSEWHERE.test(title)) await check(title, run);
    }
    await check('it works when its server is gone', offline);
  } finally {
    await served.close();
    folder.remove();
  }
  return counts;
}
