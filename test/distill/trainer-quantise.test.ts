/** Weights as an exported file holds them, against the formulas of the formats. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { quantise, roundEven, roundHalf, storedAs } from '../../src/distill/students/symboliclight/quantise.ts';
import { encodeQ8, f16, f16Bits, roundEven as referenceEven, unpackQ8 } from '../reference.ts';
import { TINY, uniforms } from './student.ts';

const test = suite('distill: weights as stored');

const stored = (as: Parameters<typeof quantise>[0], w: Float32Array, cols: number): Float32Array => {
  const out = new Float32Array(w.length).fill(NaN);
  quantise(as, w, cols, out);
  return out;
};
/** Mean size of the weights, as f16. */
const scaleOf = (w: Float32Array): number => f16(f16Bits(w.reduce((sum, x) => sum + Math.abs(x), 0) / w.length));

test('f16 rounds to nearest, halves to even, subnormals included', () => {
  for (let bits = 0; bits < 0x7c00; bits += 7) {
    const at = f16(bits);
    const next = f16(bits + 1);
    for (const x of [at, at + (next - at) / 2, at + (next - at) * 0.49, at + (next - at) * 0.51]) {
      const near = Math.fround(x);
      assert.is(roundHalf(near), f16(f16Bits(near)), `${near}`);
      assert.is(roundHalf(-near), -f16(f16Bits(near)), `${-near}`);
    }
  }
  for (const x of [0.5, 1.5, 2.5, -0.5, -1.5, 0.49999, 126.5]) {
    assert.ok(Object.is(roundEven(x) + 0, referenceEven(x) + 0), `${x}`);
  }
});

test('ternary is γ · clamp(round(w / γ)) with γ of f16, at its edges too', () => {
  const w = uniforms(1, 1024);
  // the mean must not move: pairs that keep the sum of sizes
  const scale = scaleOf(w);
  w.set([scale / 2, -scale / 2, scale * 1.5, -scale * 1.5, 0, -0, Math.fround(scale / 2 + 2 ** -24), 40 * scale]);
  const used = scaleOf(w);
  const expected = w.map((x) => Math.max(-1, Math.min(1, referenceEven(x / used))) * used);
  stored('ternary', w, 256).forEach((x, i) => assert.is(x + 0, expected[i] + 0, `weight ${i}: ${w[i]} at ${used}`));
  const flat = new Float32Array(256).fill(0.5);
  assert.equal([...new Set(stored('ternary', flat, 256))], [0.5]);
  assert.equal([...new Set(stored('ternary', new Float32Array(256), 256))], [0]);
  // the half of a scale goes to the even neighbour, which is 0
  const halves = Float32Array.of(1, 1, 1, 1, 0.5, -0.5, 2.5, 1);
  assert.is(scaleOf(halves), 1.0625);
  const edge = Float32Array.of(1.5, 0.5, 1, 1, 1, 1);
  assert.is(scaleOf(edge), 1);
  assert.equal([...stored('ternary', edge, 6)], [1, 0, 1, 1, 1, 1]);
});

test('rows of ternary tables have scales of their own', () => {
  const w = uniforms(7, 768).map((x, i) => x * 4 ** Math.floor(i / 256));
  const rows = [0, 256, 512].map((at) => stored('ternary', w.slice(at, at + 256), 256));
  assert.equal([...stored('ternaryRows', w, 256)], rows.flatMap((row) => [...row]));
  assert.is.not(scaleOf(w.slice(0, 256)), scaleOf(w));
});

test('binary is ±β around the mean', () => {
  const w = uniforms(2, 512).map((x) => x + 0.3);
  const mean = w.reduce((a, b) => a + b, 0) / w.length;
  const beta = scaleOf(w);
  assert.equal([...stored('binary', w, 128)], [...w.map((x) => (x >= mean ? beta : -beta))]);
});

test('q8 is what Q8_0 holds', () => {
  const w = uniforms(3, 256).map((x, i) => (i < 32 ? 0 : i < 64 ? x * 1e-7 : x));
  const { bytes } = encodeQ8(w);
  const { codes, scales } = unpackQ8(bytes);
  stored('q8', w, 64).forEach((x, i) => assert.is(x + 0, Math.fround(codes[i] * f16(scales[i >> 5])) + 0, `${i}`));
});

test('i8 has one f32 scale for each row', () => {
  const w = uniforms(4, 120).map((x, i) => (i < 40 ? 0 : x));
  stored('i8', w, 40).forEach((x, i) => {
    const row = w.subarray(i - (i % 40), i - (i % 40) + 40);
    const scale = Math.fround(Math.max(...row.map(Math.abs)) / 127);
    assert.is(x + 0, scale === 0 ? 0 : Math.fround(scale * referenceEven(w[i] / scale)) + 0, `${i}`);
  });
});

test('tensors are stored as the exporter stores them', () => {
  const as = (key: string, shape: number[], change: Partial<typeof TINY> = {}): string =>
    storedAs(key, shape, { ...TINY, ...change });
  const up = 'blocks.0.ffn.up.weight';
  assert.is(as(up, [256, 256]), 'ternary');
  assert.is(as(up, [256, 256], { quantisation: 'binary' }), 'binary');
  assert.is(as(up, [256, 256], { quantisation: 'none' }), 'f32');
  assert.is(as('blocks.0.tcam.norm.weight', [256]), 'f32');
  assert.is(as('blocks.0.tcam.decay_raw', [4]), 'f32');
  assert.is(as('output_head.output_proj.weight', [32, 256]), 'q8');
  assert.is(as('output_head.output_proj.weight', [32, 256], { tables: 'ternary' }), 'ternaryRows');
  assert.is(as('output_head.prior_net.2.weight', [32, 64], { tables: 'ternary' }), 'i8');
  assert.is(as('spike_encoder.frontend.text_embedding.weight', [32, 256], { tables: 'none' }), 'f32');
  assert.is(as('projection.0', [64, 256]), 'f32');
});

test.run();
