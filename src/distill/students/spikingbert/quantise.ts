/**
 * Latent rows as codes times a scale that is learnt: gradients pass through the codes unchanged.
 *
 *   ternary   code = sign w where |w| > ½ mean |w| of the row, else 0      absmean (arXiv 2402.17764) with a scale of its own
 *   binary    code = sign w, + of 0                                        BWN without the mean
 *
 *   weight = scale · code;   d scale = Σ dweight · code,   d latent = scale · dweight
 * @module
 */
import { roundEven } from '../../../convert/quantise.ts';
import type { StudentWeights } from './config.ts';

/** Codes of a matrix → out. */
export function codesOf(
  weights: Exclude<StudentWeights, 'none'>,
  latent: Float32Array,
  cols: number,
  out: Int8Array,
): void {
  for (let from = 0; from < latent.length; from += cols) {
    const end = from + cols;
    if (weights === 'binary') {
      for (let i = from; i < end; i++) out[i] = latent[i] < 0 ? -1 : 1;
      continue;
    }
    let sum = 0;
    for (let i = from; i < end; i++) sum += Math.abs(latent[i]);
    const cut = sum / (2 * cols);
    for (let i = from; i < end; i++) out[i] = latent[i] > cut ? 1 : latent[i] < -cut ? -1 : 0;
  }
}

/** Rounded weights of a matrix → out. */
export function roundRows(
  weights: Exclude<StudentWeights, 'none'>,
  latent: Float32Array,
  scales: Float32Array,
  cols: number,
  out: Float32Array,
): void {
  for (let row = 0, from = 0; from < latent.length; row++, from += cols) {
    const end = from + cols;
    const scale = scales[row];
    if (weights === 'binary') {
      for (let i = from; i < end; i++) out[i] = latent[i] < 0 ? -scale : scale;
      continue;
    }
    let sum = 0;
    for (let i = from; i < end; i++) sum += Math.abs(latent[i]);
    const cut = sum / (2 * cols);
    for (let i = from; i < end; i++) out[i] = latent[i] > cut ? scale : latent[i] < -cut ? -scale : 0;
  }
}

/** The gradient of rounded weights, in place, becomes that of the latent ones; that of the scales → dscales. */
export function roundRowsBack(
  weights: Exclude<StudentWeights, 'none'>,
  latent: Float32Array,
  scales: Float32Array,
  cols: number,
  grad: Float32Array,
  dscales: Float32Array,
): void {
  for (let row = 0, from = 0; from < latent.length; row++, from += cols) {
    const end = from + cols;
    const scale = scales[row];
    let cut = 0;
    if (weights === 'ternary') {
      let sum = 0;
      for (let i = from; i < end; i++) sum += Math.abs(latent[i]);
      cut = sum / (2 * cols);
    }
    let along = 0;
    for (let i = from; i < end; i++) {
      const g = grad[i];
      const w = latent[i];
      if (weights === 'binary') along += w < 0 ? -g : g;
      else if (w > cut) along += g;
      else if (w < -cut) along -= g;
      grad[i] = g * scale;
    }
    dscales[row] = along;
  }
}

/** Latent rows and first scales of real weights: mean |w| of a latent row is 1, the scale fits best by squares. */
export function fitRows(
  weights: Exclude<StudentWeights, 'none'>,
  real: Float32Array,
  cols: number,
): { latent: Float32Array; scales: Float32Array } {
  const latent = new Float32Array(real.length);
  const scales = new Float32Array(real.length / cols);
  const codes = new Int8Array(real.length);
  for (let row = 0, from = 0; from < real.length; row++, from += cols) {
    let sum = 0;
    for (let i = from; i < from + cols; i++) sum += Math.abs(real[i]);
    const mean = sum / cols || 1;
    for (let i = from; i < from + cols; i++) latent[i] = real[i] / mean;
  }
  codesOf(weights, latent, cols, codes);
  for (let row = 0, from = 0; from < real.length; row++, from += cols) {
    let [along, count] = [0, 0];
    for (let i = from; i < from + cols; i++) {
      along += real[i] * codes[i];
      count += codes[i] * codes[i];
    }
    scales[row] = count > 0 ? along / count : 0;
  }
  return { latent, scales };
}

/** A table as the engine will read it from the file: by rows, with one scale each. */
export function roundTable(table: Float32Array, cols: number, kind: 'ternary' | 'int8' | 'none'): Float32Array {
  if (kind === 'none') return table;
  const out = new Float32Array(table.length);
  for (let from = 0; from < table.length; from += cols) {
    const row = table.subarray(from, from + cols);
    const scale = Math.fround(
      kind === 'int8'
        ? row.reduce((max, w) => Math.max(max, Math.abs(w)), 0) / 127
        : row.reduce((sum, w) => sum + Math.abs(w), 0) / cols,
    );
    const most = kind === 'int8' ? 127 : 1;
    for (let i = 0; i < cols; i++) {
      const code = scale > 0 ? Math.max(-most, Math.min(most, roundEven(row[i] / scale))) : 0;
      out[from + i] = Math.fround(scale * code);
    }
  }
  return out;
}
