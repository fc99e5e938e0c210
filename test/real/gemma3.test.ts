/**
 * Gemma 3 270M in Q4_K_M, as people download it, against native llama.cpp: ids of its vocabulary, probabilities, greedy text, and a
 * prompt beyond the sliding window. `node test/real/fetch.mjs` brings the model.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open } from '../../src/entries/index.ts';
import type { Model } from '../../src/model/model.ts';
import { checkout } from '../house/checkout.ts';
import { argmax, softmax } from '../models.ts';
import { json, shared } from '../shared.ts';

interface Prompt {
  readonly ids: number[];
  readonly top: [number, number][][];
  readonly greedy: number[];
}

interface Answers {
  readonly prompts: Prompt[];
  readonly long: Prompt;
  readonly strings: { readonly text: string; readonly ids: number[] }[];
}

/**
 * llama.cpp rounds activations to 8 bits: its answers are up to 0.085 from those of this engine on the same weights in f16 with f32
 * activations. A
 * best token is compared where the reference's leads by more than that.
 */
const BOUND = 0.12;

const model = join(checkout(), 'build/real/gemma3-270m-q4_k_m.gguf');
const answers = shared('conformance/real/gemma3-270m-q4_k_m.json');
const here = answers !== null && existsSync(model);
/** A quarter of a gigabyte is run once: with the relaxed build, where Node has it. */
const fits = !process.versions.bun && !('Deno' in globalThis) && Number(process.versions.node.split('.')[0]) >= 22;
const test = suite('Gemma 3 270M');

function compare(rows: readonly Float32Array[], top: Prompt['top'], from: number): number {
  let worst = 0;
  rows.forEach((row, i) => {
    const p = softmax(row);
    const best = top[i];
    for (const [id, probability] of best) worst = Math.max(worst, Math.abs(p[id] - probability));
    if (best[0][1] - best[1][1] > 2 * BOUND) assert.is(argmax(row), best[0][0], `best id at position ${from + i}`);
  });
  return worst;
}

/** The same ids as far as the engine's best leads clearly. */
async function greedyAlike(opened: Model, ids: readonly number[], expected: readonly number[]): Promise<number> {
  using session = opened.session();
  let row = await session.prefill(ids);
  for (const [i, id] of expected.entries()) {
    const best = argmax(row);
    if (best !== id) {
      const p = softmax(row);
      assert.ok(p[best] - p[id] < BOUND, `id ${i} is ${best}, expected ${id}: ${p[best]} against ${p[id]}`);
      return i;
    }
    row = await session.step(id);
  }
  return expected.length;
}

if (process.env.CI && !here) {
  test('Gemma 3 270M', () => assert.unreachable('CI may not skip it: node test/real/fetch.mjs'));
} else if (!here || !fits) {
  console.log('  skipped: Gemma 3 270M (needs Node 22 or later, ../shared, and node test/real/fetch.mjs)');
  test.skip('Gemma 3 270M', () => {});
} else {
  const { prompts, long, strings } = json<Answers>(answers);

  test('ids, probabilities and greedy text of llama.cpp', async () => {
    await using opened = await open(model, { contextLength: 1024 });
    for (const { text, ids } of strings) assert.equal(opened.tokenizer.encode(text), ids, JSON.stringify(text));
    let alike = 0;
    for (const { ids, top, greedy } of prompts) {
      const worst = compare(await opened.logits(ids), top, 0);
      alike += await greedyAlike(opened, ids, greedy);
      assert.ok(worst < BOUND, `${worst}`);
    }
    console.log(`  ${alike} greedy ids in all are those of llama.cpp`);
    assert.ok(alike >= 80, `${alike}`); // 98 at the time of writing; the rest follows where two tokens were close
    const { weightsBytes } = opened.stats();
    assert.ok(weightsBytes < 1.15 * 253_113_024, `${weightsBytes} bytes of weights`);
  });

  test('a prompt beyond the sliding window', async () => {
    await using opened = await open(model, { contextLength: 1024 });
    const from = long.ids.length - long.top.length;
    const worst = compare(await opened.logits(long.ids, { from }), long.top, from);
    assert.ok(worst < BOUND, `${worst}`);
    await greedyAlike(opened, long.ids, long.greedy);
  });
}

test.run();
