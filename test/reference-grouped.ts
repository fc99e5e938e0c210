/**
 * Grouped weight types column by column, as ggml's headers lay them out, and their products with quantised vectors.
 * @module
 */
import { f16 } from './reference.ts';
import type { Quantised } from './reference-matrix.ts';

const f = Math.fround;

/** One block: w[c] = d · scale[c] · (code[c] − zero) − min · minimum[c]. */
export interface GroupedBlock {
  readonly d: number;
  readonly min: number;
  readonly scale: readonly number[];
  readonly minimum: readonly number[];
  readonly code: readonly number[];
}

export interface GroupedType {
  readonly name: string;
  readonly id: number;
  readonly elements: number;
  readonly bytes: number;
  readonly bits: 4 | 8;
  readonly groups: boolean;
  readonly minima: boolean;
  readonly zero: number;
  /** Where f16 numbers are. */
  readonly halves: readonly number[];
  block(b: Uint8Array): GroupedBlock;
}

const half = (b: Uint8Array, at: number): number => f16(b[at] | (b[at + 1] << 8));
const nibble = (b: Uint8Array, at: number, high: number): number => (high ? b[at] >> 4 : b[at] & 15);
const columns = (n: number, of: (c: number) => number): number[] => Array.from({ length: n }, (_, c) => of(c));
const ones = (n: number, value = 1): number[] => columns(n, () => value);

/** The scale or minimum j of eight, 6 bits each (ggml's get_scale_min_k4). */
function sixBits(q: Uint8Array, j: number): [number, number] {
  if (j < 4) return [q[j] & 63, q[j + 4] & 63];
  return [(q[j + 4] & 15) | ((q[j - 4] >> 6) << 4), (q[j + 4] >> 4) | ((q[j] >> 6) << 4)];
}

function legacy(
  name: string,
  id: number,
  bytes: number,
  qs: number,
  zero: number,
  fifths: number | null = null,
): GroupedType {
  const minima = zero === 0;
  return {
    name,
    id,
    elements: 32,
    bytes,
    bits: fifths === null ? 4 : 8,
    groups: false,
    minima,
    zero,
    halves: minima ? [0, 2] : [0],
    block: (b) => ({
      d: half(b, 0),
      min: minima ? -half(b, 2) : 0,
      scale: ones(32),
      minimum: ones(32, minima ? 1 : 0),
      code: columns(
        32,
        (c) => nibble(b, qs + (c & 15), c >> 4) + (fifths === null ? 0 : 16 * ((b[fifths + (c >> 3)] >> (c & 7)) & 1)),
      ),
    }),
  };
}

