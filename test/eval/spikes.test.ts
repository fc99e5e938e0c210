/** Spike accounting: sums by hand over a small model, what is counted when, and models of forced sparsity. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openContainer } from '../../src/container/open.ts';
import { type SpikeLayer, spikeReport } from '../../src/forward/spike-report.ts';
import { randomModel, randomTypes } from '../../src/model/random.ts';
import { forcedSpikes } from '../../src/forward/forced-spikes.ts';
import { type Model, open, type SpikeReport } from '../../src/entries/index.ts';
import { describe, spikeLayers } from '../describe.ts';
import { Arena } from '../../src/wasm/arena.ts';

const spikes = suite('spike accounting');

const near = (actual: number, expected: number): void => {
  assert.ok(Math.abs(actual - expected) <= 1e-9 * Math.abs(expected), `${actual}, expected ${expected}`);
};

async function layersOf(type: string): Promise<SpikeLayer[]> {
  const container = await openContainer(await randomModel('symboliclight-tiny', type));
  return spikeLayers(container, describe(container)) as SpikeLayer[];
}

/** The tiny shape. */
const WIDTH = 256;
const HIDDEN = 768;
const VOCAB = 512;

spikes('every spike is charged to the columns it makes the next matrix read', async () => {
  const layers = await layersOf('f32');
  assert.equal(layers.map((layer) => layer.name), [
    'encoder',
    'blocks.0.mixer',
    'blocks.0.ffn',
    'blocks.0.output',
    'blocks.1.mixer',
    'blocks.1.ffn',
    'blocks.1.output',
    'head',
  ]);
  // 4 tokens in 2 batches, one of them asked for logits
  const counts = Float64Array.of(40, 400, 80, 20, 404, 12, 1000);
  const report = spikeReport(layers, { tokens: 4, batches: 2, heads: 1, spikes: counts });
  const [, mixer0, , output0, mixer1, , output1, head] = report.layers;
  const acs = report.layers.map((layer) => layer.synapticOperations.effectiveAcs);
  // encoder → mixer 0, ffn 0 → output 0, output 0 → mixer 1, ffn 1 → output 1; mixers and the last output feed nothing
  assert.equal(acs, [0, 10 * WIDTH, 0, 20 * WIDTH, 5 * WIDTH, 0, 3 * WIDTH, 0]);
  assert.equal([mixer0, output0, mixer1, output1].map((layer) => layer.inputsSkipped), [
    WIDTH - 10,
    HIDDEN - 20,
    WIDTH - 5,
    HIDDEN - 3,
  ]);
  const { overall } = report;
  assert.is(overall.neurons, 5 * WIDTH + 2 * HIDDEN);
  near(overall.firingRate as number, counts.reduce((a, b) => a + b) / (4 * overall.neurons));
  near(overall.activationSparsity as number, 1 - (overall.firingRate as number));
  near(mixer0.firingRate as number, 100 / WIDTH);
  assert.is(head.firingRate, null);
  const headMacs = (VOCAB * WIDTH + (WIDTH / 4) * WIDTH + VOCAB * (WIDTH / 4)) / 4;
  near(head.synapticOperations.effectiveMacs, headMacs);
  const macs = 2 * (4 * WIDTH * WIDTH + HIDDEN * WIDTH) + headMacs;
  near(overall.synapticOperations.denseMacs, macs);
  near(overall.synapticOperations.denseAcs, 2 * (WIDTH * WIDTH + HIDDEN * WIDTH));
  // what is not touched are four bytes for every accumulate that did not happen
  const { effectiveAcs, denseAcs } = overall.synapticOperations;
  near(overall.weightBytes.dense - overall.weightBytes.touched, 4 * (denseAcs - effectiveAcs));
  near(report.energy.compute.effective, (4.6 * macs + 0.9 * effectiveAcs) / 1e6);
  near(report.energy.compute.dense, (4.6 * (macs + denseAcs)) / 1e6);
  near(report.energy.memory.touched, (162.5 * overall.weightBytes.touched) / 1e6);
  assert.equal(report.neuronUpdates, { dense: overall.neurons, effective: overall.spikesPerToken, membranes: WIDTH });
  assert.ok(report.bytesStreamed < overall.weightBytes.touched);
});

spikes(
  'scales are charged as they are read: once where all blocks of a row have the same, else for every group',
  async () => {
    const container = await openContainer(await randomModel('symboliclight-tiny', 'tq2_0'));
    const fixed = (spans?: ReadonlyMap<string, number>): number =>
      (spikeLayers(container, describe(container), { spans }) as SpikeLayer[])[3].fixedBytes;
    const name = 'blocks.0.ffn.down.weight';
    // 768 inputs in blocks of 256
    assert.is(fixed() - fixed(new Map([[name, HIDDEN]])), 2 * WIDTH * 4);
    assert.is(fixed(new Map([[name, 256]])), fixed());
    using model = await open(await randomModel('symboliclight-tiny', 'tq2_0'));
    const ids = [1, 2, 3];
    await model.logits(ids);
    const one = new Map([...container.tensors.keys()].map((key) => [key, Infinity]));
    const expected = spikeLayers(container, describe(container), { activations: 'int16', spans: one }) as SpikeLayer[];
    const loaded = model.stats().spikes as SpikeReport;
    const read = (i: number): number => loaded.layers[i].weightBytes.dense - expected[i].fixedBytes;
    assert.is(read(3), (HIDDEN * WIDTH) / 4 + WIDTH * 4);
  },
);

