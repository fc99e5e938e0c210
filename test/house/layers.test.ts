/**
 * The import rule: folders of src/ stand in the order in which data flows, and a file imports only from its own folder
 * or from those before it. Types count too. Files at the root of src/ tie the layers together and may import anything.
 */
import { posix } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { imports, texts } from './checkout.ts';

const ORDER = [
  'bytes',
  'container',
  'description',
  'wasm',
  'threads',
  'forward',
  'convert',
  'sample',
  'tokenizer',
  'chat',
  'structured',
  'session',
  'architectures',
  'model',
  'worker',
  'eval',
  'distill',
  'store',
  'web',
  'server',
  'ai-sdk',
  'batch',
  'entries',
  'cli',
];
/** Root files that every layer may use: they come before all folders. */
const FIRST = ['errors.ts', 'limits.ts', 'options.ts'];
/** Text and choice know nothing of running a model, although their folders stand behind it. */
const APART = new Map([['sample', ['session']], ['tokenizer', ['session', 'sample']], ['chat', ['session', 'sample']]]);
/** Users of the library as a whole: they may import the root files that tie it together. */
const USERS = ['cli'];
/** Where `node:` modules may be named at the top of a file; everything else runs in browsers and workers. */
const ON_A_HOST = ['web', 'cli', 'batch'];

const rank = (folder: string): number => ORDER.indexOf(folder);

/** What breaks the rule, one line each. `files`: path below src/ → source. */
function violations(files: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  for (const [path, source] of files) {
    const folder = path.includes('/') ? path.slice(0, path.indexOf('/')) : '';
    if (folder !== '' && rank(folder) < 0) found.push(`${path}: folder ${folder} has no place in the order`);
    for (const { specifier, typeOnly } of imports(source)) {
      if (specifier.startsWith('node:') && !typeOnly && !ON_A_HOST.includes(folder)) {
        found.push(`${path}: imports ${specifier}, but must run without Node`);
      }
      if (!specifier.startsWith('.') || (folder === '' && !FIRST.includes(path))) continue;
      const target = posix.join(posix.dirname(path), specifier);
      if (FIRST.includes(target)) continue;
      const from = target.includes('/') ? target.slice(0, target.indexOf('/')) : '';
      const whole = from === '' && !target.startsWith('..') && USERS.includes(folder);
      const allowed = whole ||
        (folder !== '' && from !== '' && from !== '..' && rank(from) <= rank(folder) &&
          !APART.get(folder)?.includes(from));
      if (!allowed) found.push(`${path}: imports ${target}, which comes after ${folder || path}`);
    }
  }
  return found;
}

const layers = suite('layers');

layers('every file of src/ imports only from its own folder or those before it', () => {
  const files = texts('src', '.ts');
  assert.ok(files.has('errors.ts'), 'the sources were not found');
  assert.equal(violations(files), []);
});

layers('an import of an earlier folder is allowed, of a later one refused', () => {
  const file = (path: string, source: string): string[] => violations(new Map([[path, source]]));
  assert.equal(file('model/plan.ts', "import { a } from '../container/gguf.ts';\nimport { b } from './x.ts';"), []);
  assert.is(file('container/gguf.ts', "import { a } from '../model/plan.ts';").length, 1);
  assert.is(file('container/gguf.ts', "import type { A } from '../model/plan.ts';").length, 1);
  assert.is(file('container/gguf.ts', "import {\n  a,\n  b,\n} from '../model/plan.ts';").length, 1);
  assert.is(file('container/gguf.ts', "export { a } from '../model/plan.ts';").length, 1);
  assert.is(file('container/gguf.ts', "const x: import('../model/plan.ts').Plan = y;").length, 1);
  assert.is(file('container/gguf.ts', "await import('../model/plan.ts');").length, 1);
});

layers('root files are free, except those that come before everything', () => {
  const file = (path: string, source: string): string[] => violations(new Map([[path, source]]));
  assert.equal(file('index.ts', "export { open } from './session/open.ts';"), []);
  assert.equal(file('bytes/file.ts', "import { IoError } from '../errors.ts';"), []);
  assert.is(file('errors.ts', "import { a } from './bytes/source.ts';").length, 1);
  assert.is(file('session/session.ts', "import { Model } from '../model.ts';").length, 1);
  assert.is(file('eval/perplexity.ts', "import { open } from '../index.ts';").length, 1);
  assert.equal(file('cli/load.ts', "import { open } from '../index.ts';"), []);
  assert.is(file('cli/version.ts', "import pack from '../../package.json';").length, 1);
});

layers('text and choice do not know sessions, and unknown folders are refused', () => {
  const file = (path: string, source: string): string[] => violations(new Map([[path, source]]));
  assert.equal(file('tokenizer/bpe.ts', "import { a } from '../container/tensor.ts';"), []);
  assert.is(file('tokenizer/bpe.ts', "import { a } from '../session/session.ts';").length, 1);
  assert.is(file('sample/sampler.ts', "import { a } from '../session/session.ts';").length, 1);
  assert.is(file('utils/misc.ts', '').length, 1);
});

layers('only the command line and the server name Node modules', () => {
  const file = (path: string, source: string): string[] => violations(new Map([[path, source]]));
  assert.equal(file('cli/main.ts', "import { readFile } from 'node:fs/promises';"), []);
  assert.equal(file('bytes/file.ts', "import type { FileHandle } from 'node:fs/promises';"), []);
  assert.is(file('bytes/file.ts', "import { readFile } from 'node:fs/promises';").length, 1);
  assert.is(file('bytes/file.ts', "import 'node:fs';").length, 1);
});

layers.run();
