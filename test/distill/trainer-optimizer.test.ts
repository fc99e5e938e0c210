/** AdamW and the norm of gradients, against the formulas in f64. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { adamw, squareSum } from '../../src/distill/optimizer.ts';
import { uniforms } from './student.ts';

const test = suite('distill: optimizer');
const ADAM = { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, weightDecay: 0.1 };

test('ten updates agree with the paper', () => {
  const n = 17;
  const w = uniforms(1, n);
  const m = new Float32Array(n);
  const v = new Float32Array(n);
  const ref = { w: Float64Array.from(w), m: new Float64Array(n), v: new Float64Array(n) };
  for (let t = 1; t <= 10; t++) {
    const g = uniforms(100 + t, n);
    const [scale, lr] = [0.5, 0.01 / t];
    adamw(w, g, m, v, 3, n, scale, lr, ADAM.weightDecay, t, ADAM);
    for (let i = 3; i < n; i++) {
      ref.m[i] = 0.9 * ref.m[i] + 0.1 * g[i] * scale;
      ref.v[i] = 0.98 * ref.v[i] + 0.02 * (g[i] * scale) ** 2;
      const step = ref.m[i] / (1 - 0.9 ** t) / (Math.sqrt(ref.v[i] / (1 - 0.98 ** t)) + 1e-8);
      ref.w[i] -= lr * (step + 0.1 * ref.w[i]);
    }
  }
  const first = uniforms(1, n);
  for (let i = 0; i < n; i++) {
    if (i < 3) assert.is(w[i], first[i], 'what lies before the range stays');
    else assert.ok(Math.abs(w[i] - ref.w[i]) < 2e-6, `${i}: ${w[i]}, expected ${ref.w[i]}`);
  }
});

test('moments do not become subnormal', () => {
  const w = new Float32Array(1);
  const m = Float32Array.of(1e-37);
  const v = Float32Array.of(1e-37);
  for (let t = 1; t < 40; t++) adamw(w, new Float32Array(1), m, v, 0, 1, 1, 1e-3, 0, t, ADAM);
  assert.equal([m[0], v[0]], [0, 0]);
});

test('squares are summed over a range', () => {
  assert.is(squareSum(Float32Array.of(9, 3, 0, -4, 9), 1, 4), 25);
  assert.ok(Number.isNaN(squareSum(Float32Array.of(1, NaN), 0, 2)));
});

test.run();
