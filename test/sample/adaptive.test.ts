/** Temperatures that follow the entropy, and what a model's authors say about options that are left out. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type GenerateOptions, type Model, open, openTokenizer } from '../../src/entries/index.ts';
import { adaptedTemperature, ln } from '../../src/sample/adaptive.ts';
import { samplerOptionsFor } from '../../src/sample/defaults.ts';
import { entropyAt, samplerMemory } from '../../src/sample/sampler.ts';
import { Arena } from '../../src/wasm/arena.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { normals } from '../kernels/harness.ts';
import { json, shared, sharedTest } from '../shared.ts';
import { share } from './reference.ts';
import { symbolicLightSampling } from '../../src/architectures/symboliclight/sampling.ts';

const test = suite('adaptive temperature');

const near = (a: number, b: number, bound: number, what: string): void =>
  assert.ok(Math.abs(a - b) <= bound * Math.max(1, Math.abs(b)), `${what}: ${a}, expected ${b}`);

test('the logarithm agrees with the host', () => {
  for (const x of [1e-7, 0.5, Math.SQRT1_2, 1, Math.SQRT2, 2, Math.E, 10, 48000, 55296, 2 ** 20]) {
    near(ln(x), Math.log(x), 1e-15, `ln ${x}`);
  }
  assert.is(ln(1), 0);
});

const { module } = await builtinModule();
const arena = new Arena(new WebAssembly.Memory({ initial: 1 }));
const kernels = instantiate(module, arena.memory);

/** Entropy as the sampler asks for it. */
function entropyOf(logits: Float32Array, masked = 0): number {
  const mark = arena.mark();
  const at = arena.alloc(4 * logits.length, 'logits');
  const memory = samplerMemory(arena, kernels, logits.length);
  arena.f32(at, logits.length).set(logits);
  const nats = entropyAt(memory, at, logits.length, Math.max(...logits), masked);
  arena.release(mark);
  return nats;
}

test('entropy counts every token with at least 1e-7, masked ones as well', () => {
  for (const spread of [0, 0.1, 1, 5, 30]) {
    const logits = normals(1000, 3, spread);
    near(entropyOf(logits), share(logits, 1000) * Math.log(1000), 1e-5, `spread ${spread}`);
  }
  const sure = new Float32Array(50_001).fill(-Infinity);
  sure[7] = 3;
  const term = -1e-7 * Math.log(1e-7);
  near(entropyOf(sure), 50_000 * term, 1e-9, 'one token');
  near(entropyOf(sure, 2000), 52_000 * term, 1e-9, 'and 2000 beyond the limit');
});

test('both rules at their ends and in the middle', () => {
  const most = Math.log(48000);
  // what the public code answers for T = 0.8, and where its bounds hold
  const cases: ['cool' | 'warm', number, number, number][] = [
    ['cool', 0.8, 0, 0.8],
    ['cool', 0.8, 0.5, 0.45],
    ['cool', 0.8, 1, 0.1],
    ['cool', 0.05, 0.5, 0.1],
    ['warm', 0.8, 0, 0.4],
    ['warm', 0.8, 0.5, 0.8],
    ['warm', 0.8, 1, 1.2],
    ['warm', 1.2, 1, 1.5],
    ['warm', 0.1, 0, 0.1],
    ['warm', 4, 0.3, 2],
  ];
  for (const [rule, base, h, expected] of cases) {
    near(adaptedTemperature(rule, base, h * most, 48000), expected, 1e-12, `${rule} ${base} ${h}`);
  }
  near(adaptedTemperature('warm', 0.8, 2 * most, 48000), 1.2, 1e-12, 'more than the greatest entropy');
  assert.ok(Number.isFinite(adaptedTemperature('cool', 1, 0, 1)), 'a vocabulary of one');
});

test('an option that is stated wins over that of the model, one that is undefined does not', () => {
  const light = symbolicLightSampling({ variant: '0.8b' });
  assert.equal(samplerOptionsFor(light, 57344, 55296, {}), {
    temperature: 0.8,
    temperatureFirst: true,
    topK: 50,
    topP: 0.9,
    minP: 0,
    repeatLastN: -1,
    adaptiveTemperature: 'warm',
    vocabLimit: 55296,
  });
  const small = symbolicLightSampling({ variant: '194m' });
  const { topP, adaptiveTemperature, vocabLimit } = samplerOptionsFor(small, 48000, 48000, { topP: undefined });
  assert.equal([topP, adaptiveTemperature, vocabLimit], [1, 'cool', undefined]);
  const stated = samplerOptionsFor(light, 57344, 55296, { topK: 0, adaptiveTemperature: 'off', vocabLimit: 57344 });
  assert.equal([stated.topK, stated.adaptiveTemperature, stated.vocabLimit], [0, 'off', 57344]);
  assert.equal(samplerOptionsFor(undefined, 100, 100, { seed: 1 }), { seed: 1 });
  assert.equal(samplerOptionsFor(undefined, 100, 0, {}), {});
  assert.equal(samplerOptionsFor(undefined, 100, 90, {}), { vocabLimit: 90 });
});

async function drawn(model: Model, prompt: number[], options: GenerateOptions): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of model.generate(prompt, { seed: 5, maxTokens: 40, ...options })) {
    if (id !== null) ids.push(id);
  }
  return ids;
}

for (const [name, rule, topP] of [['0.8b-small', 'warm', 0.9], ['194m-small', 'cool', 1]] as const) {
  sharedTest(
    test,
    `${name} generates by the rules of its authors`,
    `conformance/symboliclight/${name}/checkpoint.pt`,
    async (file) => {
      using model = await open(file);
      const { ids } = json<{ ids: number[] }>(shared(`conformance/symboliclight/${name}/reference.json`) as string);
      const prompt = ids.slice(0, 8);
      const own = await drawn(model, prompt, {});
      const spelled = { temperature: 0.8, temperatureFirst: true, topK: 50, topP, minP: 0, adaptiveTemperature: rule };
      assert.equal(await drawn(model, prompt, spelled), own);
      const plain = { temperature: 0.8, temperatureFirst: false, topK: 40, topP: 0.95, minP: 0.05 };
      assert.not.equal(await drawn(model, prompt, { ...plain, adaptiveTemperature: 'off' }), own);
      // ids beyond the limit never come
      assert.ok((await drawn(model, prompt, { vocabLimit: 20, topK: 0 })).every((id) => id < 20));
    },
  );
}
for (const name of ['0.8b', '194m']) {
  sharedTest(
    test,
    `${name}: a generation ends on </s> and <|endofassistant|>`,
    `tokenizers/symboliclight-${name}.model`,
    (file) => {
      const { specials } = openTokenizer(new Uint8Array(readFileSync(file)), name);
      assert.equal([...specials.stop].sort((a, b) => a - b), [2, 19]);
    },
  );
}
test.run();
