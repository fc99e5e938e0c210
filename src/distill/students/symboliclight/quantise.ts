/**
 * Weights as an exported file will hold them: rounded to ternary, binary or int8 with the scales that `convert` writes
 * (`wasm/convert-symboliclight.ts`), and back to f32 as the engine reads them. Gradients pass through unchanged.
 *
 *   ternary       γ = f16(mean|w|) of the tensor,   w ≈ γ · clamp(round(w / γ), −1, 1)              arXiv 2402.17764
 *   ternaryRows   γ = f16(mean|w|) of the row,      the same
 *   binary        β = f16(mean|w|) of the tensor,   w ≈ β where w ≥ mean w, else −β                 arXiv 2310.11453
 *   q8            d = max|w| / 127 in 32 columns,   w ≈ f16(d) · round(w / d)                       Q8_0
 *   i8            s = max|w| / 127 of the row,      w ≈ s · round(w / s)
 * @module
 */
import type { StudentConfig } from './types.ts';

/** How a tensor is stored. */
export type Stored = 'f32' | 'ternary' | 'ternaryRows' | 'binary' | 'q8' | 'i8';

const TERNARY_BLOCK = 256;
const BINARY_BLOCK = 128;
const INT8_BLOCK = 32;

/** What becomes of the tensor `key` in an exported student. */
export function storedAs(
  key: string,
  shape: readonly number[],
  { quantisation, tables }: Pick<StudentConfig, 'quantisation' | 'tables'>,
): Stored {
  if (shape.length < 2 || !(key.startsWith('blocks.') || key.startsWith('output_head.') || key.includes('embedding'))) {
    return 'f32';
  }
  const cols = shape[1];
  if (key.startsWith('blocks.')) {
    if (quantisation === 'none') return 'f32';
    return cols % (quantisation === 'ternary' ? TERNARY_BLOCK : BINARY_BLOCK) === 0 ? quantisation : 'i8';
  }
  if (tables === 'none') return 'f32';
  if (tables === 'ternary') return cols % TERNARY_BLOCK === 0 ? 'ternaryRows' : 'i8';
  return cols % INT8_BLOCK === 0 ? 'q8' : 'i8';
}

const f32 = new Float32Array(1);
const bits = new Uint32Array(f32.buffer);

/** x rounded to f16 by way of f32, halves to even. @param x finite, |x| < 65520 */
export function roundHalf(x: number): number {
  f32[0] = x;
  const size = Math.abs(f32[0]);
  if (size < 2 ** -14) return roundEven(f32[0] * 2 ** 24) / 2 ** 24;
  bits[0] += 0xfff + ((bits[0] >>> 13) & 1);
  bits[0] &= ~0x1fff;
  return f32[0];
}

/** To the nearest integer, halves to even. @param x |x| < 2⁵¹ */
export function roundEven(x: number): number {
  return x + 1.5 * 2 ** 52 - 1.5 * 2 ** 52;
}

/** To the nearest integer, halves away from zero, as ggml rounds. */
function roundAway(x: number): number {
  return x < 0 ? -Math.floor(0.5 - x) : Math.floor(x + 0.5);
}

/** Writes the stored form of `w` (rows of `cols`) to `out`, as f32. */
export function quantise(stored: Stored, w: Float32Array, cols: number, out: Float32Array): void {
  switch (stored) {
    case 'f32':
      out.set(w);
      return;
    case 'ternary':
      return ternary(w, out);
    case 'ternaryRows':
      for (let at = 0; at < w.length; at += cols) ternary(w.subarray(at, at + cols), out.subarray(at, at + cols));
      return;
    case 'binary':
      return binary(w, out);
    case 'q8':
      return int8Blocks(w, out);
    case 'i8':
      return int8Rows(w, cols, out);
  }
}

function ternary(w: Float32Array, out: Float32Array): void {
  let size = 0;
  for (let i = 0; i < w.length; i++) size += Math.abs(w[i]);
  const scale = roundHalf(size / w.length);
  if (scale === 0) {
    out.fill(0);
    return;
  }
  // round(w / γ) is ±1 beyond γ/2, whose own half goes to the even 0: w·halves is then over 1 and cut to a whole number,
  // of which the sign counts. Signs of weights are as good as random, so that branches would cost more than all the rest.
  const halves = (2 / scale) * (1 - 2 ** -40);
  for (let i = 0; i < w.length; i++) {
    const cut = (w[i] * halves) | 0;
    out[i] = ((cut >> 31) | (-cut >>> 31)) * scale;
  }
}

function binary(w: Float32Array, out: Float32Array): void {
  let sum = 0;
  let size = 0;
  for (let i = 0; i < w.length; i++) {
    sum += w[i];
    size += Math.abs(w[i]);
  }
  const mean = sum / w.length;
  const scale = roundHalf(size / w.length);
  for (let i = 0; i < w.length; i++) out[i] = w[i] >= mean ? scale : -scale;
}

function int8Blocks(w: Float32Array, out: Float32Array): void {
  for (let at = 0; at < w.length; at += INT8_BLOCK) {
    let top = 0;
    for (let i = at; i < at + INT8_BLOCK; i++) top = Math.max(top, Math.abs(w[i]));
    const step = Math.fround(top / 127);
    const inverse = step === 0 ? 0 : Math.fround(1 / step);
    const scale = roundHalf(step);
    const turns = Number.isFinite(inverse) ? inverse : 0;
    for (let i = at; i < at + INT8_BLOCK; i++) out[i] = scale * roundAway(Math.fround(w[i] * turns));
  }
}

function int8Rows(w: Float32Array, cols: number, out: Float32Array): void {
  for (let at = 0; at < w.length; at += cols) {
    let top = 0;
    for (let i = at; i < at + cols; i++) top = Math.max(top, Math.abs(w[i]));
    const scale = Math.fround(top / 127);
    for (let i = at; i < at + cols; i++) out[i] = scale === 0 ? 0 : scale * roundEven(w[i] / scale);
  }
}
