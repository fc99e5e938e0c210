/** Names of models on a hub, and which files they mean. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { choose, chooseShards } from '../../src/store/choose.ts';
import { isHubName, isSafePath, nameText, parseName } from '../../src/store/name.ts';
import { Ranges } from '../../src/store/ranges.ts';
import { refuses } from '../refusal.ts';

const names = suite('names on a hub');

names('a name says repository, revision, and file, folder or quantisation', () => {
  const repo = 'org/repo';
  assert.equal(parseName('hf:org/repo'), { repo, revision: 'main' });
  assert.equal(parseName('hf:org/repo:Q4_K_M'), { repo, revision: 'main', quant: 'Q4_K_M' });
  assert.equal(parseName('hf:org/repo:Q4_K_M@v1'), { repo, revision: 'v1', quant: 'Q4_K_M' });
  assert.equal(parseName('hf:org/repo/a/b.gguf@refs/pr/1'), { repo, revision: 'refs/pr/1', file: 'a/b.gguf' });
  assert.equal(parseName('hf:org/repo/'), { repo, revision: 'main', folder: '' });
  assert.equal(parseName('hf:org/repo/inner/'), { repo, revision: 'main', folder: 'inner' });
  assert.equal(parseName('HF://org/repo'), { repo, revision: 'main' });
  assert.equal(parseName('org/repo:Q8_0'), { repo, revision: 'main', quant: 'Q8_0' });
});

names('a name is written as it is read', () => {
  for (
    const text of ['hf:o/r', 'hf:o/r:Q8_0', 'hf:o/r/', 'hf:o/r/in/', 'hf:o/r/a/b.gguf', 'hf:o/r@v1', 'hf:o/r/x.gguf@v1']
  ) {
    assert.is(nameText(parseName(text)), text);
  }
});

names('what leaves the repository or names none is refused', async () => {
  const bad = [
    'hf:',
    'hf:org',
    'hf:org/',
    'hf:/repo',
    'hf:../repo',
    'hf:org/..',
    'hf:org/repo/../x.gguf',
    'hf:org/repo//x.gguf',
    'hf:org/repo/a\\b',
    'hf:org/repo/.',
    'hf:org/repo@',
    'hf:org/repo@../x',
    'hf:org/repo@a//b',
    'hf:org/repo:',
    'hf:org/repo:a:b',
    'hf:org/re po',
    'hf:org/repo/x\0.gguf',
    'hf:org/a--b',
    `hf:org/repo/${'x'.repeat(2000)}`,
    'hf:org/repo/C:x',
    'hf:org/repo/nul',
  ];
  for (const text of bad) await refuses((async () => parseName(text))(), 'OPTION', 'hf:org/repo');
});

names('only texts with the scheme are names on a hub', () => {
  assert.ok(isHubName('hf:org/repo'));
  for (const text of ['org/repo', './hf:org', 'https://huggingface.co/org/repo', 'hf', undefined, 1]) {
    assert.not(isHubName(text));
  }
});

names('paths are safe on every system', () => {
  for (const path of ['a', 'a/b.gguf', 'x..y', '.gitattributes']) assert.ok(isSafePath(path), path);
  for (const path of ['', '/a', 'a/', 'a//b', '..', 'a/../b', 'a\\b', 'a:b', 'con', 'a./b', 'x ', 'a\n']) {
    assert.not(isSafePath(path), path);
  }
});

const files = (...paths: string[]): { path: string; size: number }[] => paths.map((path) => ({ path, size: 1 }));
const chosen = (name: string, ...paths: string[]): string[] =>
  choose(parseName(name), files(...paths)).files.map(({ path }) => path);

names('of GGUF models Q4_K_M goes first, then Q4_0, then types of few bits', () => {
  assert.equal(chosen('hf:o/r', 'm-Q8_0.gguf', 'm-Q4_K_M.gguf', 'm-Q4_0.gguf'), ['m-Q4_K_M.gguf']);
  assert.equal(chosen('hf:o/r', 'm-Q8_0.gguf', 'm-Q4_0.gguf'), ['m-Q4_0.gguf']);
  assert.equal(chosen('hf:o/r', 'm-F16.gguf', 'm-TQ2_0.gguf', 'm-Q8_0.gguf'), ['m-TQ2_0.gguf']);
  assert.equal(chosen('hf:o/r', 'README.md', 'anything.gguf'), ['anything.gguf']);
  assert.equal(chosen('hf:o/r', 'm-Q4_K_M.gguf', 'UD-m.gguf', 'm-UD-Q4_K_M.gguf', 'mmproj-Q4_K_M.gguf'), [
    'm-Q4_K_M.gguf',
  ]);
});

names('a quantisation is a word of the name, in any case', () => {
  assert.equal(chosen('hf:o/r:q8_0', 'm-Q8_0.gguf', 'm-Q4_K_M.gguf'), ['m-Q8_0.gguf']);
  assert.equal(chosen('hf:o/r:Q2_K', 'm.Q2_K.gguf', 'm.Q2_K_L.gguf'), ['m.Q2_K.gguf']);
  assert.equal(chosen('hf:o/r:UD-Q2_K', 'm-UD-Q2_K.gguf', 'm-Q2_K.gguf'), ['m-UD-Q2_K.gguf']);
});

names('parts of one model belong together', () => {
  const parts = ['m-Q8_0-00001-of-00002.gguf', 'm-Q8_0-00002-of-00002.gguf'];
  assert.equal(chosen('hf:o/r:Q8_0', ...parts, 'm-Q4_0.gguf'), parts);
  assert.equal(chosen(`hf:o/r/${parts[1]}`, ...parts, 'm-Q4_0.gguf'), parts);
});

names('several that could be meant, or none, are listed', async () => {
  const refused = async (name: string, paths: string[], ...words: string[]): Promise<void> => {
    await refuses((async () => chosen(name, ...paths))(), 'HUB_MISSING', ...words);
  };
  await refused('hf:o/r', ['a-F16.gguf', 'b-F16.gguf'], 'hf:o/r/a-F16.gguf', 'hf:o/r/b-F16.gguf');
  await refused('hf:o/r:Q4_0', ['a-Q4_0.gguf', 'b-Q4_0.gguf'], 'means 2 models', 'hf:o/r/b-Q4_0.gguf');
  await refused('hf:o/r:Q4_K', ['a-Q4_K_M.gguf'], 'no GGUF model of type Q4_K', 'hf:o/r/a-Q4_K_M.gguf');
  await refused('hf:o/r:Q8_0', ['a-Q8_0-00001-of-00003.gguf', 'a-Q8_0-00003-of-00003.gguf'], '2 of the 3 parts');
  await refused('hf:o/r', ['README.md'], 'neither', 'README.md');
  await refused('hf:o/r/x.gguf', ['y.gguf'], 'has no file x.gguf', 'y.gguf');
});

names('a folder has its configuration, its vocabulary and its weights, and nothing else', () => {
  const all = [
    'README.md',
    'config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'vocab.txt',
    'model.safetensors',
    'pytorch_model.bin',
    'onnx/model.onnx',
    'other/config.json',
    '1_Pooling/config.json',
    'chat_template.jinja',
    'LICENSE.txt',
  ];
  assert.equal(chosen('hf:o/r', ...all).sort(), [
    '1_Pooling/config.json',
    'chat_template.jinja',
    'config.json',
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
    'vocab.txt',
  ]);
  assert.equal(chosen('hf:o/r/', ...all, 'm-Q8_0.gguf').length, 7);
  assert.equal(chosen('hf:o/r/in/', 'in/config.json', 'in/pytorch_model.bin', 'config.json').sort(), [
    'in/config.json',
    'in/pytorch_model.bin',
  ]);
  assert.equal(chosen('hf:o/r/tokenizer.json', ...all).sort(), ['tokenizer.json', 'tokenizer_config.json']);
});

names('an index names files that have to be there', async () => {
  const index = 'model.safetensors.index.json';
  const all = files('config.json', index, 'model-1.safetensors', 'model-2.safetensors', 'other.safetensors');
  const name = parseName('hf:o/r');
  assert.is(choose(name, all).index, index);
  const shards = (map: object): string[] =>
    chooseShards(name, index, JSON.stringify({ weight_map: map }), all).map(({ path }) => path);
  assert.equal(shards({ a: 'model-1.safetensors', b: 'model-2.safetensors', c: 'model-1.safetensors' }), [
    'model-1.safetensors',
    'model-2.safetensors',
  ]);
  await refuses((async () => shards({ a: '../secret' }))(), 'HUB_MISSING', '../secret');
  await refuses((async () => shards({ a: 'model-3.safetensors' }))(), 'HUB_MISSING', 'model-3.safetensors');
  await refuses((async () => chooseShards(name, index, 'nonsense', all))(), 'HUB_MISSING', 'not a list');
});

names('ranges are joined, and gaps are cut', () => {
  const ranges = new Ranges([[0, 4], [8, 12]]);
  assert.equal(ranges.missing(20, 10), [[4, 8], [12, 20]]);
  assert.equal(ranges.missing(20, 5), [[4, 5], [5, 8], [12, 15], [15, 20]]);
  ranges.add(4, 8);
  assert.equal(ranges.all, [[0, 12]]);
  assert.is(ranges.bytes, 12);
  assert.is(ranges.runFrom(3), 12);
  assert.is(ranges.runFrom(12), 12);
  ranges.add(2, 30);
  assert.equal(ranges.missing(20, 5), []);
});

names.run();
