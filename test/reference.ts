/**
 * The plain implementation of every kernel: readable, in f64 or with `Math.fround` where a kernel rounds to f32, and
 * sharing no code with assembly/. Where a kernel promises equality the order of additions is the same; where it
 * promises a bound the reference is the f64 truth.
 * @module
 */
const fround = Math.fround;

// ---- float formats ----

/** Value of f16 bits; NaN without its payload. */
export function f16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** Value of bf16 bits. */
export function bf16(bits: number): number {
  return new Float32Array(new Uint32Array([bits << 16]).buffer)[0];
}

/** Nearest integer, ties to even. */
export function roundEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/** Nearest integer, halves away from zero: C's `roundf`. */
export function roundAway(x: number): number {
  return Math.sign(x) * Math.floor(Math.abs(x) + 0.5);
}

/** Bits of the f16 nearest to a number that is not NaN, ties to even; finite values saturate to ±65504. */
export function f16Bits(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const a = Math.abs(x);
  if (a === Infinity) return sign | 0x7c00;
  let exponent = -14;
  while (exponent < 15 && a >= 2 ** (exponent + 1)) exponent++;
  const units = Math.min(roundEven(a / 2 ** (exponent - 10)), exponent === 15 ? 2047 : 2048);
  // 2048 units are 1024 of the next exponent, which the sum below gives by itself
  return sign | (a < 2 ** -14 ? units : (exponent + 14) * 1024 + units);
}

// ---- functions ----

/** erf in f64, from the series of e^(x²) · erf(x): all its terms are positive. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  let term = a;
  let sum = a;
  for (let n = 1; term > sum * 1e-18; n++) sum += term *= (2 * a * a) / (2 * n + 1);
  return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-a * a) * sum;
}
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
export const silu = (x: number): number => x / (1 + Math.exp(-x));
export const gelu = (x: number): number => (x / 2) * (1 + erf(x * Math.SQRT1_2));
export const geluTanh = (x: number): number =>
  (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
export const relu2 = (x: number): number => (Number.isNaN(x) ? NaN : fround(Math.max(x, 0) ** 2));
export const add = (y: number, x: number): number => fround(y + x);
export const mul = (y: number, x: number): number => fround(y * x);

/** Sum of f(i) as the kernels order it: four f64 threads, then (l0 + l2) + (l1 + l3). */
function laneSum(n: number, f: (i: number) => number): number {
  const thread = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) thread[i % 4] += f(i);
  return thread[0] + thread[2] + (thread[1] + thread[3]);
}
const inverseRoot = (v: number): number => (v === 0 ? 0 : 1 / Math.sqrt(v));

export function rmsNorm(x: Float32Array, weight: Float32Array | null, eps: number): Float32Array {
  const inv = fround(inverseRoot(laneSum(x.length, (i) => x[i] * x[i]) / x.length + fround(eps)));
  return x.map((v, i) => (weight ? fround(fround(v * inv) * weight[i]) : fround(v * inv)));
}

export function layerNorm(x: Float32Array, weight: Float32Array, bias: Float32Array | null, eps: number): Float32Array {
  const mean = laneSum(x.length, (i) => x[i]) / x.length;
  const inv = inverseRoot(laneSum(x.length, (i) => (x[i] - mean) * (x[i] - mean)) / x.length + fround(eps));
  return x.map((v, i) => {
    const y = fround(fround((v - mean) * inv) * weight[i]);
    return bias ? fround(y + bias[i]) : y;
  });
}

/** f64 softmax of differences rounded to f32; a row of −∞ only gives zeros. */
export function softmax(x: ArrayLike<number>): number[] {
  const top = Array.from(x).reduce((a, b) => Math.max(a, b), -Infinity);
  if (top === -Infinity) return Array.from(x, () => 0);
  const e = Array.from(x, (v) => Math.exp(fround(v - top)));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / sum);
}

export function notFinite(x: ArrayLike<number>): number {
  return Array.from(x).findIndex((v) => !Number.isFinite(v));
}

// ---- file blocks ----

/** What unpacking gives: the answer of the kernel, codes in column order, scale bits. */
export interface Unpacked {
  result: number;
  codes: number[];
  scales: number[];
}

/** Reads blocks of `bytes` bytes, scale at `scaleAt`, until a bad one; `code(block, i)` is weight i. */
function unpack(
  src: Uint8Array,
  bytes: number,
  elements: number,
  scaleAt: number,
  most: number,
  code: (block: Uint8Array, i: number) => number,
): Unpacked {
  const out: Unpacked = { result: -1, codes: [], scales: [] };
  for (let b = 0; (b + 1) * bytes <= src.length; b++) {
    const block = src.subarray(b * bytes, (b + 1) * bytes);
    if (scaleAt >= 0) {
      const d = block[scaleAt] | (block[scaleAt + 1] << 8);
      if (!Number.isFinite(f16(d))) return { ...out, result: b };
      out.scales.push(d);
    }
    const codes = Array.from({ length: elements }, (_, i) => code(block, i));
    if (codes.some((c) => c > most)) return { ...out, result: -2 - b };
    out.codes.push(...codes);
  }
  return out;
}

/** Digit `l` of a byte that stands for byte / 256 in base 3. */
const digit = (byte: number, l: number): number => Math.floor((((byte * 3 ** l) % 256) * 3) / 256);
/** Byte and digit of weight i in a TQ1_0 block. */
function tq1Place(i: number): [byte: number, l: number] {
  if (i < 160) return [i % 32, Math.floor(i / 32)];
  if (i < 240) return [32 + ((i - 160) % 16), Math.floor((i - 160) / 16)];
  return [48 + ((i - 240) % 4), Math.floor((i - 240) / 4)];
}
/** Byte and bit of weight i in a TQ2_0 block. */
function tq2Place(i: number): [byte: number, bit: number] {
  return [Math.floor(i / 128) * 32 + (i % 32), 2 * (Math.floor(i / 32) % 4)];
}

