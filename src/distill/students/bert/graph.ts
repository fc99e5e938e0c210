/**
 * A dense BERT, forward and backward by hand. Finite differences hold the gradients to the formulas
 * (`test/distill/finetune.test.ts`).
 *
 *   x = drop(LN(embedding));   per layer   q, k, v = W·x + b;   c = softmax(q·k/√d)·v
 *   a = LN(drop(Wo·c + bo) + x);   f = gelu(Wi·a + bi);   x ← LN(drop(Wd·f + bd) + a)
 * @module
 */
import type { BERT_MATRICES } from '../../../architectures/bert/description.ts';
import type { Ptr } from '../../../wasm/arena.ts';
import type { Training } from '../../train-kernels.ts';
import type { Places } from '../../slots.ts';
import { type DenseBert, EMBEDDING_NORM, matrixName, matrixShape, normName } from './config.ts';
import { drop } from './dropout.ts';

/** Texts of one length. */
export interface DenseShape {
  readonly texts: number;
  readonly length: number;
}

/** How a pass is made. */
export interface DensePassOptions {
  readonly dropout: number;
  readonly seed: number;
}

/** A normalisation's place in a pass. */
interface Normed {
  readonly z: Ptr;
  readonly inverse: Ptr;
}

/** States of a layer, (tokens, features). */
interface Layer {
  readonly x: Ptr;
  readonly q: Ptr;
  readonly k: Ptr;
  readonly v: Ptr;
  readonly probs: Ptr;
  readonly context: Ptr;
  readonly attended: Ptr;
  readonly up: Ptr;
  readonly inner: Ptr;
  readonly attnNorm: Normed;
  readonly outputNorm: Normed;
}

/** A pass, until the arena is released. */
export interface DensePass extends DenseShape {
  readonly options: DensePassOptions;
  readonly embedding: Normed;
  readonly layers: readonly Layer[];
  /** The stream after the last layer. */
  readonly last: Ptr;
}

export class DenseGraph {
  readonly #t: Training;
  readonly #m: DenseBert;

  constructor(training: Training, model: DenseBert) {
    this.#t = training;
    this.#m = model;
  }

  /** @param sums of the tables for every token, (tokens, width); they are written over */
  forward(at: Places, { texts, length }: DenseShape, sums: Ptr, options: DensePassOptions): DensePass {
    const { k, arena } = this.#t;
    const m = this.#m;
    const { width, hidden, heads } = m;
    const n = texts * length;
    const dim = width / heads;
    const rows = (cols: number): Ptr => arena.alloc(n * cols * 4, 'a state');
    const scratch = arena.alloc(k.gemm_scratch(Math.max(width, hidden)), 'scratch');
    const cells = texts * heads * length * length * 4;
    const scores = arena.alloc(cells, 'scores');
    const linear = (layer: number, matrix: keyof typeof BERT_MATRICES, x: Ptr): Ptr => {
      const [to, cols] = matrixShape(m, matrix);
      const name = matrixName(layer, matrix);
      const y = rows(to);
      k.gemm(x, cols, 1, at(`${name}.weight`), 1, cols, y, to, n, to, cols, 0, scratch);
      k.add_bias(y, at(`${name}.bias`), n, to);
      return y;
    };
    const norm = (u: Ptr, name: string): Normed & { readonly out: Ptr } => {
      const inverse = arena.alloc(n * 4, 'norm');
      const out = rows(width);
      k.norm(u, at(`${name}.weight`), at(`${name}.bias`), 0, m.normEps, n, width, inverse, out);
      return { z: u, inverse, out };
    };
    /** y with dropout, plus the residual. */
    const add = (y: Ptr, residual: Ptr, site: number): void => {
      this.#drop(y, n, options, site);
      k.add_scaled(y, residual, 1, n * width);
    };

    const { out: first, ...embedding } = norm(sums, EMBEDDING_NORM);
    this.#drop(first, n, options, 0);
    let x = first;
    const layers: Layer[] = [];
    for (let layer = 0; layer < m.layers; layer++) {
      const [q, key, v] = (['q', 'k', 'v'] as const).map((matrix) => linear(layer, matrix, x));
      const probs = arena.alloc(cells, 'scores');
      const context = rows(width);
      k.attention(q, key, v, texts, length, heads, dim, 1 / Math.sqrt(dim), scores, probs, context);
      const o = linear(layer, 'o', context);
      add(o, x, siteOf(layer, 0));
      const { out: attended, ...attnNorm } = norm(o, normName(layer, 'attnNorm'));
      const up = linear(layer, 'up', attended);
      const inner = rows(hidden);
      k.gelu(up, 0, 0, n, hidden, inner);
      const down = linear(layer, 'down', inner);
      add(down, attended, siteOf(layer, 1));
      const { out, ...outputNorm } = norm(down, normName(layer, 'outputNorm'));
      layers.push({ x, q, k: key, v, probs, context, attended, up, inner, attnNorm, outputNorm });
      x = out;
    }
    return { texts, length, options, embedding, layers, last: x };
  }

