/** Every example that is printed runs as printed: those of README and docs, and those of `--help`. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { COMMANDS } from '../../src/cli/commands.ts';
import { folder } from '../cli/cli.ts';
import { checkout } from '../house/checkout.ts';
import { type CodeBlock, codeBlocks, commandLine, commandLines } from './examples.ts';
import { exampleFiles } from './examples-files.ts';

const examples = suite('examples');
const root = checkout();

const PAGES = [
  'README.md',
  ...readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`),
];
const BLOCKS = PAGES.flatMap((page) => codeBlocks(page, readFileSync(join(root, page), 'utf8')));
const place = ({ page, line }: CodeBlock): string => `${page}:${line}`;

/** Trains for minutes, serves until it is interrupted, or needs what is not here; parsed by the tests of usage. */
const NOT_RUN =
  /^(npx )?ternspike (distill|web|serve|chat|worker|pull|rm|.*hf:|compare (A B|model\.gguf http)|gate .*\[|convert folder|run -m student\.gguf|convert (latest-inference\.pt|spikingbert-sst2\/ sst2\.gguf .*\[))/;
/** At once; each is a process or two. */
const AT_ONCE = 3;

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

/** @param until what it prints when it may be told to end; it ends by itself without */
function run(program: string, args: readonly string[], cwd: string, bin: string, until?: RegExp): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`, TERNSPIKE_DEBUG: '' };
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (part) => {
      output += part;
      if (until?.test(output)) child.kill('SIGTERM');
    });
    child.stderr.on('data', (part) => void (output += part));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

examples('blocks and command lines are found as a reader finds them', () => {
  const [block] = codeBlocks('p.md', 'text\n```sh\nternspike run "a b" \\\n  -n 1 # few\n# no\n```\n');
  assert.equal([block.language, block.line], ['sh', 2]);
  assert.equal(commandLines(block.code), ['ternspike run "a b" -n 1']);
  assert.equal(commandLine('npx ternspike tokenize - < a.txt'), ['ternspike', 'tokenize', '-']);
  assert.ok(BLOCKS.length > 15, `${BLOCKS.length} blocks`);
});

examples('no example uses syntax that the oldest Node that is promised does not know', () => {
  for (const block of BLOCKS) {
    assert.not.match(block.code, /^\s*(await )?using /m, place(block));
  }
});

if (process.platform === 'win32' || 'deno' in process.versions || 'bun' in process.versions) {
  examples.skip('examples run (on Node, with a POSIX shell)', () => {});
} else {
  const files = folder();
  let bin = '';
  const succeeds = async (line: string, where: string): Promise<void> => {
    // a server is there until it is told to end, and its usual port may be taken
    const served = /^(npx )?ternspike serve\b/.test(line);
    const free = !served || / --port 0\b/.test(line) ? '' : ' --port 0';
    const program = served ? `exec ${line.replace(/^npx /, '').replace(/ --port [1-9]\d*/, '')}${free}` : line;
    const { code, output } = await run('sh', ['-c', program], files.path, bin, served ? /http:\/\// : undefined);
    assert.is(code, 0, `${where}: ${line}\n${output}`);
    assert.not.match(output, /^ternspike: /m, `${where}: ${line}`);
  };

  examples.before(async () => {
    bin = await exampleFiles(files.path);
    await succeeds('ternspike convert spikingbert/ sentiment.gguf --type tq1_0 --embedding i8', 'the beginning');
    // what `gate` and `history` look at is what `compare` has left
    const compare = 'ternspike compare f32.gguf q8_0.gguf --data wiki.txt --ctx 64 --tokens 4 --rounds 1';
    await succeeds(
      `${compare} --history runs.jsonl --json > run.json && for a in base a b; do cp run.json $a.json; done`,
      'the beginning',
    );
  });
  examples.after(() => files.remove());

  examples('command lines of --help', async () => {
    const waiting = COMMANDS.map(({ spec }) => spec.examples.filter((line) => !NOT_RUN.test(line)));
    assert.ok(waiting.flat().length > 25, `${waiting.flat().length} examples`);
    // those of one command in their order: one may use what another has left
    const next = async (): Promise<void> => {
      for (let mine = waiting.pop(); mine; mine = waiting.pop()) {
        for (const line of mine) await succeeds(line, '--help');
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
  });

  examples('command lines of README and docs', async () => {
    const lines = BLOCKS.flatMap((block) =>
      commandLines(/^(sh|)$/.test(block.language) ? block.code : '').map((line) => [line, place(block)] as const)
    ).map(([line, where]) => [line.replace(/^npm install && (?=npx)/, ''), where] as const)
      .filter(([line]) => /^(npx )?ternspike /.test(line) && !NOT_RUN.test(line));
    assert.ok(lines.length >= 6, lines.join('\n'));
    for (const [line, where] of lines) await succeeds(line, where);
  });

  examples('programs of README and docs, and the page', async () => {
    const programs = BLOCKS.filter(({ language, code }) =>
      /^(js|ts|html)$/.test(language) && /import .*'(ternspike|\.\/node_modules)/.test(code) &&
      // what needs a bundler, another package, or a hub
      !/edge|\.wasm|from 'ai'|'hf:/.test(code)
    );
    assert.ok(programs.length >= 4, programs.map(place).join());
    for (const [i, block] of programs.entries()) {
      const page = /<script type="module">([\s\S]*?)<\/script>/.exec(block.code)?.[1];
      const file = join(files.path, `example-${i}.mjs`);
      writeFileSync(file, page === undefined ? block.code : PAGE + page);
      const { code, output } = await run(process.execPath, [file], files.path, bin);
      assert.is(code, 0, `${place(block)}\n${output}`);
      if (/generate/.test(block.code)) assert.match(output, /[a-z]{3,}/, place(block));
    }
  });
}

/** What a page has, as far as the example needs it: a file is chosen at once. */
const PAGE = `
import { openAsBlob } from 'node:fs';
const document = {
  querySelector: () => ({
    addEventListener: async (_, listener) =>
      await listener({ target: { files: [await openAsBlob('node_modules/ternspike/models/stories-spiking.gguf')] } }),
  }),
  body: { append: (text) => process.stdout.write(text) },
};
`;

examples.run();
