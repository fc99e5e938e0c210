/** The pass of rates: its gradients are the slopes of its loss, and the first weights compute the teacher. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { flatLength, type Slot } from '../../src/distill/slots.ts';
import { batchOf } from '../../src/distill/students/bert/data.ts';
import { SpikingEngine } from '../../src/distill/students/spikingbert/engine.ts';
import { spikingBertKind } from '../../src/distill/students/spikingbert/kind.ts';
import type { SpikingLosses } from '../../src/distill/students/spikingbert/losses.ts';
import { spikingSlots } from '../../src/distill/students/spikingbert/tensors.ts';
import type { TrainerState } from '../../src/distill/types.ts';
import { gauss, LOSSES, SHAPE, tinySamples, tinyStudent, tinyTeacher } from './spiking.ts';

const test = suite('distill: spiking graph');

/** Without steps between rates and without gradients beyond 0 … 1 the pass is smooth, but for its corners. */
const SMOOTH = { weights: 'none', levels: 1e6, margin: 0, range: 1.6 };
const BATCH = batchOf(tinySamples(6, [6]), 3);

function latentOf(slots: readonly Slot[], { tensors }: TrainerState): Float32Array {
  const latent = new Float32Array(flatLength(slots));
  for (const { key, at } of slots) latent.set(tensors.get(key)!.data, at);
  return latent;
}

const lossesOf = (losses: Partial<SpikingLosses>): SpikingLosses => ({ ...LOSSES, ...losses });

/** In every tensor, along its gradient, the loss moves as that says. @param most relative error */
async function follows(losses: Partial<SpikingLosses>, classes: number, most: number): Promise<void> {
  const { options, student, state } = await tinyStudent(SMOOTH, tinyTeacher(classes));
  const engine = await SpikingEngine.start(options);
  const slots = spikingSlots(student);
  const latent = latentOf(slots, state);
  latent.set(gauss(classes * SHAPE.width, 5, 0.3), slots.find(({ key }) => key === 'classification.weight')!.at);
  const batch = classes === 1 ? { ...BATCH, labels: BATCH.labels.map((x) => x * 0.7) } : BATCH;
  const out = new Float32Array(latent.length);
  const lossAt = (weights: Float32Array): number =>
    engine.gradients(slots, { latent: weights }, batch, lossesOf(losses), new Float32Array(latent.length)).loss;
  engine.gradients(slots, { latent }, batch, lossesOf(losses), out);
  for (const { key, at, size } of slots) {
    const gradient = out.slice(at, at + size);
    const length = Math.hypot(...gradient);
    assert.ok(length > 1e-5, `${key} has a gradient, ${length}`);
    const moved = (by: number): Float32Array => {
      const weights = latent.slice();
      for (let i = 0; i < size; i++) weights[at + i] += (by * gradient[i]) / length;
      return weights;
    };
    // a step that crosses a corner of 0 … 1 sees another slope there: one of three crosses none
    const errors = [4e-3, 1.5e-3, 6e-4].map((h) =>
      Math.abs((lossAt(moved(h)) - lossAt(moved(-h))) / (2 * h) - length) / length
    );
    assert.ok(Math.min(...errors) < most, `${key}: gradient ${length}, errors ${errors}`);
  }
  engine.dispose();
}

test('gradients are slopes, with the variance of spikes', () => follows({ kind: 'noise' }, 3, 0.02));
test('gradients are slopes, without it', () => follows({ kind: 'rates' }, 3, 0.02));
test('gradients of a regression are slopes', () => follows({ kind: 'noise' }, 1, 0.05));