  /**
   * Gradients of all tensors are added to those at `to`.
   * @param dlast what the loss asks of the last stream, (tokens, width); it becomes what is asked of the sums of the tables
   */
  backward(at: Places, to: Places, pass: DensePass, dlast: Ptr): void {
    const { k, arena } = this.#t;
    const m = this.#m;
    const { width, hidden, heads } = m;
    const { texts, length, options } = pass;
    const n = texts * length;
    const dim = width / heads;
    const rows = (cols: number): Ptr => arena.alloc(n * cols * 4, 'a gradient');
    const scratch = arena.alloc(k.gemm_scratch(Math.max(width, hidden)), 'scratch');
    const silent = arena.alloc(texts * heads * length * length * 4, 'scores');
    const [dq, dk, dv, dy, dcontext, dattended] = Array.from({ length: 6 }, () => rows(width));
    const dinner = rows(hidden);
    const zero = (p: Ptr, cols: number): void => void arena.f32(p, n * cols).fill(0);
    const copy = (from: Ptr, into: Ptr): void => arena.f32(into, n * width).set(arena.f32(from, n * width));
    /** dy of W·x + b: gradients of W and b; dx is added to. */
    const linearBack = (layer: number, matrix: keyof typeof BERT_MATRICES, x: Ptr, dy: Ptr, dx: Ptr): void => {
      const [out, cols] = matrixShape(m, matrix);
      const name = matrixName(layer, matrix);
      k.column_sums(dy, n, out, to(`${name}.bias`));
      k.gemm(dy, 1, out, x, cols, 1, to(`${name}.weight`), cols, out, cols, n, 1, scratch);
      k.gemm(dy, out, 1, at(`${name}.weight`), cols, 1, dx, cols, n, cols, out, 1, scratch);
    };
    const normBack = (name: string, { z, inverse }: Normed, grad: Ptr): void =>
      k.norm_back(z, at(`${name}.weight`), inverse, n, width, grad, to(`${name}.weight`), to(`${name}.bias`), 0);

    for (let layer = m.layers - 1; layer >= 0; layer--) {
      const e = pass.layers[layer];
      // feed-forward: dlast is of its norm's output, then of the sum under it
      normBack(normName(layer, 'outputNorm'), e.outputNorm, dlast);
      copy(dlast, dattended);
      copy(dlast, dy);
      this.#drop(dy, n, options, siteOf(layer, 1));
      zero(dinner, hidden);
      linearBack(layer, 'down', e.inner, dy, dinner);
      k.gelu_back(e.up, 0, 0, n, hidden, dinner, 0, 0);
      linearBack(layer, 'up', e.attended, dinner, dattended);

      // attention
      normBack(normName(layer, 'attnNorm'), e.attnNorm, dattended);
      copy(dattended, dlast);
      copy(dattended, dy);
      this.#drop(dy, n, options, siteOf(layer, 0));
      zero(dcontext, width);
      linearBack(layer, 'o', e.context, dy, dcontext);
      const scale = 1 / Math.sqrt(dim);
      k.attention_back(e.q, e.k, e.v, e.probs, texts, length, heads, dim, scale, dcontext, silent, dq, dk, dv);
      linearBack(layer, 'q', e.x, dq, dlast);
      linearBack(layer, 'k', e.x, dk, dlast);
      linearBack(layer, 'v', e.x, dv, dlast);
    }
    this.#drop(dlast, n, options, 0);
    normBack(EMBEDDING_NORM, pass.embedding, dlast);
  }

  #drop(x: Ptr, n: number, { dropout, seed }: DensePassOptions, site: number): void {
    drop(this.#t.arena.f32(x, n * this.#m.width), dropout, seed, site);
  }
}

/** Places of dropout: 0 after the embedding, then two of each layer. */
function siteOf(layer: number, part: 0 | 1): number {
  return 1 + 2 * layer + part;
}
