/** Small students for the tests of the trainer, and what they learn from. */
import type { Test } from 'uvu';
import type { Batch, LossWeights, StudentConfig } from '../../src/distill/students/symboliclight/types.ts';
import { Rng } from '../../src/sample/rng.ts';

/** Smallest student of ternary matrices. */
export const TINY: StudentConfig = {
  vocab: 32,
  width: 256,
  layers: 1,
  heads: 2,
  ffn: 256,
  context: 64,
  window: 10,
  anchors: 2,
  threshold: 1,
  leak: 0.95,
  quantisation: 'ternary',
  tables: 'int8',
  surrogate: 'triangle',
  surrogateWidth: 1,
  truncation: 8,
};

/** Hard labels alone. */
export const HARD: LossWeights = { alpha: 0, temperature: 1, hidden: 0, hiddenPairs: [], rate: 0, targetRate: 0 };

/** Rows that count on from a random start, by a step of their own: a pattern that can be learnt. */
export function countingBatch(seed: number, batch: number, length: number, vocab: number): Batch {
  const rng = new Rng(seed);
  const below = (n: number): number => Math.floor(rng.uniform() * n);
  const ids = new Int32Array(batch * (length + 1));
  for (let b = 0; b < batch; b++) {
    const [start, step] = [below(vocab), 1 + below(3)];
    for (let t = 0; t <= length; t++) ids[b * (length + 1) + t] = (start + t * step) % vocab;
  }
  return { batch, length, ids };
}

/** Uniform numbers of −1 … 1. */
export function uniforms(seed: number, n: number): Float32Array {
  const rng = new Rng(seed);
  return Float32Array.from({ length: n }, () => 2 * rng.uniform() - 1);
}

/** Adds a test that needs jax-js, which needs `navigator`: Node 20 has none, and says so. */
export function jaxTest(test: Test, name: string, run: () => void | Promise<void>): void {
  if (typeof navigator !== 'undefined') return test(name, run);
  test.skip(`${name} (skipped: this runtime has no \`navigator\`, which jax-js needs)`, () => {});
  console.log(`  skipped: ${name} (jax-js needs Node 22 or later, Bun or Deno)`);
}
