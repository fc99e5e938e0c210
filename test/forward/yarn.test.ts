/** Extended contexts: YaRN against native llama.cpp, below and beyond the context the model was trained for; longrope. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { builds, normals, sameBits } from '../kernels/harness.ts';
import { llamaFile } from '../llama-files.ts';
import { allLogits, argmax, bare, greedyAlike, softmax } from '../models.ts';
import { relativeError } from '../reference-llama.ts';
import { json, shared, sharedTest } from '../shared.ts';

interface Prompt {
  readonly ids: number[];
  /** Behind the last positions: the likeliest ids with their probabilities, best first. */
  readonly top: [number, number][][];
  readonly greedy: number[];
}

const BOUND = 1e-3;

const test = suite('extended contexts');

for (const name of ['tiny-llama-yarn4', 'tiny-llama-yarn8-keys']) {
  for (const build of builds) {
    sharedTest(
      test,
      `${name} (${build}): probabilities and greedy ids`,
      `conformance/yarn/${name}.gguf`,
      async (file) => {
        const { prompts } = json<{ prompts: Prompt[] }>(shared(`conformance/yarn/${name}.json`) as string);
        const model = await bare(file, { build, context: 1024 });
        let worst = 0;
        for (const { ids, top, greedy: expected } of prompts) {
          const rows = (await allLogits(model, ids)).slice(-top.length);
          rows.forEach((row, i) => {
            const p = softmax(row);
            for (const [id, probability] of top[i]) worst = Math.max(worst, Math.abs(p[id] - probability));
            const [[best, first], [, second]] = top[i];
            if (first > second * 1.05) assert.is(argmax(row), best, `best id at ${ids.length - top.length + i}`);
          });
          await greedyAlike(model, ids, expected);
        }
        console.log(`  ${name} (${build}): largest probability error ${worst.toExponential(1)}`);
        assert.ok(worst <= BOUND, `probability error ${worst}, at most ${BOUND}`);
      },
    );
  }
}

test('a session that slides keeps the magnitude of its keys', async () => {
  // of one layer, whose keys and values depend on nothing but the token and its position
  const bytes = llamaFile({
    shape: { layers: 1 },
    more: {
      'llama.rope.scaling.type': 'yarn',
      'llama.rope.scaling.factor': 8,
      'llama.rope.scaling.original_context_length': 16,
    },
  }).bytes();
  const model = await bare(memorySource(bytes), { kv: 'f32', context: 16 });
  const ids = Array.from({ length: 17 }, (_, i) => (i * 7 + 3) % model.d.vocab);
  using slid = model.session({ overflow: 'slide', keep: 0 });
  await slid.prefill(ids.slice(0, 16));
  const after = (await slid.step(ids[16])).slice(); // drops the first 8
  assert.is(slid.position, 9);
  using fresh = model.session();
  const error = relativeError([after], [await fresh.prefill(ids.slice(8))]);
  assert.ok(error < 1e-5, `${error}`);
});

test('longrope takes the factors for short contexts up to the original one, and those for long ones beyond', async () => {
  const short = normals(6, 5, 0.2).map((x) => 1.5 + x);
  const long = normals(6, 6, 0.2).map((x) => 4 + x);
  const file = (factors: Record<string, Float32Array>, more: Record<string, string | number>): Uint8Array =>
    llamaFile({ extra: factors, more }).bytes();
  const scaled = file({ 'rope_factors_short.weight': short, 'rope_factors_long.weight': long }, {
    'llama.rope.scaling.type': 'longrope',
    'llama.rope.scaling.original_context_length': 64,
  });
  const ids = Array.from({ length: 20 }, (_, i) => (i * 11 + 5) % 51);
  for (const [context, factors] of [[64, short], [65, long]] as const) {
    const plain = await bare(memorySource(file({ 'rope_freqs.weight': factors }, {})), { context });
    const chosen = await bare(memorySource(scaled), { context });
    const [a, b] = [await allLogits(plain, ids), await allLogits(chosen, ids)];
    a.forEach((row, i) => sameBits(b[i], row, `context ${context}, position ${i}`));
  }
});

test.run();
