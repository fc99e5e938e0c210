// One function for each bundler: builds app/ without configuration, and runs the result.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { root } from '../runtimes/find.mjs';
import { start, until } from '../runtimes/process.mjs';
import { serve } from '../runtimes/server.mjs';
import { expected, here, must, work } from './package.mjs';
import { inWorkerd } from './workerd.mjs';

const PAGE_SECONDS = 60;

/** A page that loads main.js, with a content security policy where one is given. */
function html(folder, name = 'index.html', policy = '') {
  const meta = policy && `<meta http-equiv="Content-Security-Policy" content="${policy}">`;
  const page = `<!doctype html><html><head><meta charset="utf-8">${meta}<link rel="icon" href="data:,"></head>` +
    '<body><script type="module" src="main.js"></script></body></html>\n';
  writeFileSync(join(folder, name), page);
}

/** What a bundle told, beside what this Node tells. */
async function compare(expect, told, { threads = 2 } = {}) {
  const right = await expected();
  expect('it ran', told.error === undefined, told.error);
  expect('one thread', told.one?.text === right.one.text, told.one);
  expect('several threads', told.two?.text === right.one.text && told.two?.threads === threads, [
    told.two,
    told.notices,
  ]);
  expect('a worker', told.worker?.text === right.one.text, told.worker);
  if (threads === 2) expect('no notice', told.notices?.length === 0, told.notices);
}

/** Text that a bundle must not hold: where it was built. */
function expectNoPaths(expect, folder) {
  const files = readdirSync(folder, { recursive: true }).filter((name) => /\.(js|mjs|cjs|html)$/.test(name));
  const leaks = files.filter((name) => readFileSync(join(folder, name), 'utf8').includes(root));
  expect('no path of the machine is in it', files.length > 0 && leaks.length === 0, leaks);
}

async function visit(chromium, folder, page = 'index.html', isolated = true) {
  const server = await serve(isolated, { built: folder });
  try {
    return await (await chromium()).visit(`${server.origin}/built/${page}`, PAGE_SECONDS);
  } finally {
    await server.close();
  }
}

/** A page of a bundler in Chromium. */
const page = (build) => async ({ expect, chromium }) => {
  const folder = join(work, 'built', build.name);
  mkdirSync(folder, { recursive: true });
  await build(folder);
  await compare(expect, await visit(chromium, folder));
  expectNoPaths(expect, folder);
};

async function vite(folder) {
  const { build } = await import('vite');
  const from = join(work, 'vite');
  cpSync(join(work, 'app'), from, { recursive: true });
  html(from);
  writeFileSync(join(from, 'main.js'), "import './page.js';\n");
  await build({
    root: from,
    base: './',
    logLevel: 'error',
    configFile: false,
    build: { outDir: folder, emptyOutDir: true, target: 'es2022' },
  });
}

async function webpack(folder) {
  const { default: webpack } = await import('webpack');
  const stats = await new Promise((resolve, reject) => {
    webpack({
      mode: 'production',
      context: work,
      entry: './app/page.js',
      output: { path: folder, filename: 'main.js' },
      performance: { hints: false },
    }, (error, stats) => error ? reject(error) : resolve(stats));
  });
  const said = stats.toString('errors-warnings');
  if (stats.hasErrors() || stats.hasWarnings()) throw new Error(said);
  html(folder);
}

async function esbuildPage(folder) {
  const { build } = await import('esbuild');
  await build({
    absWorkingDir: work,
    entryPoints: { main: 'app/page.js' },
    outdir: folder,
    bundle: true,
    minify: true,
    format: 'esm',
    logLevel: 'warning',
  });
  html(folder);
}

async function rollupBundle(input, dir, entryFileNames) {
  const { rollup } = await import('rollup');
  const { nodeResolve } = await import('@rollup/plugin-node-resolve');
  const bundle = await rollup({ input: join(work, 'app', input), plugins: [nodeResolve()] });
  await bundle.write({ dir, entryFileNames, format: 'es' });
  await bundle.close();
}

