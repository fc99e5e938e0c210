/**
 * Every optional part of a llama-shaped model, alone and together, against the plain f64 forward pass of
 * test/reference-llama.ts; and every type of weights against the same pass over what the bytes stand for.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { builds } from '../kernels/harness.ts';
import { type FileType, type LlamaChoices, type LlamaFile, llamaFile } from '../llama-files.ts';
import { allLogits, bare } from '../models.ts';
import { refuses } from '../refusal.ts';
import { referenceLogits, relativeError } from '../reference-llama.ts';

const IDS = [1, 7, 3, 44, 44, 0, 50, 12, 9];

async function engineLogits(file: LlamaFile, kv: 'f16' | 'f32' = 'f32'): Promise<Float32Array[]> {
  return allLogits(await bare(memorySource(file.bytes()), { kv, build: builds.at(-1), context: 32 }), IDS);
}

function plainLogits(file: LlamaFile, rounded = false): Float64Array[] {
  return referenceLogits(file.shape, file.values, IDS, rounded ? file.spanOf : undefined);
}

const test = suite('the forward pass against a plain one');

const PARTS: Record<string, LlamaChoices> = {
  'no option at all': {},
  'tied head': { tied: true },
  'biases of q, k and v': { biases: true },
  'bias of the output projection': { outputBias: true },
  'norms of q and k': { qkNorms: true },
  'norms inside attention and feed-forward': { subNorms: true },
  'some dimensions rotated': { ropeDims: 4 },
  'no dimension rotated': { ropeDims: 0 },
  'linear scaling of positions': { ropeLinear: 4 },
  'frequency factors': { ropeFactors: true },
  'frequency factors of some dimensions': { ropeFactors: true, ropeDims: 8 },
  'one key head for all': { shape: { kvHeads: 1 } },
  'a key head for each head': { shape: { kvHeads: 4 } },
  'one layer, one head of four': { shape: { layers: 1, heads: 1, kvHeads: 1, headDim: 4 } },
  'heads wider than the stream': { shape: { headDim: 32 } },
  'large eps': { shape: { eps: 0.5 } },
  'another base': { shape: { theta: 500000 } },
  'vectors in f16': { vectorType: 'F16', biases: true },
  'vectors in bf16': { vectorType: 'BF16', biases: true },
  'matrices in f16': { type: 'F16', headType: 'F16' },
  'matrices in bf16': { type: 'BF16', headType: 'BF16' },
  qwen2: { architecture: 'qwen2', biases: true, tied: true },
  'qwen2, some dimensions': { architecture: 'qwen2', ropeDims: 8 },
  qwen3: { architecture: 'qwen3', qkNorms: true, tied: true, shape: { headDim: 20 } },
  bitnet: { architecture: 'bitnet', subNorms: true, tied: true },
  'bitnet-25': { architecture: 'bitnet-25', subNorms: true },
  'bitnet-b1.58': { architecture: 'bitnet-b1.58', subNorms: true, tied: true },
  'bitnet with relu2': { architecture: 'bitnet', subNorms: true, hiddenActivation: 'relu2' },
  'bitnet-b1.58 with silu': { architecture: 'bitnet-b1.58', subNorms: true, hiddenActivation: 'silu' },
  'biases of the feed-forward': { ffnBiases: true },
  'a scale beside every matrix': { architecture: 'bitnet', subNorms: true, scales: true },
  'a scale and a bias of every matrix': { scales: true, biases: true, ffnBiases: true, outputBias: true },
  'halves by the file': { more: { 'ternspike.rope.pairing': 'halved' }, shape: { neighbours: false } },
  'everything together': {
    architecture: 'qwen3',
    biases: true,
    outputBias: true,
    qkNorms: true,
    subNorms: true,
    ropeDims: 8,
    ropeFactors: true,
    ropeLinear: 2,
    tied: true,
  },
};

for (const [name, choices] of Object.entries(PARTS)) {
  test(`${name}: logits within 1e-4 of the plain pass`, async () => {
    const file = llamaFile(choices);
    const error = relativeError(await engineLogits(file), plainLogits(file));
    if (process.env.TERNSPIKE_VERBOSE) console.log(`  ${name}: ${error.toExponential(1)}`);
    assert.ok(error < 1e-4, `${error}`);
  });
}

test('every optional part changes the logits', async () => {
  const plain = await engineLogits(llamaFile());
  for (
    const name of [
      'tied head',
      'biases of q, k and v',
      'bias of the output projection',
      'norms of q and k',
      'norms inside attention and feed-forward',
      'some dimensions rotated',
      'no dimension rotated',
      'linear scaling of positions',
      'frequency factors',
      'large eps',
      'another base',
      'qwen2',
      'bitnet-b1.58',
      'bitnet with relu2',
      'biases of the feed-forward',
      'a scale beside every matrix',
      'halves by the file',
    ]
  ) {
    const file = llamaFile(PARTS[name]);
    assert.ok(relativeError(await engineLogits(file), plain) > 1e-2, name);
  }
});

test('a wrong reading of a part would be seen: pairing, scaling and activation each matter', async () => {
  const file = llamaFile({ ropeLinear: 4 });
  const actual = await engineLogits(file);
  for (const wrong of [{ neighbours: false }, { ropeLinear: 1 }, { activation: 'relu2' as const }, { ropeDims: 4 }]) {
    const error = relativeError(actual, referenceLogits({ ...file.shape, ...wrong }, file.values, IDS));
    assert.ok(error > 1e-3, `${JSON.stringify(wrong)}: ${error}`);
  }
});

test('keys that change the arithmetic are refused by name where they are not computed', async () => {
  const cases: Record<string, number | string | boolean> = {
    'llama.attention.causal': false,
    'llama.logit_scale': 0.5,
    'llama.final_logit_softcapping': 30,
    'llama.residual_scale': 0.2,
    'llama.expert_count': 8,
    'llama.hidden_activation': 'mish',
    'llama.rope.scaling.type': 'ntk',
    'ternspike.rope.pairing': 'thirds',
  };
  for (const [key, value] of Object.entries(cases)) {
    const file = memorySource(llamaFile({ more: { [key]: value } }).bytes());
    const error = await refuses(bare(file), 'DESCRIPTION', key);
    assert.ok(error.message.includes(key), `${key}: ${error.message}`);
  }
  await bare(memorySource(llamaFile({ more: { 'llama.logit_scale': 1, 'llama.attention.causal': true } }).bytes()));
});

test('an f16 cache agrees within 2e-3', async () => {
  for (const choices of [{}, { architecture: 'qwen3', qkNorms: true }]) {
    const file = llamaFile(choices);
    const error = relativeError(await engineLogits(file, 'f16'), plainLogits(file));
    assert.ok(error < 2e-3, `${error}`);
  }
});

const TYPES: Record<string, LlamaChoices> = {
  Q8_0: { type: 'Q8_0', headType: 'Q8_0' },
  TQ1_0: { type: 'TQ1_0', headType: 'Q8_0' },
  TQ2_0: { type: 'TQ2_0', headType: 'F16' },
  'Q2_0 in groups of 64': { type: 'Q2_0', headType: 'BF16' },
  'Q2_0 in groups of 128': { type: 'Q2_0/128' },
  Q1_0: { type: 'Q1_0', headType: 'Q8_0' },
  I2_S: { type: 'I2_S', headType: 'F16', architecture: 'bitnet-b1.58', subNorms: true, tied: true },
};
// embeddings and heads in packed types
for (const type of ['TQ1_0', 'TQ2_0', 'Q2_0', 'Q2_0/128', 'Q1_0', 'I2_S'] as FileType[]) {
  TYPES[`${type} throughout, tied`] = { type, headType: type, tied: true };
}

for (const [name, choices] of Object.entries(TYPES)) {
  // rows that are whole blocks but not whole pairs or groups of them
  for (
    const shape of [{}, choices.type?.startsWith('TQ') ? { hidden: 768 } : { width: 128, hidden: 384, headDim: 32 }]
  ) {
    test(`${name}, ${JSON.stringify(shape)}: near the plain pass, nearer to one that rounds activations alike`, async () => {
      const file = llamaFile({ ...choices, shape });
      const actual = await engineLogits(file);
      const exact = relativeError(actual, plainLogits(file));
      const alike = relativeError(actual, plainLogits(file, true));
      if (process.env.TERNSPIKE_VERBOSE) {
        console.log(`  ${name}: ${exact.toExponential(1)}, alike ${alike.toExponential(1)}`);
      }
      assert.ok(exact < 5e-2, `against exact activations: ${exact}`);
      assert.ok(alike < 1e-2, `against rounded activations: ${alike}`);
    });
  }
}
test.run();
