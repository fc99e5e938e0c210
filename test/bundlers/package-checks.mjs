// What a user of the tarball meets: an installation that says nothing, a command, links that lead somewhere, types.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { root } from '../runtimes/find.mjs';
import { run } from '../runtimes/process.mjs';
import { here, installed, must, project, tarball } from './package.mjs';

const EVERY_ENTRY = `import { type ChatMessage, open } from 'ternspike';
import * as edge from 'ternspike/edge';
import * as evaluation from 'ternspike/eval';
import * as random from 'ternspike/random';
import * as distill from 'ternspike/distill';
import { open as openInWorker } from 'ternspike/worker';
import { defaultModel } from 'ternspike/default-model';
import base from 'ternspike/wasm/base.wasm';
import 'ternspike/thread.js';
import 'ternspike/worker-host.js';

const messages: ChatMessage[] = [{ role: 'user', content: 'hello' }];
const model = await open(defaultModel, { threads: 1 });
for await (const { text, usage } of model.generate('x')) {
  const words: string = text;
  const tokens: number | undefined = usage?.completionTokens;
  void [words, tokens];
}
const far = await openInWorker(defaultModel);
for await (const { text } of far.chat(messages)) void text;
void [await edge.open(defaultModel, { module: base }), evaluation, random, distill];
`;
const MISTAKE = `import { open } from 'ternspike';
const model = await open(5);
model.nothing();
`;

/** Checks a file under compiler options; gives what the compiler says. */
async function compiled(source, options) {
  const file = join(project, 'user.ts');
  writeFileSync(file, source);
  const shared = { strict: true, noEmit: true, skipLibCheck: false, target: 'es2022', module: 'nodenext' };
  const config = { compilerOptions: { ...shared, ...options }, files: ['user.ts'] };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { output } = await run(process.execPath, [tsc, '-p', project], { cwd: project, seconds: 120 });
  return output;
}

/** Links of a Markdown file that lead to a file. */
const links = (text) =>
  [...text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)].map(([, to]) => to).filter((to) => !/^[a-z]+:/.test(to));

export const checks = {
  async package({ expect }) {
    expect(
      'npm says nothing but that it added one package',
      /^\s*added 1 package in \S+\s*$/.test(installed),
      installed,
    );
    const story = await must(join(project, 'node_modules', '.bin', 'ternspike'), [
      'run',
      'Once upon a time',
      '-n',
      '20',
    ], {
      cwd: project,
    });
    expect('the command tells a story', story.length > 60, story);
    const away = join(project, 'node_modules', 'ternspike');
    for (const file of readdirSync(away, { recursive: true }).filter((name) => name.endsWith('.md'))) {
      for (const to of links(readFileSync(join(away, file), 'utf8'))) {
        expect(`${file} → ${to}`, existsSync(join(away, dirname(file), to)), 'is not in the package');
      }
    }
    const { output: help } = await run(join(project, 'node_modules', '.bin', 'ternspike'), ['--help'], { seconds: 30 });
    for (const [path] of help.matchAll(/\bdocs\/[\w-]+\.md/g)) {
      expect(`--help → ${path}`, existsSync(join(away, path)), 'is not in the package');
    }
    // an uncaught error shows the line it was thrown in
    writeFileSync(join(project, 'fails.mjs'), "import { open } from 'ternspike';\nawait open('none.gguf');\n");
    const { code, output } = await run(process.execPath, ['fails.mjs'], { cwd: project, seconds: 30 });
    expect('an uncaught error ends the process', code !== 0, output);
    expect('it is named', /^IoError: IO: none\.gguf/m.test(output), output);
    expect('its lines are short', Math.max(...output.split('\n').map((line) => line.length)) < 500, output);
    const mapped = await run(process.execPath, ['--enable-source-maps', 'fails.mjs'], { cwd: project, seconds: 30 });
    expect('its stack leads to the sources', /src\/bytes\/file\.ts:\d+/.test(mapped.output), mapped.output);
  },

  async types({ expect }) {
    const hosts = {
      'no DOM library': { lib: ['es2022'], types: [] },
      'the DOM library': { lib: ['es2022', 'dom'], types: [] },
      'Node': { lib: ['es2022'], types: ['node'], typeRoots: [join(root, 'node_modules', '@types')] },
      'a bundler': { lib: ['es2022', 'dom'], types: [], module: 'esnext', moduleResolution: 'bundler' },
    };
    for (const [name, options] of Object.entries(hosts)) {
      const said = await compiled(EVERY_ENTRY, options);
      expect(name, said === '', said);
    }
    const said = await compiled(MISTAKE, { lib: ['es2022', 'dom'], types: [] });
    expect('mistakes are seen', /TS2345/.test(said) && /TS2339/.test(said), said);
    const attw = join(here, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js');
    const ignored = ['./package.json', './models/stories-spiking.gguf', './models/sentiment-spiking.gguf'];
    const args = [
      attw,
      tarball,
      '--profile',
      'esm-only',
      '--no-emoji',
      '--no-color',
      '--exclude-entrypoints',
      ...ignored,
    ];
    const { code, output } = await run(process.execPath, args, { seconds: 120 });
    expect('are the types wrong?', code === 0, output);
  },
};