/** Every type that becomes unsigned codes in groups. */
export const GROUPED_TYPES: readonly GroupedType[] = [
  legacy('Q4_0', 2, 18, 2, 8),
  legacy('Q4_1', 3, 20, 4, 0),
  legacy('Q5_1', 7, 24, 8, 0, 4),
  {
    ...{
      name: 'Q2_K',
      id: 10,
      elements: 256,
      bytes: 84,
      bits: 8,
      groups: true,
      minima: true,
      zero: 0,
      halves: [80, 82],
    },
    block: (b) => ({
      d: half(b, 80),
      min: half(b, 82),
      scale: columns(256, (c) => b[c >> 4] & 15),
      minimum: columns(256, (c) => b[c >> 4] >> 4),
      code: columns(256, (c) => (b[16 + 32 * (c >> 7) + (c & 31)] >> (2 * ((c >> 5) & 3))) & 3),
    }),
  },
  {
    ...{
      name: 'Q3_K',
      id: 11,
      elements: 256,
      bytes: 110,
      bits: 8,
      groups: true,
      minima: false,
      zero: 4,
      halves: [108],
    },
    block: (b) => ({
      d: half(b, 108),
      min: 0,
      scale: columns(256, (c) => {
        const g = c >> 4;
        const low = g < 8 ? b[96 + g] & 15 : b[96 + g - 8] >> 4;
        return (low | (((b[104 + (g & 3)] >> (2 * (g >> 2))) & 3) << 4)) - 32;
      }),
      minimum: ones(256, 0),
      code: columns(
        256,
        (c) => ((b[32 + 32 * (c >> 7) + (c & 31)] >> (2 * ((c >> 5) & 3))) & 3) + 4 * ((b[c & 31] >> (c >> 5)) & 1),
      ),
    }),
  },
  {
    ...{
      name: 'Q4_K',
      id: 12,
      elements: 256,
      bytes: 144,
      bits: 4,
      groups: true,
      minima: true,
      zero: 0,
      halves: [0, 2],
    },
    block: (b) => ({
      d: half(b, 0),
      min: half(b, 2),
      scale: columns(256, (c) => sixBits(b.subarray(4), c >> 5)[0]),
      minimum: columns(256, (c) => sixBits(b.subarray(4), c >> 5)[1]),
      code: columns(256, (c) => nibble(b, 16 + 32 * (c >> 6) + (c & 31), (c >> 5) & 1)),
    }),
  },
  {
    ...{
      name: 'Q5_K',
      id: 13,
      elements: 256,
      bytes: 176,
      bits: 8,
      groups: true,
      minima: true,
      zero: 0,
      halves: [0, 2],
    },
    block: (b) => ({
      d: half(b, 0),
      min: half(b, 2),
      scale: columns(256, (c) => sixBits(b.subarray(4), c >> 5)[0]),
      minimum: columns(256, (c) => sixBits(b.subarray(4), c >> 5)[1]),
      code: columns(
        256,
        (c) => nibble(b, 48 + 32 * (c >> 6) + (c & 31), (c >> 5) & 1) + 16 * ((b[16 + (c & 31)] >> (c >> 5)) & 1),
      ),
    }),
  },
  {
    ...{
      name: 'Q6_K',
      id: 14,
      elements: 256,
      bytes: 210,
      bits: 8,
      groups: true,
      minima: false,
      zero: 32,
      halves: [208],
    },
    block: (b) => ({
      d: half(b, 208),
      min: 0,
      scale: columns(256, (c) => (b[192 + (c >> 4)] << 24) >> 24),
      minimum: ones(256, 0),
      code: columns(
        256,
        (c) =>
          nibble(b, 64 * (c >> 7) + (c & 63), (c >> 6) & 1) |
          (((b[128 + 32 * (c >> 7) + (c & 31)] >> (2 * ((c >> 5) & 3))) & 3) << 4),
      ),
    }),
  },
];

/** The weights of a block, rounded to f32 as gguf's Python package rounds them. */
export function groupedWeights(
  { d, min, scale, minimum, code }: GroupedBlock,
  { zero, minima }: GroupedType,
): Float32Array {
  return Float32Array.from(code, (q, c) => {
    const product = f(f(d * scale[c]) * (q - zero));
    return minima ? f(product - f(min * minimum[c])) : product;
  });
}

/** y[r] = Σ_b (d·s) · Σ scale · (code − zero) · q − (min·s) · Σ minimum · q: integers within a block, f32 from there on. */
export function groupedGemv(
  rows: readonly GroupedBlock[][],
  { zero, minima }: GroupedType,
  x: Quantised,
): Float32Array {
  return Float32Array.from(rows, (blocks) => {
    let y = 0;
    blocks.forEach(({ d, min, scale, minimum, code }, b) => {
      let sum = 0;
      let taken = 0;
      code.forEach((q, c) => {
        sum += scale[c] * (q - zero) * x.q[b * code.length + c];
        taken += minimum[c] * x.q[b * code.length + c];
      });
      const s = x.scales[b];
      y = f(y + f(f(sum) * f(d * s)));
      if (minima) y = f(y - f(f(taken) * f(min * s)));
    });
    return y;
  });
}

/** Q4_0 by ggml's quantize_row_q4_0_ref. */
export function encodeQ4(x: Float32Array, halfBits: (v: number) => number): Uint8Array {
  const bytes = new Uint8Array((x.length / 32) * 18);
  for (let b = 0; b * 32 < x.length; b++) {
    const part = x.subarray(b * 32, b * 32 + 32);
    let most = part[0];
    for (const v of part) if (Math.abs(v) > Math.abs(most)) most = v;
    const d = f(most / -8);
    const id = d === 0 ? 0 : f(1 / d);
    const bits = halfBits(d);
    bytes[b * 18] = bits & 255;
    bytes[b * 18 + 1] = bits >> 8;
    const code = (v: number): number => Math.min(15, Math.trunc(f(f(v * id) + 8.5)));
    for (let i = 0; i < 16; i++) bytes[b * 18 + 2 + i] = code(part[i]) | (code(part[i + 16]) << 4);
  }
  return bytes;
}
