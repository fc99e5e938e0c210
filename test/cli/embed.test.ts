/** `embed`, and `classify` of files with a dense BERT: what the library answers, in the order of the texts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open } from '../../src/entries/index.ts';
import { bertFolder, type Files, vocabulary } from '../bert-folder.ts';
import { folder, here, jsonHere, refused } from './cli.ts';

interface Embedded {
  readonly embeddings: number[][];
  readonly dims: number;
  readonly pooling: string;
}

const test = suite('cli embed');
const files = folder();
test.after(() => files.remove());

/** Writes a folder of a class of the BERT family. */
function written(name: string, more: Files = {}): string {
  const at = join(files.path, `${name}-${Object.keys(more).length}`);
  for (const [file, content] of bertFolder(name, { 'vocab.txt': vocabulary(), ...more }).files) {
    mkdirSync(dirname(join(at, file)), { recursive: true });
    writeFileSync(join(at, file), content);
  }
  return at;
}

const model = written('BertForSequenceClassification');
const TEXTS = ['a b c', 'd', 'a b c d e f g h', 'a b c'];
const numbers = (rows: readonly Float32Array[]): number[][] => rows.map((row) => [...row]);

test('vectors of texts and of the lines of a file are those of the library', async () => {
  await using opened = await open(model, { threads: 1 });
  const right = numbers(await opened.embed(TEXTS));
  const said = await jsonHere<Embedded>(['embed', '-m', model, ...TEXTS]);
  assert.equal([said.embeddings, said.dims, said.pooling], [right, 16, 'mean']);
  const lines = files.file('texts.txt', `${TEXTS.join('\n')}\n`);
  assert.equal((await jsonHere<Embedded>(['embed', '-m', model, '--lines', lines])).embeddings, right);
  const plain = await here(['embed', '-m', model, '--lines', lines]);
  assert.equal(plain.stdout.trim().split('\n').map((line) => JSON.parse(line) as number[]), right);
  const options = ['--pooling', 'max', '--no-normalise', '--max-length', '4'];
  const cut = await jsonHere<Embedded>(['embed', '-m', model, ...options, TEXTS[2]]);
  const raw = { pooling: 'max', normalise: false, maxLength: 4 } as const;
  assert.equal([cut.embeddings, cut.pooling], [numbers([await opened.embed(TEXTS[2], raw)]), 'max']);
});

test('the pooling of a folder is obeyed, and --pooling overrides it', async () => {
  const modules = ['Transformer', 'Pooling'].map((kind, i) => ({
    idx: i,
    name: `${i}`,
    path: i === 0 ? '' : `${i}_${kind}`,
    type: `sentence_transformers.models.${kind}`,
  }));
  const path = written('BertModel', { 'modules.json': modules, '1_Pooling/config.json': { pooling_mode: 'cls' } });
  const [own, mean] = await Promise.all([
    jsonHere<Embedded>(['embed', '-m', path, 'a b']),
    jsonHere<Embedded>(['embed', '-m', path, '--pooling', 'mean', 'a b']),
  ]);
  assert.equal([own.pooling, mean.pooling], ['cls', 'mean']);
  await using opened = await open(path, { threads: 1 });
  assert.equal(own.embeddings, numbers([await opened.embed('a b', { pooling: 'cls', normalise: false })]));
  assert.not.ok(Math.abs(Math.hypot(...own.embeddings[0]) - 1) < 1e-3, 'not scaled: the folder has no Normalize');
});

test('a folder converted to GGUF has its vocabulary, its pooling and its vectors', async () => {
  const to = join(files.path, 'converted.gguf');
  await jsonHere(['convert', model, to, '--type', 'f32']);
  const ran = await here(['embed', '-m', to, '--json', ...TEXTS, 'A, B!']);
  assert.not.ok(ran.stderr.includes('not read'), 'every key that convert writes is known');
  const said = JSON.parse(ran.stdout) as Embedded;
  await using opened = await open(model, { threads: 1 });
  assert.equal(said.embeddings, numbers(await opened.embed([...TEXTS, 'A, B!'])));
  const pairs = await here(['classify', '-m', to, '--text', 'a b', '--pair', 'c', '--json']);
  const { tokens } = JSON.parse(pairs.stdout) as { tokens: number };
  assert.is(tokens, (await opened.classify(['a b', 'c'])).tokens);
});

test('the lines of a file are classified together, as each alone', async () => {
  const lines = [...TEXTS, 'a\tb', 'c'];
  const path = files.file('lines.txt', lines.join('\n'));
  const { results } = await jsonHere<{ results: { line: number; logits: number[]; tokens: number }[] }>(
    ['classify', '-m', model, '--file', path],
  );
  await using opened = await open(model, { threads: 1 });
  for (const [i, line] of lines.entries()) {
    const [first, second] = line.split('\t');
    const { logits, tokens } = await opened.classify(second === undefined ? first : [first, second]);
    assert.equal(results[i], { ...results[i], line: i + 1, logits, tokens });
  }
  assert.is(results.length, lines.length);
  const bad = files.file('bad.txt', `a b\nc\td\te\n`);
  const ran = await here(['classify', '-m', model, '--file', bad]);
  assert.is(ran.stdout.split('\n').filter((line) => line !== '').length, 1, 'the lines before a bad one are answered');
  assert.is(ran.code, 1);
  assert.match(ran.stderr, /DATASET_LINE.*line 2/);
});

test('what cannot be is refused', async () => {
  const long = 'a '.repeat(60);
  for (
    const [status, args, ...words] of [
      [2, ['embed', 'a'], '-m MODEL'],
      [2, ['embed', '-m', model], 'TEXT', '--lines'],
      [2, ['embed', '-m', model, '--pooling', 'sum', 'a'], 'sum', 'max'],
      [1, ['embed', '-m', model, long], 'CONTEXT_OVERFLOW', '40'],
      [2, ['embed', '-m', model, '--max-length', '41', 'a'], '41', '40 positions'],
    ] as const
  ) refused(await here([...args]), status, ...words);
  assert.is((await jsonHere<Embedded>(['embed', '-m', model, '--max-length', '40', long])).dims, 16);
});

test.run();