/** Sources that only pages have, and policies that forbid. */
async function pages({ expect, chromium }) {
  const folder = join(work, 'built', 'pages');
  mkdirSync(folder, { recursive: true });
  await esbuildPage(folder);
  cpSync(join(root, 'models', 'stories-spiking.gguf'), join(folder, 'stories.gguf'));
  const told = await visit(chromium, folder, 'index.html?sources');
  expect('it ran', told.error === undefined, told.error);
  const sources = Object.entries(told.sources ?? {});
  expect('sources were opened', sources.length === 8, told);
  for (const [name, architecture] of sources) expect(name, architecture === 'symboliclight', architecture);

  html(folder, 'strict.html', "script-src 'self'");
  const refused = await visit(chromium, folder, 'strict.html?refused');
  expect(
    'a policy without wasm-unsafe-eval is named',
    refused[1] === 'WASM_FORBIDDEN' && refused[0] === 'TernspikeError' && refused[2].includes("'wasm-unsafe-eval'"),
    refused,
  );
  html(folder, 'no-workers.html', "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'");
  const alone = await visit(chromium, folder, 'no-workers.html');
  expect('ternspike/worker says that no worker starts', /WORKER_DIED/.test(alone.error ?? ''), alone);
  html(folder, 'threads.html', "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'");
  const fewer = await visit(chromium, folder, 'threads.html?threads');
  expect('threads that may not start: one, and a notice', fewer.threads === 1, fewer);
  expect('the notice names worker-src', /worker-src/.test(fewer.notices?.join() ?? ''), fewer.notices);
  cpSync(join(here, 'node_modules', 'ternspike', 'dist', 'thread.js'), join(folder, 'thread.js'));
  const own = await visit(chromium, folder, 'threads.html?threads&workerUrl=thread.js');
  expect('workerUrl starts them', own.threads === 2 && own.notices.length === 0, own);
  const plain = await visit(chromium, folder, 'index.html', false);
  await compare(expect, plain, { threads: 1 });
  expect('the notice names the headers', /Cross-Origin-Opener-Policy/.test(plain.notices?.[0] ?? ''), plain.notices);
}

/** A program that was bundled, run by Node beside nothing else. */
async function programs({ expect }) {
  const folder = join(work, 'built', 'programs');
  mkdirSync(folder, { recursive: true });
  const { build } = await import('esbuild');
  const shared = {
    absWorkingDir: work,
    entryPoints: ['app/script.js'],
    bundle: true,
    platform: 'node',
    logLevel: 'warning',
  };
  await build({ ...shared, outfile: join(folder, 'esbuild.mjs'), format: 'esm' });
  await rollupBundle('script.js', join(folder, 'rollup'), 'script.mjs');
  for (const file of ['esbuild.mjs', 'rollup/script.mjs']) {
    await compare(expect, JSON.parse(await must(process.execPath, [join(folder, file)], { cwd: folder })));
  }
  expectNoPaths(expect, folder);
}

async function bun({ expect, found }) {
  const file = join(work, 'built', 'bun-program');
  mkdirSync(join(work, 'built'), { recursive: true });
  await must(found.bun, ['build', '--compile', 'app/script.js', '--outfile', file], { cwd: work });
  await compare(expect, JSON.parse(await must(file, [], { cwd: '/' })));
}

async function next({ expect, chromium }) {
  const folder = join(work, 'next');
  const cli = join(here, 'node_modules', 'next', 'dist', 'bin', 'next');
  const env = { NEXT_TELEMETRY_DISABLED: '1', CI: '' };
  await must(process.execPath, [cli, 'build'], { cwd: folder, env, seconds: 180 });
  const server = start(process.execPath, [cli, 'start', '-p', '0', '-H', '127.0.0.1'], { cwd: folder, env });
  try {
    const origin = await until(30, 'next start', () => /http:\/\/127\.0\.0\.1:[1-9]\d*/.exec(server.output())?.[0]);
    const response = await fetch(`${origin}/api`);
    const text = await response.text();
    await compare(expect, response.ok ? JSON.parse(text) : { error: `status ${response.status} ${server.output()}` });
    await compare(expect, await (await chromium()).visit(`${origin}/`, PAGE_SECONDS));
  } finally {
    await server.stop();
  }
}

async function workerd({ expect, found }) {
  const right = await expected();
  const text = await inWorkerd(found.workerd, join(work, 'app', 'edge.js'), '/');
  expect('a Worker', JSON.parse(text).text === right.one.text, text);
}

export const builds = {
  vite: page(vite),
  webpack: page(webpack),
  esbuild: page(async function esbuild(folder) {
    await esbuildPage(folder);
  }),
  rollup: page(async function rollup(folder) {
    await rollupBundle('page.js', folder, 'main.js');
    html(folder);
  }),
  pages,
  programs,
  bun,
  next,
  workerd,
};
