/** `onSpikes`: the bits that a caller sees add up to the counts of `usage` and `stats`, for every layer and every token. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { defaultModel } from '../../src/entries/default-model.ts';
import { type GenerateOptions, type Model, type OnSpikes, open } from '../../src/entries/index.ts';
import { open as openInWorker } from '../../src/entries/worker.ts';
import { layerBytes, layerOffsets } from '../../src/forward/spike-record.ts';
import { randomModel } from '../../src/model/random.ts';
import { llamaFile } from '../llama-files.ts';
import { refuses } from '../refusal.ts';
import { checkpointBytes, randomWeights, SMALL } from '../spikingbert-files.ts';

const test = suite('onSpikes');
/** Longer than a batch, so that the prompt is read in several. */
const PROMPT =
  'Once upon a time there was a little girl who had a red ball and a big dog. They played in the park until the sun went.';

const ones = (bytes: Uint8Array): number => {
  let sum = 0;
  for (let byte of bytes) for (; byte !== 0; byte &= byte - 1) sum++;
  return sum;
};

/** Everything that was seen: for each token, the bits of each layer. */
function watcher(): { readonly seen: Uint8Array[][]; readonly onSpikes: OnSpikes } {
  const seen: Uint8Array[][] = [];
  const onSpikes: OnSpikes = (layer, fired, at) => {
    const token = seen[at] ??= [];
    assert.is(token.length, layer, 'layers come in order, once');
    assert.is(seen.length, at + 1, 'tokens come in order');
    token.push(fired.slice());
  };
  return { seen, onSpikes };
}

/** Generates and compares every count. @returns what was seen */
async function counted(model: Model, options: GenerateOptions): Promise<Uint8Array[][]> {
  const { seen, onSpikes } = watcher();
  const { usage } = await model.complete(PROMPT, { ...options, onSpikes });
  const { spikes, promptTokens, completionTokens } = usage;
  assert.ok(spikes);
  assert.is(seen.length, promptTokens + completionTokens - 1, 'the last token is never read');
  assert.is(spikes.tokens, seen.length);
  const layers = spikes.layers.filter(({ neurons }) => neurons > 0);
  layers.forEach(({ name, neurons, spikesPerToken }, layer) => {
    assert.ok(seen.every((token) => token.length === layers.length && token[layer].length === Math.ceil(neurons / 8)));
    const fired = seen.reduce((sum, token) => sum + ones(token[layer]), 0);
    assert.is(Math.round(spikesPerToken * seen.length), fired, name);
    assert.ok(fired > 0, `${name} fires`);
  });
  return seen;
}

test('the bits of all tokens add up to the counts, and the text is the same with a watcher', async () => {
  await using model = await open(defaultModel, { contextLength: 256 });
  const options = { maxTokens: 24, temperature: 0 };
  const { text } = await model.complete(PROMPT, options);
  const seen = await counted(model, options);
  assert.is((await model.complete(PROMPT, { ...options, onSpikes: () => {} })).text, text);
  assert.equal(await counted(model, options), seen, 'the same every time');
});

test('threads, sessions that share a pass, and forced sparsity give the same bits as one thread alone', async () => {
  const source = await randomModel('symboliclight-tiny', 'tq2_0', 2);
  const prompt = Array.from({ length: 40 }, (_, i) => (7 * i) % 50);
  const run = async (options: Parameters<typeof open>[1], sessions = 1): Promise<Uint8Array[][][]> => {
    await using model = await open(source, { contextLength: 128, ...options });
    return await Promise.all(Array.from({ length: sessions }, async () => {
      const { seen, onSpikes } = watcher();
      for await (const _ of model.generate(prompt, { maxTokens: 5, temperature: 0, onSpikes }));
      assert.is(seen.length, 44);
      return seen;
    }));
  };
  const [alone] = await run({ threads: 1 });
  assert.equal(await run({ threads: 2 }), [alone]);
  assert.equal(await run({ threads: 1, parallel: 3 }, 3), [alone, alone, alone]);
  const [silent] = await run({ threads: 1, forcedSparsity: 1 });
  assert.is(silent.flat().reduce((sum, bits) => sum + ones(bits), 0), 0);
});

test('bits after the last neuron are 0, and layers begin at whole words', () => {
  assert.equal([1, 32, 33].map(layerBytes), [4, 4, 8]);
  assert.equal(layerOffsets([33, 1]), [0, 8, 12]);
});

