/** Derivatives of the student's parts, against finite differences wherever the parts are smooth. */
import type { Array as Tensor } from '@jax-js/jax';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Gradients } from '../../src/distill/students/symboliclight/gradients.ts';
import { type Jax, loadJax } from '../../src/distill/students/symboliclight/jax.ts';
import { fastExp, layerNorm, log, roundActivations, softmax } from '../../src/distill/students/symboliclight/ops.ts';
import { flatLength, slotsOf } from '../../src/distill/slots.ts';
import { initialise, studentSlots } from '../../src/distill/students/symboliclight/student.ts';
import { surrogateDerivative, thresholded } from '../../src/distill/students/symboliclight/surrogate.ts';
import type { Batch, LossWeights, StudentConfig } from '../../src/distill/students/symboliclight/types.ts';
import { quantizeAbsmax } from '../reference-matrix.ts';
import { countingBatch, HARD, jaxTest, TINY, uniforms } from './student.ts';

const test = suite('distill: graph');

const array = ({ np }: Jax, values: Float32Array, ...shape: number[]): Tensor =>
  np.array(values.slice()).reshape(shape);
const read = (x: Tensor): Float32Array => x.dataSync() as Float32Array;

/** Values of f at x, and the gradient of Σ g·f by x. */
function both(
  jax: Jax,
  f: (x: Tensor) => Tensor,
  x: Float32Array,
  g: Float32Array,
  ...shape: number[]
): { y: Float32Array; dx: Float32Array } {
  const objective = (at: Tensor): [Tensor, Tensor] => {
    const y = f(at);
    return [y.ref.mul(array(jax, g, ...shape)).sum(), y];
  };
  const [[sum, y], dx] = jax.valueAndGrad(objective, { hasAux: true })(array(jax, x, ...shape)) as unknown as [
    [Tensor, Tensor],
    Tensor,
  ];
  sum.dispose();
  return { y: read(y), dx: read(dx) };
}

jaxTest(test, 'the logarithm of a decay holds over hundreds of tokens', async () => {
  const jax = await loadJax();
  const x = uniforms(9, 64).map((v, i) => (i < 32 ? 1 - Math.abs(v) * 0.01 - 1e-4 : 0.5 + 0.4 * v));
  const { y, dx } = both(jax, (at) => log(jax, at), x, new Float32Array(64).fill(1), 64);
  x.forEach((v, i) => {
    assert.ok(Math.abs(y[i] - Math.log(v)) < 4e-7, `ln ${v} is not ${y[i]}`);
    assert.ok(Math.abs(dx[i] * v - 1) < 1e-5, `derivative of ln at ${v}: ${dx[i]}`);
  });
});

jaxTest(test, 'the fast exponential, and the softmax with its derivative', async () => {
  const jax = await loadJax();
  const x = uniforms(1, 64).map((v) => -15 + 15 * v);
  read(fastExp(jax, array(jax, x, 64))).forEach((y, i) => {
    assert.ok(Math.abs(y / Math.exp(x[i]) - 1) < 1e-4, `e^${x[i]} is not ${y}`);
  });
  const [rows, cols] = [3, 5];
  const scores = uniforms(2, rows * cols).map((v) => 4 * v);
  scores[1] = scores[12] = -1e30;
  scores.fill(-1e30, 5, 10); // a row that sees nothing
  const g = uniforms(3, rows * cols);
  const { y, dx } = both(jax, (at) => softmax(jax, at), scores, g, rows, cols);
  for (let r = 0; r < rows; r++) {
    const row = [...scores.subarray(r * cols, (r + 1) * cols)];
    const powers = row.map((v) => (v < -1e29 ? 0 : Math.exp(v)));
    const p = powers.map((v) => v / Math.max(1e-300, powers.reduce((a, b) => a + b)));
    const mean = p.reduce((sum, v, i) => sum + v * g[r * cols + i], 0);
    p.forEach((v, i) => {
      assert.ok(Math.abs(y[r * cols + i] - v) < 1e-5, `probability ${r}, ${i}`);
      assert.ok(Math.abs(dx[r * cols + i] - v * (g[r * cols + i] - mean)) < 1e-5, `derivative ${r}, ${i}`);
    });
  }
});

