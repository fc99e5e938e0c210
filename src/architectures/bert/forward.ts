/**
 * The forward pass of a dense BERT, top to bottom, over the tokens of several texts one after the other. Every thread runs this
 * function over the same memory; a barrier stands where all must have finished before any goes on.
 *
 *   x = LayerNorm(word[id] + position[p] + segment[s])
 *   per layer   q, k, v = Wq·x + bq, Wk·x + bk, Wv·x + bv                                                item 2l
 *               a = softmax(q·kᵀ / √headDim) · v, every token sees all of its own text                  item 2l + 1
 *               x = LayerNorm(x + Wo·a + bo)
 *               x = LayerNorm(x + Wdown · gelu(Wup·x + bup) + bdown)
 *
 * An item is run for one chunk of tokens after the other, so that a host is never kept waiting for a whole text. Nothing but
 * attention looks at more than one token, and attention at no other text: a text gives the same bits alone and among others, on
 * any number of threads.
 * @module
 */
import { alignUp } from '../../bytes/align.ts';
import { ROW_GROUP } from '../../description/layout.ts';
import { PREFILL_BATCH } from '../../description/plan.ts';
import { matmul, quantize, readRow, strideOf } from '../../forward/matmul.ts';
import { firstRow, firstUnit, type Program, type ThreadContext } from '../../threads/context.ts';
import type { MakeProgram } from '../../threads/worker.ts';
import type { Ptr } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import type { Matrix } from '../../wasm/weights.ts';
import type { BertDescription } from './description.ts';
import { type BertBuffers, bertBuffers, type BertScratch, type BertShape, CHUNK } from './state.ts';
import type { BertWeights } from './weights.ts';

/** What every thread makes its model from; plain data that can be sent to a thread. */
export interface BertRecipe {
  readonly kind: 'bert';
  readonly d: BertDescription;
  readonly w: BertWeights;
}

/** All that a pass reads. */
export interface Bert {
  readonly k: Kernels;
  readonly d: BertDescription;
  readonly w: BertWeights;
  readonly memory: WebAssembly.Memory;
}

/** The program of a thread. */
export const program: MakeProgram = (recipe, { kernels, memory, words }) => {
  const { d, w } = recipe as BertRecipe;
  return bertProgram({ k: kernels, d, w, memory }, words);
};

/**
 * The program of a thread: runs one item for one chunk of tokens.
 *
 *   0 where the buffers begin │ 1 threads there are buffers for │ 2 tokens │ 3 texts │ 4 longest text │ 5 hidden states are kept
 *   6 squares of the lengths, where attention is kept │ 7 item │ 8 first token of the chunk
 */
export function bertProgram(m: Bert, words: Int32Array): Program {
  return (thread) => {
    const [base, threads, tokens, texts, longest, hidden, squares, item, from] = words;
    const shape = { tokens, texts, longest, hidden: hidden === 1, squares };
    const buffers = bertBuffers(m.d, base >>> 0, shape, threads);
    new Pass(m, buffers, shape, thread, from).run(item);
  };
}

/** Writes down what `bertProgram` reads. */
export function describeRun(words: Int32Array, base: Ptr, threads: number, shape: BertShape): void {
  const { tokens, texts, longest, hidden, squares } = shape;
  words.set([base, threads, tokens, texts, longest, Number(hidden), squares]);
}

/** Writes down the item to run next. */
export function describeItem(words: Int32Array, item: number, from: number): void {
  words.set([item, from], 7);
}

/** Vectors that meet matrices at a time: all of a chunk where they need no quantised copies. */
function batchOf(inputs: readonly Matrix[]): number {
  return inputs.every(({ layout }) => layout === 'f32' || layout === 'f16' || layout === 'bf16')
    ? CHUNK
    : PREFILL_BATCH;
}

/** One chunk of tokens on one thread. */
class Pass {
  readonly #m: Bert;
  readonly #b: BertBuffers;
  readonly #shape: BertShape;
  readonly #thread: ThreadContext;
  readonly #own: BertScratch;
  /** First token of the chunk, and how many it has. */
  readonly #from: number;
  readonly #n: number;
  /** This thread's tokens of the chunk, for what is done token by token. */
  readonly #t0: number;
  readonly #t1: number;

