/**
 * The forward pass of Gemma 3 once more, plain and in f64: whole sequences, no cache, no ring, no batches. It shares no code
 * with src/ and is written from the paper and transformers.
 * @module
 */

/** The numbers of a model, under names of their own. */
export interface Gemma3Shape {
  readonly layers: number;
  readonly width: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocab: number;
  readonly eps: number;
  readonly theta: number;
  readonly localTheta: number;
  /** Positions of global layers are divided by this. */
  readonly linear: number;
  readonly window: number;
  /** One layer in so many is global. */
  readonly period: number;
}

type Vector = Float64Array;

/** Logits behind every id. @param tensors matrices row-major (rows, cols) */
export function gemma3Logits(s: Gemma3Shape, tensors: ReadonlyMap<string, Vector>, ids: readonly number[]): Vector[] {
  const get = (name: string): Vector => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`the reference has no tensor ${name}`);
    return tensor;
  };
  const { width, headDim } = s;
  let stream = ids.map((id) =>
    get('token_embd.weight').slice(id * width, (id + 1) * width).map((v) => v * Math.sqrt(width))
  );
  for (let l = 0; l < s.layers; l++) {
    const of = (name: string): Vector => get(`blk.${l}.${name}.weight`);
    const global = (l + 1) % s.period === 0;
    const heads = (x: Vector, norm: Vector | null, pos: number): Vector[] =>
      Array.from({ length: x.length / headDim }, (_, h) => {
        const part = x.slice(h * headDim, (h + 1) * headDim);
        if (!norm) return part;
        return rotate(rmsNorm(part, norm, s.eps), global ? pos / s.linear : pos, global ? s.theta : s.localTheta);
      });
    const a = stream.map((x) => rmsNorm(x, of('attn_norm'), s.eps));
    const q = a.map((x, pos) => heads(matvec(of('attn_q'), x), of('attn_q_norm'), pos));
    const k = a.map((x, pos) => heads(matvec(of('attn_k'), x), of('attn_k_norm'), pos));
    const v = a.map((x, pos) => heads(matvec(of('attn_v'), x), null, pos));
    stream = stream.map((x, pos) => {
      const out = new Float64Array(s.heads * headDim);
      for (let h = 0; h < s.heads; h++) {
        const g = Math.floor((h * s.kvHeads) / s.heads);
        let total = 0;
        const sum = new Float64Array(headDim);
        for (let j = 0; j <= pos; j++) {
          if (!global && pos - j >= s.window) continue;
          const power = Math.exp(dot(q[pos][h], k[j][g]) / Math.sqrt(headDim));
          total += power;
          for (let i = 0; i < headDim; i++) sum[i] += power * v[j][g][i];
        }
        out.set(sum.map((value) => value / total), h * headDim);
      }
      const o = rmsNorm(matvec(of('attn_output'), out), of('post_attention_norm'), s.eps);
      return x.map((value, i) => value + o[i]);
    });
    stream = stream.map((x) => {
      const f = rmsNorm(x, of('ffn_norm'), s.eps);
      const up = matvec(of('ffn_up'), f);
      const inner = matvec(of('ffn_gate'), f).map((value, i) => geluTanh(value) * up[i]);
      const down = rmsNorm(matvec(of('ffn_down'), inner), of('post_ffw_norm'), s.eps);
      return x.map((value, i) => value + down[i]);
    });
  }
  const head = get(tensors.has('output.weight') ? 'output.weight' : 'token_embd.weight');
  return stream.map((x) => matvec(head, rmsNorm(x, get('output_norm.weight'), s.eps)));
}

function geluTanh(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

function dot(a: Vector, b: Vector): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

function matvec(matrix: Vector, x: Vector): Vector {
  const cols = x.length;
  return Float64Array.from(
    { length: matrix.length / cols },
    (_, r) => dot(matrix.subarray(r * cols, (r + 1) * cols), x),
  );
}

function rmsNorm(x: Vector, weight: Vector, eps: number): Vector {
  const root = Math.sqrt(dot(x, x) / x.length + eps);
  return x.map((value, i) => (value / root) * weight[i]);
}

function rotate(head: Vector, pos: number, theta: number): Vector {
  const half = head.length / 2;
  const out = head.slice();
  for (let i = 0; i < half; i++) {
    const angle = pos * theta ** (-i / half);
    out[i] = head[i] * Math.cos(angle) - head[i + half] * Math.sin(angle);
    out[i + half] = head[i] * Math.sin(angle) + head[i + half] * Math.cos(angle);
  }
  return out;
}
