// workerd, the runtime of Cloudflare Workers: the edge bundle, both builds as wasm modules, fixtures as data modules.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { portable } from './bundle.mjs';
import { here, root, shared } from './find.mjs';
import { start, until } from './process.mjs';

const folder = join(root, 'build', 'workerd');
const START_SECONDS = 30;

/** A bundle of dist/ and the chunks it can load, as paths below dist/. */
function closure(entry, seen = new Set()) {
  if (seen.has(entry)) return seen;
  seen.add(entry);
  const source = readFileSync(join(root, 'dist', entry), 'utf8');
  const relatives = source.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["'](\.[\w./-]+)["']/g);
  for (const [, specifier] of relatives) closure(posix.join(posix.dirname(entry), specifier), seen);
  return seen;
}

/** Writes the configuration: every module by name, nothing reachable but the socket on loopback. */
function configure(fixtures) {
  mkdirSync(folder, { recursive: true });
  const present = fixtures.filter((path) => existsSync(join(shared, path)));
  const imports = present.map((path, i) => `import f${i} from ${JSON.stringify(`fixtures/${path}`)};`);
  const entries = present.map((path, i) => `  [${JSON.stringify(path)}, f${i}],`);
  const table = join(folder, 'fixtures.js');
  writeFileSync(table, `${imports.join('\n')}\nexport default new Map([\n${entries.join('\n')}\n]);\n`);

  const modules = [
    ['worker.js', 'esModule', join(here, 'worker.js')],
    ['portable.js', 'esModule', portable],
    ['fixtures.js', 'esModule', table],
    ...[...closure('edge.js')].map((path) => [`dist/${path}`, 'esModule', join(root, 'dist', path)]),
    ...['base.wasm', 'relaxed.wasm'].map((name) => [name, 'wasm', join(root, 'dist', 'wasm', name)]),
    ['stories-spiking.gguf', 'data', join(root, 'models', 'stories-spiking.gguf')],
    ...present.map((path) => [`fixtures/${path}`, 'data', join(shared, path)]),
  ];
  const lines = modules.map(([name, kind, path]) => {
    const from = relative(folder, path).split(sep).join('/'); // embed takes paths relative to the configuration
    return `      (name = ${JSON.stringify(name)}, ${kind} = embed ${JSON.stringify(from)}),`;
  });
  const config = join(folder, 'config.capnp');
  writeFileSync(
    config,
    `# Written by test/runtimes/workerd.mjs.
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      compatibilityDate = "2025-09-01",
      globalOutbound = "nowhere",
      modules = [
${lines.join('\n')}
      ],
    )),
    (name = "nowhere", network = (allow = [])),
    (name = "internet", network = (allow = [])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`,
  );
  return config;
}

/** Starts workerd; `visit(seconds)` runs the checks in it, `close()` ends it. */
export async function launch(workerd, fixtures, strict) {
  const config = configure(fixtures);
  // Descriptor 3 is told which port was free.
  const program = start(workerd, ['serve', '--control-fd=3', config], {
    cwd: dirname(config),
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  let told = '';
  program.child.stdio[3].setEncoding('utf8').on('data', (text) => (told += text));
  let gone = false;
  void program.ended.then(() => (gone = true));
  try {
    const port = await until(START_SECONDS, 'workerd', () => gone ? null : /"port":(\d+)/.exec(told)?.[1]);
    if (port === null) throw new Error('workerd ended');
    const visit = async (seconds) => {
      const url = `http://127.0.0.1:${port}/?strict=${strict ? 1 : 0}`;
      const response = await fetch(url, { signal: AbortSignal.timeout(seconds * 1000) });
      const text = await response.text();
      if (!response.ok) throw new Error(`workerd answered ${response.status}: ${text}\n${program.output()}`);
      return JSON.parse(text);
    };
    return { visit, close: program.stop };
  } catch (error) {
    await program.stop();
    throw new Error(`${error.message}\n${program.output()}`, { cause: error });
  }
}
