/**
 * Plain implementations of the matrix kernels: rows × vectors, quantisation of activations, attention, rotation. They work
 * on codes and values in row order, know nothing of packing, and share no code with assembly/.
 * @module
 */
import { f16, f16Bits, roundEven } from './reference.ts';

const f = Math.fround;

/** A vector of integers with one scale for every `span` elements. */
export interface Quantised {
  readonly q: Int32Array;
  readonly scales: Float32Array;
  readonly span: number;
}

/** q = round(x · top / absmax), s = absmax / top, for every `span` elements; under 1e-30 a span counts as zero. */
export function quantizeAbsmax(x: Float32Array, span: number, top: number = 127): Quantised {
  const q = new Int32Array(x.length);
  const scales = new Float32Array(Math.ceil(x.length / span));
  for (let b = 0; b < scales.length; b++) {
    const part = x.subarray(b * span, (b + 1) * span);
    let max = 0;
    for (const v of part) max = Number.isNaN(v) || Number.isNaN(max) ? NaN : Math.max(max, Math.abs(v));
    scales[b] = f(max / top);
    const inverse = max >= f(1e-30) ? f(top / max) : 0;
    part.forEach((v, i) => {
      const scaled = roundEven(f(v * inverse));
      q[b * span + i] = Number.isNaN(scaled) ? 0 : Math.max(-top, Math.min(top, scaled));
    });
  }
  return { q, scales, span };
}

/** A matrix of small integers with a scale for every `block` columns of a row. */
export interface Blocks {
  readonly rows: number;
  readonly cols: number;
  /** (rows, cols) integers that the scale multiplies. */
  readonly values: ArrayLike<number>;
  readonly block: number;
  /** (rows, ⌈cols / block⌉), already f32. */
  readonly scales: ArrayLike<number>;
}

/** y[r] = Σ_b (scale[r,b] · s[b]) · (Σ_{c in b} value · q), f32 from the integer sum on, block after block. */
export function blockGemv(m: Blocks, x: Quantised): Float32Array {
  const blocks = Math.ceil(m.cols / m.block);
  const y = new Float32Array(m.rows);
  for (let r = 0; r < m.rows; r++) {
    let out = 0;
    for (let b = 0; b < blocks; b++) {
      let sum = 0;
      for (let c = b * m.block; c < Math.min(m.cols, (b + 1) * m.block); c++) sum += m.values[r * m.cols + c] * x.q[c];
      const scale = f(m.scales[r * blocks + b] * x.scales[Math.floor((b * m.block) / x.span)]);
      out = f(out + f(f(sum) * scale));
    }
    y[r] = out;
  }
  return y;
}

/** y[r] of int8 rows and f32 activations: blocks of 32, eight columns at a time in four partial sums. One scale per row
 *  (`perRow`) is applied once at the end, others block by block. */
export function int8Exact(m: Blocks, x: Float32Array, perRow: boolean): Float32Array {
  const blocks = Math.ceil(m.cols / 32);
  const product = (r: number, c: number): number => (c < m.cols ? f(m.values[r * m.cols + c] * x[c]) : 0);
  return Float32Array.from({ length: m.rows }, (_, r) => {
    let out = 0;
    for (let b = 0; b < blocks; b++) {
      const part = [0, 0, 0, 0];
      for (let c = b * 32; c < b * 32 + 32; c += 8) {
        for (let l = 0; l < 4; l++) part[l] = f(part[l] + f(product(r, c + l) + product(r, c + 4 + l)));
      }
      const sum = f(f(part[0] + part[2]) + f(part[1] + part[3]));
      out = f(out + (perRow ? sum : f(m.scales[r * blocks + b] * sum)));
    }
    return perRow ? f(out * m.scales[r]) : out;
  });
}

/** y[r] = Σ_c w[r,c] · x[c]: four partial sums by c mod 4, added as (0 + 2) + (1 + 3). */
export function denseGemv(w: ArrayLike<number>, rows: number, cols: number, x: Float32Array): Float32Array {
  return Float32Array.from({ length: rows }, (_, r) => {
    const part = [0, 0, 0, 0];
    for (let c = 0; c < cols; c++) part[c % 4] = f(part[c % 4] + f(w[r * cols + c] * x[c]));
    return f(f(part[0] + part[2]) + f(part[1] + part[3]));
  });
}

/** softmax(scale · K q) V in f64. k, v are (count, q.length). With `half`, q and the probabilities are rounded to f16. */
export function attention(
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  v: ArrayLike<number>,
  count: number,
  scale: number,
  half: boolean,
): Float64Array {
  const dim = q.length;
  const rounded = (x: number): number => (half ? f16(f16Bits(x)) : x);
  const scores = Array.from({ length: count }, (_, j) => {
    let dot = 0;
    for (let i = 0; i < dim; i++) dot += rounded(q[i]) * k[j * dim + i];
    return dot * scale;
  });
  const max = Math.max(...scores);
  const powers = scores.map((s) => Math.exp(s - max));
  const total = powers.reduce((a, b) => a + b, 0);
  const out = new Float64Array(dim);
  powers.forEach((p, j) => {
    for (let i = 0; i < dim; i++) out[i] += rounded(p / total) * v[j * dim + i];
  });
  return out;
}

/** Rotates pairs (x[2i], x[2i+1]), or (x[i], x[half+i]) when halved, by angles with the given cosines and sines. */
export function rope(x: Float32Array, cos: ArrayLike<number>, sin: ArrayLike<number>, halved: boolean): Float32Array {
  const out = x.slice();
  for (let i = 0; i < cos.length; i++) {
    const [p, q] = halved ? [i, cos.length + i] : [2 * i, 2 * i + 1];
    out[p] = f(f(x[p] * cos[i]) - f(x[q] * sin[i]));
    out[q] = f(f(x[p] * sin[i]) + f(x[q] * cos[i]));
  }
  return out;
}