jaxTest(test, 'the normalisation and its derivative', async () => {
  const jax = await loadJax();
  const [rows, cols] = [2, 6];
  const x = uniforms(4, rows * cols).map((v) => 3 * v + 1);
  const [weight, bias, g] = [uniforms(5, cols), uniforms(6, cols), uniforms(7, rows * cols)];
  const value = (at: Float64Array): number[] => {
    const out: number[] = [];
    for (let r = 0; r < rows; r++) {
      const row = [...at.subarray(r * cols, (r + 1) * cols)];
      const mean = row.reduce((a, b) => a + b) / cols;
      const inverse = 1 / Math.sqrt(row.reduce((a, b) => a + (b - mean) ** 2, 0) / cols + 1e-5);
      row.forEach((v, i) => out.push((v - mean) * inverse * weight[i] + bias[i]));
    }
    return out;
  };
  const f = (at: Tensor): Tensor => layerNorm(jax, at, array(jax, weight, cols), array(jax, bias, cols));
  const { y, dx } = both(jax, f, x, g, rows, cols);
  value(Float64Array.from(x)).forEach((v, i) => assert.ok(Math.abs(y[i] - v) < 1e-5, `value ${i}`));
  const sum = (at: Float64Array): number => value(at).reduce((s, v, i) => s + v * g[i], 0);
  dx.forEach((d, i) => {
    const [up, down] = [1e-5, -1e-5].map((by) => sum(Float64Array.from(x, (v, n) => v + (n === i ? by : 0))));
    assert.ok(Math.abs(d - (up - down) / 2e-5) < 1e-4, `derivative ${i}: ${d}, expected ${(up - down) / 2e-5}`);
  });
});

jaxTest(test, 'activations are rounded as the kernels round them, and gradients pass', async () => {
  const jax = await loadJax();
  for (const [cols, span] of [[512, 256], [64, 32], [64, 256]]) {
    const x = uniforms(cols + span, 2 * cols);
    x.fill(0, 0, 32);
    const g = uniforms(9, 2 * cols);
    const { y, dx } = both(jax, (at) => roundActivations(jax, at, span), x, g, 2, cols);
    for (let r = 0; r < 2; r++) {
      const { q, scales } = quantizeAbsmax(x.subarray(r * cols, (r + 1) * cols), Math.min(span, cols));
      q.forEach((v, i) => {
        const expected = v * scales[Math.floor(i / Math.min(span, cols))];
        assert.ok(Math.abs(y[r * cols + i] - expected) < 1e-6, `${cols} by ${span}: ${i}`);
      });
    }
    assert.equal(dx, g);
  }
});

jaxTest(test, 'thresholds are exact steps with the derivative that was asked for', async () => {
  const jax = await loadJax();
  const x = Float32Array.of(-2, 0.2, 0.9, Math.fround(1 - 2 ** -24), 1, 1.0001, 1.4, 7);
  const g = uniforms(8, x.length);
  for (const surrogate of ['arctan', 'sigmoid', 'triangle'] as const) {
    const config = { threshold: 1, surrogate, surrogateWidth: surrogate === 'triangle' ? 0.7 : 3 };
    const { y, dx } = both(jax, (at) => thresholded(jax, at, config), x, g, x.length);
    assert.equal([...y], [0, 0, 0, 0, 1, 1, 1, 1]);
    dx.forEach((d, i) => {
      const expected = g[i] * surrogateDerivative(surrogate, config.surrogateWidth, x[i] - 1);
      assert.ok(Math.abs(d - expected) < 1e-5, `${surrogate} at ${x[i]}: ${d}, expected ${expected}`);
    });
  }
});

/** Loss and gradients of some weights, and the slots they lie in. */
async function lossOf(
  config: StudentConfig,
  losses: LossWeights,
  batch: Batch,
): Promise<{
  slots: ReturnType<typeof slotsOf>;
  weights: Float32Array;
  at(weights: Float32Array): { loss: number; gradients: Float32Array };
}> {
  const engine = new Gradients(await loadJax(), { config, activations: false });
  const own = studentSlots(config);
  const added = losses.hiddenPairs.map((_, n) => [`projection.${n}`, [24, config.width]] as const);
  const slots = [...own, ...slotsOf(added, flatLength(own))];
  const weights = new Float32Array(flatLength(slots));
  initialise(config, slots, weights, 1);
  return {
    slots,
    weights,
    at(weights) {
      const gradients = new Float32Array(weights.length);
      const { loss } = engine.gradients(slots, { rounded: weights }, batch, losses, gradients);
      return { loss, gradients };
    },
  };
}

