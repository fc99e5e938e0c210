/** A dense BERT in training: its gradients are the slopes of its loss, its states those of the teacher's pass, its files the engine's. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allSlots, type DenseBert, denseBert, denseSlots, isTable } from '../../src/distill/students/bert/config.ts';
import { batchOf } from '../../src/distill/students/bert/data.ts';
import { drop } from '../../src/distill/students/bert/dropout.ts';
import { DenseEngine } from '../../src/distill/students/bert/engine.ts';
import { DenseTeacher, teacherTensor, type TeacherWeights } from '../../src/distill/students/bert/teacher.ts';
import { flatLength } from '../../src/distill/slots.ts';
import { trainKernels } from '../../src/distill/train-kernels.ts';
import { tinySamples, tinyTeacher } from './spiking.ts';

const test = suite('distill: fine-tuning');
const BATCH = batchOf(tinySamples(6, [6]), 3);

/** A model in training that begins as the tiny teacher. */
async function begun(teacher: TeacherWeights, choices: Partial<DenseBert> = {}): Promise<{
  readonly engine: DenseEngine;
  readonly slots: ReturnType<typeof denseSlots>;
  readonly latent: Float32Array;
}> {
  const model = {
    ...denseBert(teacher.d, { classes: teacher.d.classes, dropout: 0, trainTables: true }),
    ...choices,
  };
  const { words, positions, segments } = teacher;
  const tables = { words, positions, segments };
  const slots = denseSlots(model);
  const latent = new Float32Array(flatLength(slots));
  for (const { key, at } of slots) {
    const table = new Map([['token_embd.weight', words], ['position_embd.weight', positions], [
      'token_types.weight',
      segments,
    ]]).get(key);
    latent.set(table ?? (teacherTensor(teacher, key) as Float32Array), at);
  }
  const engine = await DenseEngine.start({ model, tables: model.trainTables ? null : tables, build: 'base' });
  return { engine, slots, latent };
}

/** In every tensor, along its gradient, the loss moves as that says. */
async function follows(classes: number, choices: Partial<DenseBert>): Promise<void> {
  const { engine, slots, latent } = await begun(tinyTeacher(classes), choices);
  const batch = classes === 1 ? { ...BATCH, labels: BATCH.labels.map((x) => x * 0.7) } : BATCH;
  const lossAt = (weights: Float32Array): number =>
    engine.gradients(slots, { latent: weights }, batch, {}, new Float32Array(weights.length)).loss;
  const out = new Float32Array(latent.length);
  engine.gradients(slots, { latent }, batch, {}, out);
  for (const { key, at, size } of slots) {
    const gradient = out.slice(at, at + size);
    const length = Math.hypot(...gradient);
    if (/attn_k\.bias/.test(key)) {
      assert.ok(length < 1e-4, `softmax does not see ${key}: ${length}`);
      continue;
    }
    assert.ok(length > 1e-5, `${key} has a gradient, ${length}`);
    const moved = (by: number): Float32Array => {
      const weights = latent.slice();
      for (let i = 0; i < size; i++) weights[at + i] += (by * gradient[i]) / length;
      return weights;
    };
    const slope = (lossAt(moved(2e-3)) - lossAt(moved(-2e-3))) / 4e-3;
    assert.ok(Math.abs(slope - length) < 0.02 * length + 2e-4, `${key}: gradient ${length}, slope ${slope}`);
  }
}

test('gradients are slopes', () => follows(3, {}));
test('gradients are slopes with dropout, whose choice stays', () => follows(3, { dropout: 0.2 }));
test('gradients of a regression and of relu are slopes', () => follows(1, { headActivation: 'relu' }));
test('tables that are kept have no gradients, and all others the same', async () => {
  const whole = await begun(tinyTeacher());
  const kept = await begun(tinyTeacher(), { trainTables: false });
  const [all, some] = [whole, kept].map(({ engine, slots, latent }) => {
    const out = new Float32Array(latent.length);
    engine.gradients(slots, { latent }, BATCH, {}, out);
    return out;
  });
  assert.is(kept.slots.filter(({ key }) => isTable(key)).length, 0);
  for (const { key, at, size } of kept.slots) {
    const other = whole.slots.find((slot) => slot.key === key)!;
    assert.equal(some.slice(at, at + size), all.slice(other.at, other.at + size), key);
  }
});

test('without dropout the logits are those of the teacher', async () => {
  const teacher = tinyTeacher();
  const { engine, slots, latent } = await begun(teacher);
  const { logits } = engine.forward(slots, { latent }, BATCH);
  const said = new DenseTeacher(teacher, await trainKernels('base')).forward(BATCH, null).logits;
  logits.forEach((z, i) => assert.ok(Math.abs(z - said[i]) < 1e-4, `${i}: ${z}, ${said[i]}`));
});

test('dropout leaves out its share, keeps the mean, and makes the same choice again', () => {
  const ones = (): Float32Array => new Float32Array(100_000).fill(1);
  const [a, b, other] = [ones(), ones(), ones()];
  drop(a, 0.3, 5, 2);
  drop(b, 0.3, 5, 2);
  drop(other, 0.3, 5, 3);
  assert.equal(a, b);
  const zeros = a.filter((x) => x === 0).length / a.length;
  assert.ok(Math.abs(zeros - 0.3) < 0.01, `${zeros}`);
  const both = a.filter((x, i) => x === 0 && other[i] === 0).length / a.length;
  assert.ok(Math.abs(both - 0.09) < 0.01, `two places choose apart: ${both}`);
  const mean = a.reduce((sum, x) => sum + x, 0) / a.length;
  assert.ok(Math.abs(mean - 1) < 0.02, `${mean}`);
  drop(a, 0, 1, 1);
  assert.equal(a, b);
});

test('the file has every tensor, whatever learns', () => {
  const model = denseBert(tinyTeacher().d, { classes: 3, dropout: 0, trainTables: false });
  assert.is(allSlots(model).length, denseSlots(model).length + 3);
});

test.run();