export function unpackTq1(src: Uint8Array): Unpacked {
  return unpack(src, 54, 256, 52, 2, (block, i) => {
    const [byte, l] = tq1Place(i);
    return digit(block[byte], l);
  });
}
export function unpackTq2(src: Uint8Array): Unpacked {
  return unpack(src, 66, 256, 64, 2, (block, i) => {
    const [byte, bit] = tq2Place(i);
    return (block[byte] >> bit) & 3;
  });
}
export function unpackQ2(src: Uint8Array, group: number): Unpacked {
  return unpack(src, 2 + group / 4, group, 0, 3, (block, i) => (block[2 + (i >> 2)] >> (2 * (i % 4))) & 3);
}
export function unpackQ1(src: Uint8Array): Unpacked {
  return unpack(src, 18, 128, 0, 1, (block, i) => (block[2 + (i >> 3)] >> (i % 8)) & 1);
}
export function unpackI2s(src: Uint8Array): Unpacked {
  return unpack(src, 32, 128, -1, 2, (block, i) => (block[i % 32] >> (6 - 2 * Math.floor(i / 32))) & 3);
}
/** Codes are int8. */
export function unpackQ8(src: Uint8Array): Unpacked {
  return unpack(src, 34, 32, 0, 127, (block, i) => (block[2 + i] << 24) >> 24);
}

/** Writes blocks, or stops before the first that has no finite f16 scale. */
function encode(
  x: Float32Array,
  elements: number,
  bytes: number,
  scaleAt: number,
  divisor: number,
  write: (block: Uint8Array, q: (i: number) => number) => void,
): { result: number; bytes: Uint8Array } {
  const out = new Uint8Array((x.length / elements) * bytes);
  for (let b = 0; b < x.length / elements; b++) {
    const row = x.subarray(b * elements, (b + 1) * elements);
    const d = fround(row.reduce((m, v) => (Number.isNaN(v) ? NaN : Math.max(m, Math.abs(v))), 0) / divisor);
    if (!(d < 65520)) return { result: b, bytes: out };
    const id = d === 0 || fround(1 / d) === Infinity ? 0 : fround(1 / d);
    const block = out.subarray(b * bytes, (b + 1) * bytes);
    const bits = f16Bits(d);
    block[scaleAt] = bits & 255;
    block[scaleAt + 1] = bits >> 8;
    write(block, (i) => roundAway(fround(row[i] * id)));
  }
  return { result: -1, bytes: out };
}

export function encodeQ8(x: Float32Array): { result: number; bytes: Uint8Array } {
  return encode(x, 32, 34, 0, 127, (block, q) => {
    for (let i = 0; i < 32; i++) block[2 + i] = q(i);
  });
}
export function encodeTq2(x: Float32Array): { result: number; bytes: Uint8Array } {
  return encode(x, 256, 66, 64, 1, (block, q) => {
    for (let i = 0; i < 256; i++) {
      const [byte, bit] = tq2Place(i);
      block[byte] |= (q(i) + 1) << bit;
    }
  });
}
export function encodeTq1(x: Float32Array): { result: number; bytes: Uint8Array } {
  return encode(x, 256, 54, 52, 1, (block, q) => {
    const digits = new Array<number>(52).fill(0);
    for (let i = 0; i < 256; i++) {
      const [byte, l] = tq1Place(i);
      digits[byte] += (q(i) + 1) * 3 ** (4 - l);
    }
    for (let k = 0; k < 52; k++) block[k] = Math.ceil((digits[k] * 256) / 243);
  });
}

// ---- selection ----

export function argmax(x: ArrayLike<number>): number {
  let best = -1;
  for (let i = 0; i < x.length; i++) {
    if (Number.isNaN(x[i])) return -2;
    if (x[i] > (best < 0 ? -Infinity : x[best])) best = i;
  }
  return best;
}

/** Indices of the k largest, descending, ties by lower index, without −∞ and NaN. */
export function topK(x: ArrayLike<number>, k: number): number[] {
  return Array.from(x, (v, i) => ({ v, i }))
    .filter(({ v }) => v > -Infinity)
    .sort((a, b) => b.v - a.v || a.i - b.i)
    .slice(0, k)
    .map(({ i }) => i);
}

/** f64 weights e^((x − top) · inverse); the difference and the product are rounded to f32 as the kernel does. */
export function expWeights(x: ArrayLike<number>, top: number, inverse: number): number[] {
  return Array.from(x, (v) => Math.exp(fround(fround(v - top) * fround(inverse))));
}

/** Σ y·(shift − x) over y ≥ least, and `other` for each of the rest. */
export function entropySum(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  shift: number,
  least: number,
  other: number,
): number {
  return Array.from(x).reduce((sum, v, i) => sum + (y[i] >= fround(least) ? y[i] * (fround(shift) - v) : other), 0);
}

/** First i whose running sum of the given weights is over `target`, else the last of non-zero weight, else −1. */
export function draw(weights: ArrayLike<number>, target: number): number {
  let sum = 0;
  let last = -1;
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i];
    if (weights[i] > 0) last = i;
    if (weights[i] > 0 && sum > target) return i;
  }
  return last;
}
