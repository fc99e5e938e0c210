/**
 * Files as people reported them. GGUF: vocabularies with oddities, keys and tensors that change the arithmetic, with answers of
 * llama.cpp. tokenizer.json: pipelines with the answers of Hugging Face's tokenizers.
 */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open } from '../../src/entries/index.ts';
import { openTokenizer } from '../../src/tokenizer/open.ts';
import { softmax } from '../models.ts';
import { refuses } from '../refusal.ts';
import { json, shared, sharedTest } from '../shared.ts';

interface Case {
  readonly file: string;
  readonly ids: number[];
  /** Per position, the best next id and its probability. */
  readonly p?: [number, number][];
  readonly stop?: number[];
  readonly plain?: { readonly text: string; readonly ids: number[] }[];
  readonly special?: { readonly text: string; readonly ids: number[] }[];
}

const folder = 'conformance/bug-reports';
const test = suite('bug reports');

sharedTest(
  test,
  'GGUF files with oddities give the answers of llama.cpp',
  `${folder}/gguf.cases.json`,
  async (path) => {
    const cases = json<Case[]>(path);
    assert.ok(cases.length >= 7);
    for (const { file, ids, p, stop, plain = [], special = [] } of cases) {
      const source = shared(`${folder}/${file}`) as string;
      if (file === 'gguf-causal-false.gguf') {
        await refuses(open(source), 'DESCRIPTION', 'llama.attention.causal');
        continue;
      }
      await using model = await open(source, { threads: 1 });
      const rows = p ? await model.logits(ids) : [];
      rows.forEach((row, i) => {
        const [id, probability] = p![i];
        assert.ok(Math.abs(softmax(row)[id] - probability) < 1e-4, `${file}, position ${i}`);
      });
      const { tokenizer } = model;
      if (stop) assert.equal([...tokenizer.specials.stop].sort((a, b) => a - b), stop, file);
      for (const { text, ids: expected } of plain) assert.equal(tokenizer.encode(text), expected, file);
      for (const { text, ids: expected } of special) {
        const bos = tokenizer.addBos ? [tokenizer.specials.bos] : [];
        assert.equal(tokenizer.encode(text, { special: true }), [...bos, ...expected], file);
      }
    }
  },
);

interface Pipeline {
  readonly file: string;
  readonly note: string;
  readonly texts: { readonly text: string; readonly ids: number[] }[];
}

sharedTest(test, 'tokenizer.json: the ids of tokenizers', `${folder}/tokenizers.cases.json`, (path) => {
  const pipelines = json<Pipeline[]>(path);
  assert.ok(pipelines.length >= 16);
  for (const { file, note, texts } of pipelines) {
    const tokenizer = openTokenizer(readFileSync(shared(`${folder}/${file}`) as string), file);
    for (const { text, ids } of texts) {
      assert.equal(tokenizer.encode(text), ids, `${file}: ${note}: ${JSON.stringify(text)}`);
    }
  }
});

test.run();
