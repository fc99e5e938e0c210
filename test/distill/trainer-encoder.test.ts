/** The student's encoder: spikes as the engine's, gradients as those of a smooth stand-in with the same resets. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encode, encodeBack } from '../../src/distill/students/symboliclight/encoder.ts';
import { surrogateDerivative } from '../../src/distill/students/symboliclight/surrogate.ts';
import type { StudentConfig } from '../../src/distill/students/symboliclight/types.ts';
import { layerNorm } from '../reference.ts';
import { lifScan } from '../reference-spikes.ts';
import { TINY, uniforms } from './student.ts';

const test = suite('distill: encoder');

const WIDTH = 12;
const CONFIG: StudentConfig = { ...TINY, vocab: 7, width: WIDTH, surrogate: 'arctan', surrogateWidth: 2 };
const [BATCH, LENGTH, STRIDE] = [2, 20, 21];
const ids = Int32Array.from({ length: BATCH * STRIDE }, (_, i) => (i * 5 + (i >> 2)) % CONFIG.vocab);
const embedding = uniforms(1, CONFIG.vocab * WIDTH);
// a large gain: the clamp at ±3 and many resets take part
const weight = uniforms(2, WIDTH).map((x) => 1.2 + x);
const bias = uniforms(3, WIDTH).map((x) => 0.2 * x);

test('stream and spikes are those of the kernels', () => {
  const { stream, spikes } = encode(CONFIG, embedding, weight, bias, ids, BATCH, LENGTH, STRIDE);
  let fired = 0;
  for (let b = 0; b < BATCH; b++) {
    const rows = Array.from({ length: LENGTH }, (_, t) => {
      const id = ids[b * STRIDE + t];
      return Float32Array.from(layerNorm(embedding.subarray(id * WIDTH, (id + 1) * WIDTH), weight, bias, 1e-5));
    });
    const expected = lifScan(rows, new Float32Array(WIDTH), { leak: CONFIG.leak, theta: CONFIG.threshold, limit: 3 });
    for (let t = 0; t < LENGTH; t++) {
      const at = (b * LENGTH + t) * WIDTH;
      assert.equal([...stream.subarray(at, at + WIDTH)], [...rows[t]]);
      assert.equal([...spikes.subarray(at, at + WIDTH)], expected[t]);
      fired += expected[t].reduce((x, y) => x + y, 0);
    }
  }
  assert.ok(fired > 20 && fired < spikes.length / 2, `${fired} spikes of ${spikes.length}`);
});

/** Σ gStream·stream + Σ gSpikes·s, where s moves with u by the slope that it has at the weights `embedding`, and where
 *  resets, clamps and the reach of the memory stay what they are there. In f64. */
function standIn(
  config: StudentConfig,
  e: ArrayLike<number>,
  w: ArrayLike<number>,
  b: ArrayLike<number>,
  gStream: Float32Array,
  gSpikes: Float32Array,
): number {
  const fixed = encode(config, embedding, weight, bias, ids, BATCH, LENGTH, STRIDE);
  let sum = 0;
  for (let row = 0; row < BATCH; row++) {
    const c = Array.from({ length: LENGTH }, (_, t) => {
      const x = Array.from({ length: WIDTH }, (_, i) => e[ids[row * STRIDE + t] * WIDTH + i]);
      const mean = x.reduce((p, q) => p + q, 0) / WIDTH;
      const inverse = 1 / Math.sqrt(x.reduce((p, q) => p + (q - mean) ** 2, 0) / WIDTH + 1e-5);
      return x.map((value, i) => (value - mean) * inverse * w[i] + b[i]);
    });
    for (let t = 0; t < LENGTH; t++) {
      for (let i = 0; i < WIDTH; i++) {
        const at = (k: number): number => (row * LENGTH + k) * WIDTH + i;
        sum += gStream[at(t)] * c[t][i];
        const held = Math.max(-3, Math.min(3, fixed.potential[at(t)]));
        const slope = surrogateDerivative(config.surrogate, config.surrogateWidth, held - config.threshold);
        let u = 0;
        for (let k = t; k >= 0 && k > t - config.truncation; k--) {
          if (Math.abs(fixed.potential[at(k)]) > 3 || (k < t && fixed.spikes[at(k)] === 1)) break;
          u += config.leak ** (t - k) * c[k][i];
        }
        sum += gSpikes[at(t)] * slope * u;
      }
    }
  }
  return sum;
}

for (const truncation of [1, 4, 64]) {
  test(`gradients are those of the stand-in, over ${truncation} tokens`, () => {
    const config = { ...CONFIG, truncation };
    const encoded = encode(config, embedding, weight, bias, ids, BATCH, LENGTH, STRIDE);
    assert.ok(encoded.potential.some((u) => Math.abs(u) > 3), 'the clamp takes part');
    const gStream = uniforms(5, encoded.stream.length);
    const gSpikes = uniforms(6, encoded.stream.length);
    const to = {
      embedding: new Float32Array(embedding.length),
      weight: new Float32Array(WIDTH),
      bias: new Float32Array(WIDTH),
    };
    encodeBack(
      config,
      embedding,
      weight,
      ids,
      BATCH,
      LENGTH,
      STRIDE,
      encoded,
      gStream.slice(),
      gSpikes,
      to,
    );
    const values = [Float64Array.from(embedding), Float64Array.from(weight), Float64Array.from(bias)] as const;
    [to.embedding, to.weight, to.bias].forEach((gradient, n) => {
      for (let i = 0; i < gradient.length; i++) {
        const moved = (by: number): number => {
          const changed = values.map((value) => value.slice());
          changed[n][i] += by;
          return standIn(config, changed[0], changed[1], changed[2], gStream, gSpikes);
        };
        const expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert.ok(
          Math.abs(gradient[i] - expected) < 1e-3 * (1 + Math.abs(expected)),
          `tensor ${n}, element ${i}: ${gradient[i]}, expected ${expected}`,
        );
      }
    });
  });
}

test('surrogates are derivatives of steps: their area is 1', () => {
  for (const kind of ['arctan', 'sigmoid', 'triangle'] as const) {
    for (const k of [0.5, 1, 4]) {
      let area = 0;
      for (let x = -2000; x < 2000; x += 0.01) area += surrogateDerivative(kind, k, x) * 0.01;
      assert.ok(Math.abs(area - 1) < 2e-3, `${kind} of width ${k}: ${area}`);
      assert.is(surrogateDerivative(kind, k, 0.3), surrogateDerivative(kind, k, -0.3));
    }
    assert.ok(surrogateDerivative(kind, 2, 0) > surrogateDerivative(kind, 2, 0.5), kind);
  }
});

test.run();
