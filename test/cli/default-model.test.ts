/** The model that travels with the package: small, spiking, ternary, and the first thing that a newcomer runs. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open } from '../../src/entries/index.ts';
import { checkout } from '../house/checkout.ts';
import { jsonHere } from './cli.ts';

const PATH = join(checkout(), 'models', 'stories-spiking.gguf');
/** Fewer than bench/stories.mjs tells, which measures the share. */
const STORIES = 12;
/** It is in every install and every clone. */
const MAX_BYTES = 1_500_000;

const test = suite('model of the package');

test('run without a model tells a story, the same for the same seed', async () => {
  const told = async (seed: string): Promise<string> => {
    const { text, completionTokens, spikes } = await jsonHere<{
      text: string;
      completionTokens: number;
      spikes: { overall: { activationSparsity: number } };
    }>(['run', 'Once upon a time', '-n', '80', '--seed', seed, '--json']);
    assert.ok(completionTokens > 20, `${completionTokens} tokens`);
    assert.ok(spikes.overall.activationSparsity >= 0.85, `sparsity ${spikes.overall.activationSparsity}`);
    return text;
  };
  const [first, again, other] = [await told('1'), await told('1'), await told('2')];
  assert.match(first, /[a-z]{3,} [a-z]{3,}/);
  assert.is(again, first);
  assert.is.not(other, first);
});

test('stories come to an end by themselves, and not at once', async () => {
  await using model = await open(new Uint8Array(readFileSync(PATH)));
  const prompts = ['Once upon a time', 'Tom and his dog', 'One day, a little girl named Lily'];
  let ended = 0;
  for (let seed = 1; seed <= STORIES; seed++) {
    let length = 0;
    let reason: string | null = null;
    for await (const chunk of model.generate(prompts[seed % prompts.length], { maxTokens: 400, seed })) {
      if (chunk.id !== null) length++;
      reason = chunk.finishReason;
    }
    if (reason === 'stop') ended++;
    assert.ok(length >= 20, `story ${seed} ended after ${length} tokens`);
  }
  assert.ok(ended >= STORIES * 0.75, `${ended} of ${STORIES} stories ended within 400 tokens`);
});

test('its vocabulary is the one that tokenize uses without a model', async () => {
  const { ids } = await jsonHere<{ ids: number[] }>(['tokenize', 'Once upon a time', '--json']);
  const { text } = await jsonHere<{ text: string }>(['detokenize', '--ids', ids.join(), '--json']);
  assert.is(text, 'Once upon a time');
});

test('its block matrices are ternary, and it is small', async () => {
  assert.ok(statSync(PATH).size <= MAX_BYTES, `${statSync(PATH).size} bytes`);
  const { tensors } = await jsonHere<{ tensors: { name: string; type: string; shape: number[] }[] }>([
    'inspect',
    PATH,
    '--json',
  ]);
  const matrices = tensors.filter(({ name, shape }) => name.startsWith('blocks.') && shape.length === 2);
  assert.ok(matrices.length >= 7, `${matrices.length} matrices`);
  assert.equal(matrices.filter(({ type }) => !type.startsWith('TQ')).map(({ name }) => name), []);
});

test.run();
