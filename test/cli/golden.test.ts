/** What llama.cpp says about the same files. */
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { json as readJson, shared, sharedTest } from '../shared.ts';
import { json, ternspike } from './cli.ts';

const golden = suite('cli golden');

interface Story {
  prompt: string;
  ids: number[];
  greedy: number[];
  text: string;
}
interface Perplexity {
  model: string;
  text: string;
  bytes?: number;
  n_ctx: number;
  chunks: number;
  ppl: number;
  stderr: number;
}

sharedTest(
  golden,
  'run prints the very text of llama.cpp, and --json its ids',
  'conformance/llama/stories260K.f32.json',
  async (file) => {
    const model = shared('models/stories260K.gguf')!;
    const { cases } = readJson<{ cases: Story[] }>(file);
    assert.ok(cases.length >= 4);
    await Promise.all(cases.map(async ({ prompt, greedy, text }) => {
      const ran = await ternspike(['run', '-m', model, prompt, '-n', String(greedy.length), '--temp', '0']);
      assert.is(ran.stdout, `${text}\n`, prompt);
    }));
    const [{ prompt, ids, greedy }] = cases;
    const object = await json<{ ids: number[]; promptTokens: number }>(
      ['run', '-m', model, prompt, '-n', String(greedy.length), '--temp', '0'],
    );
    assert.equal([object.ids, object.promptTokens], [greedy, ids.length]);
    assert.equal(await json(['tokenize', '-m', model, '--special', prompt]), { ids });
  },
);

for (const type of ['f32', 'f16']) {
  sharedTest(
    golden,
    `the random ${type} model answers ids as in llama.cpp`,
    `conformance/llama/tiny-${type}.json`,
    async (file) => {
      const [{ ids, greedy }] = readJson<{ cases: Story[] }>(file).cases;
      const args = ['run', '-m', shared(`conformance/llama/tiny-${type}.gguf`)!, '--ids', ids.join(','), '--temp', '0'];
      assert.equal((await json<{ ids: number[] }>([...args, '-n', String(greedy.length)])).ids, greedy);
    },
  );
}

/** Windows that are scored in every run; a case with more takes half a minute on a busy machine. */
const QUICK_CHUNKS = 50;

for (const [index, title] of [[0, 'stories'], [1, 'an encyclopedia']] as const) {
  const name = `the perplexity of ${title} is llama.cpp's within 0.5 %`;
  const path = 'conformance/llama/perplexity.json';
  const check = async (file: string): Promise<void> => {
    const expected = readJson<{ cases: Perplexity[] }>(file).cases[index];
    const found = await json<{ ppl: number; stderr: number; tokens: number; chunks: number }>([
      'perplexity',
      '-m',
      shared(expected.model)!,
      '-f',
      shared(expected.text)!,
      '--ctx',
      String(expected.n_ctx),
      '--chunks',
      String(expected.chunks),
      ...(expected.bytes === undefined ? [] : ['--bytes', String(expected.bytes)]),
    ]);
    assert.is(found.chunks, expected.chunks);
    assert.is(found.tokens, expected.chunks * (expected.n_ctx / 2 - 1));
    assert.ok(Math.abs(found.ppl / expected.ppl - 1) < 0.005, `${found.ppl}, expected ${expected.ppl}`);
    assert.ok(Math.abs(found.stderr / expected.stderr - 1) < 0.02, `± ${found.stderr}, expected ${expected.stderr}`);
  };
  const file = shared(path);
  if (file !== null && !process.env.CI && readJson<{ cases: Perplexity[] }>(file).cases[index].chunks > QUICK_CHUNKS) {
    golden.skip(`${name} (long; runs with CI=true)`, () => {});
    console.log(`  skipped: ${name} (long; runs with CI=true)`);
  } else sharedTest(golden, name, path, check);
}

for (
  const [name, text] of [['llama2.model', 'Hello world'], ['llama3.tiktoken', 'Hello world'], [
    'ggml-vocab-gpt-2.gguf',
    'Hello world',
  ]]
) {
  sharedTest(golden, `${name} goes from text to ids and back`, `tokenizers/${name}`, async (file) => {
    const { ids } = await json<{ ids: number[] }>(['tokenize', '--tokenizer', file, text]);
    assert.ok(ids.length >= 2);
    assert.equal(await json(['detokenize', '--tokenizer', file, '--ids', ids.join(',')]), { text });
  });
}

sharedTest(
  golden,
  'a file that holds only a vocabulary is inspected, without a description',
  'tokenizers/ggml-vocab-llama-spm.gguf',
  async (file) => {
    const found = await json<{ description: unknown; plan: unknown; tensors: unknown[]; refusal: string }>([
      'inspect',
      file,
    ]);
    assert.equal([found.description, found.plan, found.tensors], [null, null, []]);
    assert.type(found.refusal, 'string');
  },
);

golden.run();
