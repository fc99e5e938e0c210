// Holds tokenizer.json files against Hugging Face's tokenizers: pipelines in the shapes of published models, generated texts, and
// every id, decoded text and stream compared. Installs what it needs below build/oracle.
//   node test/tokenizer/oracle/run.mjs [--seed S] [--texts N] [--only PIPELINE] [--index I] [--odd K]
// --odd K tries K pipelines of random parts instead. Needs `node scripts/build.mjs --tests` first, and Python 3.9 or later with pip;
// without Python it says so and does nothing, but in CI that is a failure.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The version whose behaviour is held to be right. */
const WANTED = 'tokenizers==0.23.3';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../../..');
const folder = join(root, 'build/oracle');
const python = join(folder, process.platform === 'win32' ? 'venv/Scripts/python.exe' : 'venv/bin/python');

function skip(reason) {
  console.log(`tokenizers of Hugging Face: skipped, ${reason}`);
  console.log(process.env.CI ? '0 passed, 1 failed' : '0 passed, 0 failed');
  process.exit(process.env.CI ? 1 : 0);
}

function installed() {
  if (!existsSync(python)) return false;
  const [name, version] = WANTED.split('==');
  const shown = spawnSync(python, ['-c', `import importlib.metadata as m; print(m.version('${name}'))`], {
    encoding: 'utf8',
  });
  return shown.status === 0 && shown.stdout.trim() === version;
}

function install() {
  mkdirSync(folder, { recursive: true });
  const base = ['python3', 'python'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (base === undefined) skip('there is no python3');
  for (
    const [name, args] of [[base, ['-m', 'venv', join(folder, 'venv')]], [python, [
      '-m',
      'pip',
      'install',
      '--quiet',
      WANTED,
    ]]]
  ) {
    const done = spawnSync(name, args, { encoding: 'utf8' });
    if (done.status !== 0) skip(`${name} ${args.join(' ')} failed: ${done.stderr || done.error}`);
  }
}

if (!installed()) install();
const given = process.argv.slice(2);
const option = (name, usual) => given.includes(name) ? given[given.indexOf(name) + 1] : usual;
const seed = option('--seed', '1');
// the project's own texts: the vocabularies are trained on them
const corpus = readdirSync(join(root, 'docs')).filter((file) => file.endsWith('.md')).sort().map((file) =>
  join(root, 'docs', file)
);
const again = ['node test/tokenizer/oracle/run.mjs', ...(given.includes('--odd') ? ['--odd', option('--odd')] : [])]
  .join(' ');
const write = spawn(python, [join(here, 'expect.py'), ...given, ...corpus], {
  stdio: ['ignore', 'pipe', 'pipe'],
  env: { ...process.env, RUST_BACKTRACE: '0', PYTHONDONTWRITEBYTECODE: '1', TOKENIZERS_PARALLELISM: 'false' },
});
const compare = spawn(process.execPath, [join(here, 'compare.mjs'), seed, again], {
  stdio: ['pipe', 'inherit', 'inherit'],
});
write.stdout.pipe(compare.stdin);
let errors = '';
// panics of the original are part of the answers, and said there
write.stderr.on('data', (part) => {
  errors = (errors + part).slice(-4000);
});
const codes = await Promise.all(
  [write, compare].map((process) => new Promise((resolve) => process.on('close', resolve))),
);
if (codes[0] !== 0) console.log(`expect.py failed with ${codes[0]}:\n${errors}\n0 passed, 1 failed`);
process.exitCode = codes[0] || codes[1];
