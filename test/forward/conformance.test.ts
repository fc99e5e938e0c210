/**
 * Llama-shaped models against native llama.cpp: next-token probabilities at every position and greedy ids. llama.cpp
 * quantises activations of int8 and ternary matrices in its own order of operations, so that these agree within a bound.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { builds } from '../kernels/harness.ts';
import { allLogits, argmax, bare, greedy, softmax } from '../models.ts';
import { json, shared, sharedTest } from '../shared.ts';

interface Case {
  readonly ids: number[];
  /** Per position, the most probable ids with their probabilities, best first. */
  readonly next: [number, number][][];
  readonly greedy: number[];
}

/** Largest probability error allowed, and whether the greedy ids must be equal. */
const BOUNDS: Record<string, { probability: number; exact: boolean }> = {
  'tiny-f32': { probability: 1e-4, exact: true },
  'tiny-f16': { probability: 1e-4, exact: true },
  'tiny-q8_0': { probability: 5e-3, exact: false },
  'tiny-tq2_0': { probability: 5e-3, exact: false },
  'tiny-tq1_0': { probability: 5e-3, exact: false },
  stories260K: { probability: 1e-4, exact: true },
};
/** A reference's best id that leads its second by this must be ours too. */
const CLEAR_LEAD = 1.05;

const test = suite('conformance with llama.cpp');
for (const [name, bound] of Object.entries(BOUNDS)) {
  const model = name === 'stories260K' ? 'models/stories260K.gguf' : `conformance/llama/${name}.gguf`;
  for (const build of builds) {
    sharedTest(test, `${name} (${build}): probabilities and greedy ids`, model, async (file) => {
      const answers = shared(`conformance/llama/${name}${name === 'stories260K' ? '.f32' : ''}.json`);
      const { cases } = json<{ cases: Case[] }>(answers as string);
      const loaded = await bare(file, { build, context: 256 });
      let worst = 0;
      for (const { ids, next, greedy: expected } of cases) {
        const rows = await allLogits(loaded, ids);
        rows.forEach((row, position) => {
          const p = softmax(row);
          for (const [id, probability] of next[position]) worst = Math.max(worst, Math.abs(p[id] - probability));
          const [[best, first], [, second]] = next[position];
          if (first > second * CLEAR_LEAD) assert.is(argmax(row), best, `best id at position ${position}`);
        });
        if (bound.exact) assert.equal(await greedy(loaded, ids, expected.length), expected);
      }
      console.log(`  ${name} (${build}): largest probability error ${worst.toExponential(1)}`);
      assert.ok(worst <= bound.probability, `probability error ${worst}, at most ${bound.probability}`);
    });
  }
}
test.run();