test('what the watcher throws ends the generation, and the model serves the next; a dense model refuses it', async () => {
  await using model = await open(defaultModel, { contextLength: 128 });
  const fault = new Error('enough');
  let thrown: unknown;
  const onSpikes = (): void => {
    throw fault;
  };
  await model.complete(PROMPT, { maxTokens: 2, onSpikes }).catch((error: unknown) => (thrown = error));
  assert.is(thrown, fault);
  assert.is((await model.complete(PROMPT, { maxTokens: 2 })).ids.length, 2);
  await using dense = await open(llamaFile({ type: 'TQ2_0' }).bytes(), { contextLength: 64 });
  await refuses(dense.complete([1, 2], { maxTokens: 2, onSpikes: () => {} }), 'OPTION', 'onSpikes', 'llama');
  assert.is((await dense.complete([1, 2], { maxTokens: 2 })).ids.length, 2);
});

test('several completions have no watcher', async () => {
  await using model = await open(defaultModel, { contextLength: 128, parallel: 2 });
  const options = { maxTokens: 2, n: 2 };
  const watched = model.generate(PROMPT, { ...options, onSpikes: () => {} });
  await refuses(watched.next(), 'OPTION', 'onSpikes', 'one completion');
  for await (const { index } of model.generate(PROMPT, options)) assert.ok(index === 0 || index === 1);
});

test('of a classifier the bits of all steps add up to spikeCounts, and those of a step to its rates', async () => {
  const source = checkpointBytes(randomWeights());
  const ids = [2, 5, 6, 7, 3];
  for (const threads of [1, 2]) {
    await using model = await open(source, { config: SMALL, threads });
    const plain = await model.classify({ ids }, { counts: true });
    const { seen, onSpikes } = watcher();
    const rates: (readonly number[])[] = [];
    const watched = await model.classify({ ids }, {
      counts: true,
      onSpikes: (layer, fired, at) => onSpikes(layer, fired, at - 1),
      onStep: ({ step, firingRates }) => {
        assert.is(seen.length, step, 'spikes of a step come before it');
        rates.push(firingRates);
      },
    });
    assert.equal(watched, plain);
    assert.is(seen.length, plain.steps);
    plain.spikeCounts?.forEach((counts, layer) => {
      counts.forEach((count, i) => {
        assert.is(seen.reduce((sum, step) => sum + ((step[layer][i >> 3] >> (i & 7)) & 1), 0), count);
      });
      seen.forEach((step, t) => assert.is(ones(step[layer]) / counts.length, rates[t][layer]));
    });
    assert.ok(seen.flat().some((bits) => ones(bits) > 0));
  }
});

test('a model in a worker shows the same, of tokens and of steps', async () => {
  const options = { maxTokens: 40, temperature: 0 } as const;
  const [here, there] = [watcher(), watcher()];
  {
    await using model = await open(defaultModel, { contextLength: 256 });
    await model.complete(PROMPT, { ...options, onSpikes: here.onSpikes });
  }
  await using model = await openInWorker(defaultModel, { contextLength: 256 });
  assert.is(model.chats, false);
  const read: number[] = [];
  for await (
    const { id } of model.generate(PROMPT, {
      ...options,
      onSpikes: there.onSpikes,
      onPrefill: ({ read: n }) => void read.push(n),
    })
  ) {
    if (id !== null) {
      assert.ok(there.seen.length >= read[read.length - 1], 'the prompt was seen before the first token');
    }
  }
  assert.equal(there.seen, here.seen);
  let thrown: unknown;
  const fault = new Error('enough');
  const onSpikes = (): void => {
    throw fault;
  };
  try {
    for await (const _ of model.generate(PROMPT, { maxTokens: 2, onSpikes }));
  } catch (error) {
    thrown = error;
  }
  assert.is(thrown, fault);
  await using classifier = await openInWorker(checkpointBytes(randomWeights()), { config: SMALL });
  const steps: number[] = [];
  const { seen, onSpikes: see } = watcher();
  const { steps: all } = await classifier.classify({ ids: [2, 5, 6, 3] }, {
    onStep: ({ step }) => void steps.push(step),
    onSpikes: (layer, fired, at) => see(layer, fired, at - 1),
  });
  assert.equal(steps, Array.from({ length: all }, (_, i) => i + 1));
  assert.is(seen.length, all);
});

test.run();