test('the gradient of a real step is that of its rates', async () => {
  // as many steps as levels, of a network whose currents are all below 0: nothing fires, and both see the same
  const { options, student, state } = await tinyStudent({ weights: 'ternary' });
  const engine = await SpikingEngine.start(options);
  const slots = spikingSlots(student);
  const latent = latentOf(slots, state);
  for (const { key, at, size } of slots) {
    if (/s\d+.*bias|LayerNorm.bias/.test(key)) latent.fill(-0.05, at, at + size);
    if (/LayerNorm.weight|scale/.test(key)) latent.fill(0, at, at + size);
  }
  const [rates, spikes] = (['noise', 'spikes'] as const).map((kind) => {
    const out = new Float32Array(latent.length);
    const report = engine.gradients(slots, { latent }, { ...BATCH, seed: 0 }, lossesOf({ kind, timeSteps: 16 }), out);
    return { report, out };
  });
  assert.ok(spikes.report.rates.every((rate) => rate === 0));
  assert.ok(rates.report.rates.slice(0, 1).every((rate) => rate === 0));
  // noise is on the currents of the one alone: the first layer has none
  const norm = slots.find(({ key }) => key === 'network_x.LayerNorm.bias')!;
  assert.ok(spikes.out.subarray(norm.at, norm.at + norm.size).some((g) => g !== 0), 'currents within the margin pass');
});

test('what is not finite is told by its layer', async () => {
  const { options, student, state } = await tinyStudent();
  const engine = await SpikingEngine.start(options);
  const slots = spikingSlots(student);
  const latent = latentOf(slots, state);
  latent[slots.find(({ key }) => key === 'network_s4.LayerNorm.bias')!.at] = NaN;
  const { sizes } = engine.gradients(slots, { latent }, BATCH, LOSSES, new Float32Array(latent.length));
  const at = sizes.findIndex((size) => !Number.isFinite(size));
  assert.is(spikingBertKind.partName(at, sizes.length), 'layer 4 (0 attention)');
  assert.is(spikingBertKind.partName(sizes.length - 1, sizes.length), 'the logits');
});

test('the first weights compute the teacher, where rates are wide enough', async () => {
  const hidden = async (choices: object, seed?: number): Promise<number> => {
    const { options, student, state } = await tinyStudent({ weights: 'none', levels: 1e6, ...choices });
    const engine = await SpikingEngine.start(options);
    const slots = spikingSlots(student);
    const latent = latentOf(slots, state);
    if (seed !== undefined) {
      const { at, size } = slots.find(({ key }) => key === 'network_s8.dense.weight')!;
      latent.set(gauss(size, seed, 0.3), at);
    }
    const losses = lossesOf({ kind: 'rates', hidden: 1 });
    return engine.gradients(slots, { latent }, BATCH, losses, new Float32Array(latent.length)).hidden /
      (student.range ** 2);
  };
  const wide = await hidden({ range: 4 });
  // GELU stays a rate of 0 … 1 and is cut there: the rest is exact
  assert.ok(wide < 0.1, `${wide}`);
  assert.ok(await hidden({ range: 0.5 }) > 2 * wide, 'narrow rates lose more');
  assert.ok(await hidden({ range: 4 }, 5) > 2 * wide, 'a wrong matrix is seen');
  assert.ok(await hidden({ range: 4, layers: 2 }) < 1, 'fewer encoders begin as some of the layers');
});

test('targets of attention and firing rates move what they should', async () => {
  const { options, student, state } = await tinyStudent();
  const engine = await SpikingEngine.start(options);
  const slots = spikingSlots(student);
  const latent = latentOf(slots, state);
  const none = { hidden: 0, attention: 0, soft: 0, hard: 0, rate: 0 };
  const gradient = (losses: Partial<SpikingLosses>): Float32Array => {
    const out = new Float32Array(latent.length);
    engine.gradients(slots, { latent }, BATCH, lossesOf({ ...none, ...losses }), out);
    return out;
  };
  const of = (out: Float32Array, key: string): number => {
    const { at, size } = slots.find((slot) => slot.key === key)!;
    return out.subarray(at, at + size).reduce((sum, g) => sum + g, 0);
  };
  assert.ok(gradient({}).every((g) => g === 0));
  assert.ok(gradient({ attention: 1 }).some((g) => g !== 0));
  // all fire at about a half: more is wanted with a target of 1, less with one of 0
  assert.ok(of(gradient({ rate: 1, targetRate: 1 }), 'network_s18.LayerNorm.bias') < 0);
  assert.ok(of(gradient({ rate: 1, targetRate: 0 }), 'network_s18.LayerNorm.bias') > 0);
});

test.run();
