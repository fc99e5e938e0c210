// A Worker bundled as wrangler bundles it (esbuild, its conditions, .wasm files as compiled modules), run in workerd.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { start, until } from '../runtimes/process.mjs';
import { work } from './package.mjs';

let number = 0;

/** Bundles `entry`, starts workerd, and gives what it answers at `path`. */
export async function inWorkerd(workerd, entry, path) {
  const folder = join(work, 'built', `workerd-${++number}`);
  mkdirSync(folder, { recursive: true });
  const modules = new Map();
  const compiled = {
    name: 'compiled wasm',
    setup(api) {
      api.onResolve({ filter: /\.wasm$/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
        if (pluginData === 'asked') return;
        const found = await api.resolve(path, { importer, resolveDir, kind, pluginData: 'asked' });
        const name = basename(found.path);
        modules.set(name, found.path);
        return { path: `./${name}`, external: true };
      });
    },
  };
  await build({
    entryPoints: [entry],
    outfile: join(folder, 'worker.js'),
    bundle: true,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    plugins: [compiled],
    logLevel: 'warning',
  });
  for (const [name, from] of modules) cpSync(from, join(folder, name));
  const wasm = [...modules.keys()].map((name) => `(name = "./${name}", wasm = embed "${name}"),`);
  writeFileSync(
    join(folder, 'config.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      compatibilityDate = "2025-09-01",
      globalOutbound = "nowhere",
      modules = [(name = "worker.js", esModule = embed "worker.js"), ${wasm.join(' ')}],
    )),
    (name = "nowhere", network = (allow = [])),
    (name = "internet", network = (allow = [])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`,
  );
  const stdio = ['ignore', 'pipe', 'pipe', 'pipe'];
  const program = start(workerd, ['serve', '--control-fd=3', 'config.capnp'], { cwd: folder, stdio });
  let told = '';
  program.child.stdio[3].setEncoding('utf8').on('data', (text) => (told += text));
  try {
    const port = await until(30, 'workerd', () => /"port":(\d+)/.exec(told)?.[1]);
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(60_000) });
    const text = await response.text();
    if (!response.ok) throw new Error(`status ${response.status}: ${text}`);
    return text;
  } catch (error) {
    throw new Error(`${error.message}\n${program.output()}\n${readFileSync(join(folder, 'config.capnp'), 'utf8')}`);
  } finally {
    await program.stop();
  }
}