spikes('random models of every type run, and their bytes and energy follow the type', async () => {
  const touched = new Map<string, SpikeReport>();
  for (const type of await randomTypes('symboliclight-tiny')) {
    using model = await open(await randomModel('symboliclight-tiny', type), { forcedSparsity: 0.9 });
    const rows = await model.logits([1, 2, 3]);
    assert.ok(rows.every((row) => row.every(Number.isFinite)), type);
    touched.set(type, model.stats().spikes as SpikeReport);
  }
  const bytes = (type: string): number => touched.get(type)?.overall.weightBytes.touched ?? NaN;
  const energy = (type: string): number => touched.get(type)?.energy.compute.effective ?? NaN;
  assert.ok(bytes('tq2_0') < bytes('i8') && bytes('i8') < bytes('f16') && bytes('f16') < bytes('f32'));
  assert.ok(energy('tq2_0') < energy('i8') && energy('i8') < energy('f32') / 10);
  const run = async (activations: 'int8' | 'f32'): Promise<number> => {
    using model = await open(await randomModel('symboliclight-tiny', 'i8'), { forcedSparsity: 0.9, activations });
    await model.logits([1, 2, 3]);
    return (model.stats().spikes as SpikeReport).energy.compute.effective;
  };
  // int16 activations are the default; one of them counts as two of int8
  const int8 = await run('int8');
  assert.ok(energy('i8') > 1.5 * int8 && energy('i8') < 2 * int8, `${energy('i8')} against ${int8}`);
  assert.ok((await run('f32')) > 5 * energy('i8'));
  using model = await open(await randomModel('symboliclight-tiny', 'tq2_0', 1, 'tq2_0'));
  assert.is(model.container.tensors.get('output_head.output_proj.weight')?.type, 'TQ2_0');
});

spikes('without a token nothing is counted, and nothing is no number', async () => {
  const report = spikeReport(await layersOf('f32'), { tokens: 0, batches: 0, heads: 0, spikes: new Float64Array(7) });
  assert.is(report.overall.firingRate, 0);
  const numbers = JSON.stringify(
    report,
    (_, value: unknown) => (typeof value === 'number' && !Number.isFinite(value) ? 'bad' : value),
  );
  assert.not(numbers.includes('"bad"'));
});

const opened = async (forcedSparsity?: number): Promise<Model> =>
  open(await randomModel('symboliclight-tiny', 'f32'), { forcedSparsity });

spikes('counts run since open or a reset; a generation has its own, whatever runs beside it', async () => {
  using model = await opened();
  assert.is(model.stats().tokens, 0);
  const alone = await last(model, [1, 2, 3]);
  assert.is(alone.tokens, 3 + 8 - 1); // the last token is not read
  assert.equal(model.stats().spikes, alone);
  const [one, other] = await Promise.all([last(model, [1, 2, 3]), last(model, [7, 8, 9, 10])]);
  assert.equal(one, alone);
  assert.is(other.tokens, 11);
  assert.is(model.stats().tokens, 31);
  model.resetStats();
  assert.is(model.stats().tokens, 0);
  assert.is(model.stats().spikes?.overall.spikesPerToken, 0);
  using session = model.session();
  await session.prefill([1, 2, 3]);
  assert.is(model.stats().tokens, 3);
});

async function last(model: Model, prompt: number[]): Promise<SpikeReport> {
  let found: SpikeReport | undefined;
  for await (const { usage } of model.generate(prompt, { maxTokens: 8, temperature: 0 })) found = usage?.spikes;
  assert.ok(found);
  return found;
}

spikes('models that do not spike have no spikes', async () => {
  using model = await open(await randomModel('tiny', 'f32'));
  for await (const { usage } of model.generate([1, 2], { maxTokens: 2 })) assert.not('spikes' in (usage ?? {}));
  assert.not('spikes' in model.stats());
  model.resetStats();
});

spikes('a forced sparsity is met in every layer', async () => {
  for (const sparsity of [0, 0.94, 1]) {
    using model = await opened(sparsity);
    await model.logits(Array.from({ length: 200 }, (_, i) => i));
    const { layers = [], overall } = model.stats().spikes ?? {};
    assert.ok(Math.abs((overall?.activationSparsity ?? NaN) - sparsity) < 2e-3, `${overall?.activationSparsity}`);
    for (const { activationSparsity } of layers) {
      if (activationSparsity !== null) {
        assert.ok(Math.abs(activationSparsity - sparsity) < 0.02, `${activationSparsity}`);
      }
    }
  }
});

spikes('a forced sparsity is a share, and of a model that spikes', async () => {
  for (const wrong of [-0.1, 1.1, NaN, '0.5' as unknown as number]) {
    await rejected(opened(wrong), 'forcedSparsity');
  }
  await rejected(open(await randomModel('tiny', 'f32'), { forcedSparsity: 0.5 }), 'llama');
});

async function rejected(opening: Promise<Model>, word: string): Promise<void> {
  try {
    (await opening).dispose();
  } catch (error) {
    return assert.ok(String(error).includes(word), String(error));
  }
  assert.unreachable();
}

spikes('forced spikes leave the bits behind the last neuron alone, and repeat with their seed', () => {
  const arena = new Arena(new WebAssembly.Memory({ initial: 1 }));
  const at = arena.alloc(64, 'spikes');
  const drawn = (seed: number): number[] => {
    const force = forcedSpikes(arena.memory, 0.5, seed);
    const fired = force(at, 70, 1);
    const bytes = [...arena.u8(at, 12)];
    assert.is(bytes.reduce((n, byte) => n + byte.toString(2).replaceAll('0', '').length, 0), fired);
    assert.is(bytes[8] >> 6 | bytes[9] | bytes[10] | bytes[11], 0);
    return bytes;
  };
  assert.equal(drawn(1), drawn(1));
  assert.not.equal(drawn(1), drawn(2));
});

spikes.run();