  constructor(m: Bert, b: BertBuffers, shape: BertShape, thread: ThreadContext, from: number) {
    this.#m = m;
    this.#b = b;
    this.#shape = shape;
    this.#thread = thread;
    this.#own = b.threads[thread.index];
    this.#from = from;
    this.#n = Math.min(CHUNK, shape.tokens - from);
    this.#t0 = firstUnit(this.#n, thread.index, thread.count);
    this.#t1 = firstUnit(this.#n, thread.index + 1, thread.count);
  }

  run(item: number): void {
    const l = item >> 1;
    if (item & 1) return this.#outward(l);
    if (l === 0) this.#embed();
    this.#inward(l);
  }

  /** x = LayerNorm(word + position + segment) */
  #embed(): void {
    const { k, d, w, memory } = this.#m;
    const b = this.#b;
    const [ids, types, places] = [b.ids, b.types, b.places].map((at) =>
      new Int32Array(memory.buffer, at, this.#shape.tokens)
    );
    for (let t = this.#t0; t < this.#t1; t++) {
      const [x, part] = [this.#row(b.x, t), b.projected + t * strideOf(d.width) * 4];
      readRow(k, w.words, ids[this.#from + t], x);
      readRow(k, w.positions, places[this.#from + t], part);
      k.add_f32(x, part, d.width);
      if (w.segments) {
        readRow(k, w.segments, types[this.#from + t], part);
        k.add_f32(x, part, d.width);
      }
      k.layer_norm_f32(x, w.norm, w.normBias, x, d.width, d.normEps);
      this.#keep(0, t, x);
    }
    this.#thread.barrier();
  }

  /** Queries, keys and values; queries are divided by √headDim already. */
  #inward(l: number): void {
    const { k, d, w } = this.#m;
    const b = this.#b;
    const layer = w.layers[l];
    const x = this.#row(b.x, 0);
    this.#products(layer.inputs.qkv, x, [
      [layer.q, layer.bias.q, this.#row(b.q, 0)],
      [layer.k, layer.bias.k, this.#row(b.k, 0)],
      [layer.v, layer.bias.v, this.#row(b.v, 0)],
    ]);
    const [r0, r1] = this.#rows(layer.q);
    const scale = 1 / Math.sqrt(d.headDim);
    for (let t = 0; t < this.#n && r1 > r0; t++) k.scale_f32(this.#row(b.q, t) + r0 * 4, scale, r1 - r0);
    this.#thread.barrier();
  }

  /** Attention and what follows it, until the next layer. */
  #outward(l: number): void {
    const { k, d, w } = this.#m;
    const b = this.#b;
    const layer = w.layers[l];
    this.#attend(l);
    this.#thread.barrier();
    this.#add(layer.o, layer.inputs.o, layer.bias.o, b.att, layer.attnNorm, layer.attnNormBias);

    this.#products(layer.inputs.up, this.#row(b.x, 0), [[layer.up, layer.bias.up, b.hidden]]);
    const [h0, h1] = this.#rows(layer.up);
    for (let t = 0; t < this.#n && h1 > h0; t++) k.gelu_f32(b.hidden + (t * strideOf(d.hidden) + h0) * 4, h1 - h0);
    this.#thread.barrier();
    this.#add(layer.down, layer.inputs.down, layer.bias.down, b.hidden, layer.outputNorm, layer.outputNormBias);
    for (let t = this.#t0; t < this.#t1; t++) this.#keep(l + 1, t, this.#row(b.x, t));
  }

  /** x = LayerNorm(x + W·input + bias) */
  #add(matrix: Matrix, only: readonly Matrix[], bias: Ptr, input: Ptr, norm: Ptr, normBias: Ptr): void {
    const { k, d } = this.#m;
    const b = this.#b;
    this.#products(only, input, [[matrix, bias, b.projected]]);
    this.#thread.barrier();
    for (let t = this.#t0; t < this.#t1; t++) {
      const x = this.#row(b.x, t);
      k.add_f32(x, b.projected + t * strideOf(d.width) * 4, d.width);
      k.layer_norm_f32(x, norm, normBias, x, d.width, d.normEps);
    }
    this.#thread.barrier();
  }

  /** to[t] = W·x[t] + bias for the tokens of the chunk, this thread's rows. @param inputs the matrices, which read the same */
  #products(inputs: readonly Matrix[], x: Ptr, each: readonly (readonly [matrix: Matrix, bias: Ptr, to: Ptr])[]): void {
    const { k } = this.#m;
    const input = strideOf(inputs[0].cols) * 4;
    const step = batchOf(inputs);
    for (let from = 0; from < this.#n; from += step) {
      const n = Math.min(step, this.#n - from);
      quantize(k, this.#own, x + from * input, n, inputs);
      for (const [matrix, bias, to] of each) {
        const output = strideOf(matrix.rows) * 4;
        matmul(k, matrix, x + from * input, this.#own, to + from * output, n, this.#thread);
        const [r0, r1] = this.#rows(matrix);
        if (bias === 0 || r1 <= r0) continue;
        for (let t = from; t < from + n; t++) k.add_f32(to + t * output + r0 * 4, bias + r0 * 4, r1 - r0);
      }
    }
  }

  /** Attention of the chunk's tokens, which may belong to several texts; heads are split between threads. */
  #attend(l: number): void {
    const { d, memory } = this.#m;
    const { heads } = d;
    const { texts, squares } = this.#shape;
    const starts = new Int32Array(memory.buffer, this.#b.starts, texts + 1);
    const h0 = firstUnit(heads, this.#thread.index, this.#thread.count);
    const h1 = firstUnit(heads, this.#thread.index + 1, this.#thread.count);
    let kept = this.#b.attention + l * heads * squares * 4;
    for (let i = 0; i < texts && starts[i] < this.#from + this.#n; i++) {
      const length = starts[i + 1] - starts[i];
      const first = Math.max(starts[i], this.#from);
      const n = Math.min(starts[i + 1], this.#from + this.#n) - first;
      for (let h = h0; n > 0 && h < h1; h++) {
        this.#head(h, starts[i], length, first, n);
        if (squares === 0) continue;
        for (let t = 0; t < n; t++) {
          const row = kept + (h * length + first - starts[i] + t) * length * 4;
          this.#m.k.copy_f32(this.#own.scores + t * alignUp(length, ROW_GROUP) * 4, row, length);
        }
      }
      kept += heads * length * length * 4;
    }
  }

  /** Head h of the n tokens from `first` on, over the whole of their text; the probabilities stay in `scores`. */
  #head(h: number, start: number, length: number, first: number, n: number): void {
    const { k, d: { width, headDim }, memory } = this.#m;
    const b = this.#b;
    const { keys, values, across, scores } = this.#own;
    const stride = strideOf(width);
    const padded = alignUp(length, ROW_GROUP);
    const row = headDim * 4;
    for (let t = 0; t < length; t++) {
      const at = ((start + t) * stride + h * headDim) * 4;
      k.copy_f32(b.k + at, keys + t * row, headDim);
      k.copy_f32(b.v + at, values + t * row, headDim);
    }
    if (padded > length) {
      const rest = (padded - length) * headDim;
      new Float32Array(memory.buffer, keys + length * row, rest).fill(0);
      new Float32Array(memory.buffer, values + length * row, rest).fill(0);
    }
    k.transpose_f32(values, padded, headDim, across, padded);
    k.f32_gemm(keys, headDim, b.q + (first * stride + h * headDim) * 4, stride, scores, padded, 0, padded, n);
    for (let t = 0; t < n; t++) k.softmax_f32(scores + t * padded * 4, length); // keys of zeros leave zeros behind them
    const to = b.att + ((first - this.#from) * stride + h * headDim) * 4;
    k.f32_gemm(across, padded, scores, padded, to, stride, 0, headDim, n);
  }

  /** Where token t of the chunk lies in a buffer of all tokens. */
  #row(buffer: Ptr, t: number): Ptr {
    return buffer + (this.#from + t) * strideOf(this.#m.d.width) * 4;
  }

  /** This thread's rows of a matrix, without padding; the second may be below the first. */
  #rows(matrix: Matrix): readonly [number, number] {
    const { index, count } = this.#thread;
    const end = firstRow(matrix.paddedRows, index + 1, count);
    return [firstRow(matrix.paddedRows, index, count), Math.min(matrix.rows, end)];
  }

  /** The stream of token t of the chunk behind `layer`, where hidden states are kept. */
  #keep(layer: number, t: number, x: Ptr): void {
    const { hidden, tokens } = this.#shape;
    const { width } = this.#m.d;
    if (hidden) this.#m.k.copy_f32(x, this.#b.states + ((layer * tokens + this.#from + t) * width) * 4, width);
  }
}