/** Along a random direction in one tensor, the loss moves as its gradient says. */
async function follows(
  config: StudentConfig,
  losses: LossWeights,
  batch: Batch,
  keys: string[],
  change?: string,
): Promise<void> {
  const { slots, weights, at } = await lossOf(config, losses, batch);
  const part = (key: string): { at: number; size: number } => {
    const slot = slots.find((s) => s.key === key);
    assert.ok(slot, `there is a ${key}`);
    return slot as { at: number; size: number };
  };
  if (change) weights.fill(0, part(change).at, part(change).at + part(change).size);
  const { gradients } = at(weights);
  for (const key of keys) {
    const { at: from, size } = part(key);
    const direction = uniforms(size, size);
    let slope = 0;
    for (let i = 0; i < size; i++) slope += gradients[from + i] * direction[i];
    const moved = (by: number): number => {
      const there = weights.slice();
      for (let i = 0; i < size; i++) there[from + i] += by * direction[i];
      return at(there).loss;
    };
    const step = size > 100 ? 2e-2 : 5e-2;
    const expected = (moved(step) - moved(-step)) / (2 * step);
    assert.ok(
      Math.abs(slope - expected) < 0.02 * Math.abs(expected) + 2e-4,
      `${key}: ${slope}, by finite differences ${expected}`,
    );
  }
}

const SMOOTH: StudentConfig = { ...TINY, width: 64, ffn: 64, quantisation: 'none', tables: 'none', vocab: 24 };
const LENGTH = 14;
const rows = countingBatch(1, 2, LENGTH, 24);
const taught: Batch = {
  ...rows,
  teacherLogits: uniforms(1, 2 * LENGTH * 24).map((v) => 3 * v),
  teacherHidden: [uniforms(2, 2 * LENGTH * 24)],
};
const ALL: LossWeights = {
  alpha: 0.7,
  temperature: 2,
  hidden: 0.5,
  hiddenPairs: [{ student: 0, teacher: 1 }],
  rate: 0,
  targetRate: 0,
};

jaxTest(test, 'what lies behind the last spikes follows finite differences, with every loss', async () => {
  await follows(SMOOTH, ALL, taught, [
    'blocks.0.ffn.down.weight',
    'blocks.0.ffn.norm.weight',
    'blocks.0.ffn.norm.bias',
    'output_head.output_proj.weight',
    'output_head.prior_net.0.weight',
    'output_head.prior_net.2.weight',
    'output_head.prior_weight',
    'projection.0',
  ]);
});

jaxTest(test, 'the mixer follows finite differences where the feed-forward is silent', async () => {
  const names = ['decay_raw', 'attn_gate', 'tcam_proj.weight', 'out_proj.weight', 'norm.weight', 'norm.bias'];
  const attention = ['q', 'k', 'v'].map((part) => `sparse_attn.${part}_proj.weight`);
  const keys = [...names, ...attention].map((name) => `blocks.0.tcam.${name}`);
  await follows(SMOOTH, HARD, rows, keys, 'blocks.0.ffn.up.weight');
});

jaxTest(test, 'the loss on firing rates moves them towards the target', async () => {
  const losses: LossWeights = { ...HARD, rate: 100, targetRate: 0.05 };
  const { slots, weights, at } = await lossOf(SMOOTH, losses, rows);
  const plain = await lossOf(SMOOTH, HARD, rows);
  const excess = (w: Float32Array): number => at(w).loss - plain.at(w).loss;
  const before = excess(weights);
  assert.ok(before > 0.1, `${before}`);
  const [all, some] = [at(weights), plain.at(weights)];
  const slope = all.gradients.map((g, i) => g - some.gradients[i]);
  const squares = slope.reduce((sum, g) => sum + g * g, 0);
  const moved = weights.map((w, i) => w - ((0.3 * before) / squares) * slope[i]);
  const after = excess(moved);
  assert.ok(after < 0.9 * before, `a step against the gradient takes it from ${before} to ${after}`);
  for (const [key, learns] of [['blocks.0.ffn.up.weight', true], ['output_head.output_proj.weight', false]] as const) {
    const { at: from, size } = slots.find((slot) => slot.key === key) as { at: number; size: number };
    assert.is(slope.subarray(from, from + size).some((g) => Math.abs(g) > 1e-6), learns, key);
  }
});

test.run();
