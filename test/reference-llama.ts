/**
 * The forward pass of llama-shaped decoders once more, plain and in f64: whole matrices, whole sequences, no cache, no
 * batches. It shares no code with src/ and is written from the papers, so that both can only agree by being right.
 * @module
 */
import { erf, roundEven } from './reference.ts';

/** The numbers of a model, under names of their own: nothing here reads the engine's description. */
export interface ReferenceShape {
  readonly layers: number;
  readonly width: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocab: number;
  readonly eps: number;
  readonly theta: number;
  readonly ropeDims: number;
  readonly ropeLinear: number;
  readonly neighbours: boolean;
  readonly activation: 'silu' | 'relu2' | 'gelu';
}

/** How activations are rounded before a product: to int8 with one scale for every `span` elements; 0 for not at all. */
export type SpanOf = (tensor: string) => number;

type Vector = Float64Array;

/**
 * Logits behind every id.
 * @param tensors matrices row-major (rows, cols); a tied model has no `output.weight`
 */
export function referenceLogits(
  s: ReferenceShape,
  tensors: ReadonlyMap<string, Vector>,
  ids: readonly number[],
  spanOf: SpanOf = () => 0,
): Vector[] {
  const { heads, kvHeads, headDim, width } = s;
  const get = (name: string): Vector => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`the reference has no tensor ${name}`);
    return tensor;
  };
  const product = (name: string, x: Vector): Vector => {
    const [scale] = tensors.get(name.replace(/weight$/, 'scale')) ?? [1];
    return matvec(get(name), toInt8(x, spanOf(name))).map((value) => scale * value);
  };
  const plus = (x: Vector, name: string): Vector => {
    const bias = tensors.get(name);
    return bias ? x.map((v, i) => v + bias[i]) : x;
  };
  const normed = (x: Vector, name: string): Vector => (tensors.has(name) ? rmsNorm(x, get(name), s.eps) : x);
  const eachHead = (x: Vector, change: (head: Vector) => Vector): Vector[] =>
    Array.from({ length: x.length / headDim }, (_, h) => change(x.slice(h * headDim, (h + 1) * headDim)));

  let stream = ids.map((id) => get('token_embd.weight').slice(id * width, (id + 1) * width));
  for (let l = 0; l < s.layers; l++) {
    const at = (name: string): string => `blk.${l}.${name}`;
    const a = stream.map((x) => rmsNorm(x, get(at('attn_norm.weight')), s.eps));
    const qkv = (which: string, pos: number, turned: boolean): Vector[] => {
      const x = plus(product(at(`attn_${which}.weight`), a[pos]), at(`attn_${which}.bias`));
      return eachHead(x, (head) => {
        const row = normed(head, at(`attn_${which}_norm.weight`));
        return turned ? rotate(row, pos, s, tensors.get('rope_freqs.weight')) : row;
      });
    };
    const q = ids.map((_, pos) => qkv('q', pos, true));
    const k = ids.map((_, pos) => qkv('k', pos, true));
    const v = ids.map((_, pos) => qkv('v', pos, false));
    stream = stream.map((x, pos) => {
      const out = new Float64Array(heads * headDim);
      for (let h = 0; h < heads; h++) {
        const g = Math.floor(h / (heads / kvHeads));
        const scores = Array.from({ length: pos + 1 }, (_, j) => dot(q[pos][h], k[j][g]) / Math.sqrt(headDim));
        const top = Math.max(...scores);
        const powers = scores.map((score) => Math.exp(score - top));
        const total = powers.reduce((sum, p) => sum + p, 0);
        powers.forEach((p, j) => v[j][g].forEach((value, i) => (out[h * headDim + i] += (p / total) * value)));
      }
      const o = plus(
        product(at('attn_output.weight'), normed(out, at('attn_sub_norm.weight'))),
        at('attn_output.bias'),
      );
      return x.map((value, i) => value + o[i]);
    });
    stream = stream.map((x) => {
      const f = rmsNorm(x, get(at('ffn_norm.weight')), s.eps);
      const gate = plus(product(at('ffn_gate.weight'), f), at('ffn_gate.bias'));
      const up = plus(product(at('ffn_up.weight'), f), at('ffn_up.bias'));
      const inner = normed(gate.map((value, i) => ACTIVATIONS[s.activation](value) * up[i]), at('ffn_sub_norm.weight'));
      const down = plus(product(at('ffn_down.weight'), inner), at('ffn_down.bias'));
      return x.map((value, i) => value + down[i]);
    });
  }
  const head = tensors.has('output.weight') ? 'output.weight' : 'token_embd.weight';
  return stream.map((x) => product(head, rmsNorm(x, get('output_norm.weight'), s.eps)));
}

const ACTIVATIONS = {
  silu: (x: number): number => x / (1 + Math.exp(-x)),
  relu2: (x: number): number => Math.max(0, x) ** 2,
  gelu: (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2)),
};

function dot(a: Vector, b: Vector): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

function matvec(matrix: Vector, x: Vector): Vector {
  const cols = x.length;
  const out = new Float64Array(matrix.length / cols);
  for (let r = 0; r < out.length; r++) {
    let sum = 0;
    for (let c = 0; c < cols; c++) sum += matrix[r * cols + c] * x[c];
    out[r] = sum;
  }
  return out;
}

function rmsNorm(x: Vector, weight: Vector, eps: number): Vector {
  const root = Math.sqrt(dot(x, x) / x.length + eps);
  return x.map((value, i) => (value / root) * weight[i]);
}

function rotate(head: Vector, pos: number, s: ReferenceShape, factors: Vector | undefined): Vector {
  const out = head.slice();
  const half = s.ropeDims / 2;
  for (let i = 0; i < half; i++) {
    const angle = ((pos / s.ropeLinear) * s.theta ** ((-2 * i) / s.ropeDims)) / (factors?.[i] ?? 1);
    const [a, b] = s.neighbours ? [2 * i, 2 * i + 1] : [i, i + half];
    out[a] = head[a] * Math.cos(angle) - head[b] * Math.sin(angle);
    out[b] = head[a] * Math.sin(angle) + head[b] * Math.cos(angle);
  }
  return out;
}

/** The nearest vector of whole multiples of absmax / 127, span by span. */
function toInt8(x: Vector, span: number): Vector {
  if (span === 0) return x;
  const out = new Float64Array(x.length);
  for (let from = 0; from < x.length; from += span) {
    const part = x.subarray(from, from + span);
    const step = part.reduce((max, value) => Math.max(max, Math.abs(value)), 0) / 127;
    part.forEach((value, i) => (out[from + i] = step === 0 ? 0 : roundEven(value / step) * step));
  }
  return out;
}

/** Largest difference of two sets of rows, in units of the largest number of the second. */
export function relativeError(actual: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): number {
  let worst = 0;
  let largest = 0;
  expected.forEach((row, t) => {
    for (let i = 0; i < row.length; i++) {
      worst = Math.max(worst, Math.abs(actual[t][i] - row[i]));
      largest = Math.max(largest, Math.abs(row[i]));
      if (Number.isNaN(actual[t][i])) worst = Infinity;
    }
  });
  return worst / largest;
}
