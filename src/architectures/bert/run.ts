/**
 * Texts that run through a BERT together: memory for them, their pass item by item, and what may be read of it.
 * @module
 */
import type { Pace } from '../../bytes/pace.ts';
import { SessionError } from '../../errors.ts';
import { strideOf } from '../../forward/matmul.ts';
import type { Executor } from '../../threads/executor.ts';
import type { Arena, Ptr } from '../../wasm/arena.ts';
import { type Bert, describeItem, describeRun } from './forward.ts';
import { runHead } from './head.ts';
import type { BertInput } from './input.ts';
import { type BertBuffers, bertBuffers, bertRunBytes, type BertShape, CHUNK } from './state.ts';

/** What is kept besides the last states. */
export interface Kept {
  readonly hidden: boolean;
  readonly attention: boolean;
  /** Whether pooler and classifier run. */
  readonly head: boolean;
}

/** The shape of a run of texts of these lengths. */
export function shapeOf(
  lengths: readonly number[],
  { hidden, attention }: Pick<Kept, 'hidden' | 'attention'>,
): BertShape {
  return {
    tokens: lengths.reduce((a, b) => a + b, 0),
    texts: lengths.length,
    longest: Math.max(...lengths),
    hidden,
    squares: attention ? lengths.reduce((a, b) => a + b * b, 0) : 0,
  };
}

/** Finished texts. Views are valid until the next allocation. */
export class BertRun {
  readonly shape: BertShape;
  readonly #m: Bert;
  readonly #b: BertBuffers;
  readonly #starts: readonly number[];

  private constructor(m: Bert, b: BertBuffers, shape: BertShape, starts: readonly number[]) {
    this.#m = m;
    this.#b = b;
    this.shape = shape;
    this.#starts = starts;
  }

  /**
   * Runs texts and hands them to `use`; their memory is given back afterwards.
   * @param alive throws once the model is disposed of
   * @throws {MemoryError}; {SessionError} `NOT_FINITE` with the layer that made a NaN or infinity; the signal's reason
   */
  static async of<T>(
    m: Bert,
    arena: Arena,
    executor: Executor,
    inputs: readonly BertInput[],
    kept: Kept,
    pace: Pace,
    alive: () => void,
    use: (run: BertRun) => T,
  ): Promise<T> {
    const shape = shapeOf(inputs.map(({ ids }) => ids.length), kept);
    const { size, words } = executor;
    const mark = arena.mark();
    try {
      const base = arena.alloc(bertRunBytes(m.d, shape, size), 'the texts');
      const b = bertBuffers(m.d, base, shape, size);
      const starts = place(arena, b, inputs);
      const run = new BertRun(m, b, shape, starts);
      for (let blame = 0; blame < 2; blame++) {
        describeRun(words, base, size, shape);
        for (let item = 0; item < 2 * m.d.layers; item++) {
          for (let from = 0; from < shape.tokens; from += CHUNK) {
            await pace.breathe();
            alive();
            describeItem(words, item, from);
            await executor.run([words]);
          }
          if (blame === 1 && !run.#finite()) throw notFinite(item === 0 ? 'the embedding' : `layer ${item >> 1}`);
        }
        if (run.#finite()) break;
      }
      if (kept.head) run.#head(starts);
      return use(run);
    } finally {
      arena.release(mark);
    }
  }

  /** The states of token t of text i. */
  state(i: number, t: number): Float32Array {
    return this.#view(this.#b.x + (this.#starts[i] + t) * strideOf(this.#m.d.width) * 4, this.#m.d.width);
  }

  /** A copy of the states of text i behind a layer, 0 for the embedding. */
  hidden(i: number, layer: number): Float32Array {
    const { width } = this.#m.d;
    const { tokens } = this.shape;
    const [start, end] = [this.#starts[i], this.#starts[i + 1]];
    return this.#view(this.#b.states + (layer * tokens + start) * width * 4, (end - start) * width).slice();
  }

  /** A copy of the attention of text i in a layer. */
  attention(i: number, layer: number): Float32Array {
    const { heads } = this.#m.d;
    const square = (j: number): number => (this.#starts[j + 1] - this.#starts[j]) ** 2;
    let before = layer * this.shape.squares;
    for (let j = 0; j < i; j++) before += square(j);
    return this.#view(this.#b.attention + before * heads * 4, heads * square(i)).slice();
  }

  /** A copy of the pooler's output for text i. */
  pooled(i: number): Float32Array | null {
    const { d, w } = this.#m;
    return w.pooler && this.#view(this.#b.pooled + i * strideOf(d.width) * 4, d.width).slice();
  }

  /** A copy of the classifier's output for text i. */
  logits(i: number): Float32Array | null {
    const { d, w } = this.#m;
    return w.classifier && this.#view(this.#b.logits + i * strideOf(d.classes) * 4, d.classes).slice();
  }

  #head(starts: readonly number[]): void {
    const { k, d } = this.#m;
    const stride = strideOf(d.width) * 4;
    for (let i = 0; i < this.shape.texts; i++) {
      k.copy_f32(this.#b.x + starts[i] * stride, this.#b.cls + i * stride, d.width);
    }
    runHead(this.#m, this.#b, this.shape.texts);
    for (let i = 0; i < this.shape.texts; i++) {
      if (!(this.logits(i) ?? this.pooled(i))?.every(Number.isFinite)) throw notFinite('the classifier');
    }
  }

  #finite(): boolean {
    return this.#m.k.not_finite_f32(this.#b.x, strideOf(this.#m.d.width) * this.shape.tokens) < 0;
  }

  #view(at: Ptr, n: number): Float32Array {
    return new Float32Array(this.#m.memory.buffer, at, n);
  }
}

/** Writes the texts down. @returns the first token of each, and the end */
function place(arena: Arena, b: BertBuffers, inputs: readonly BertInput[]): number[] {
  const starts = [0];
  for (const [i, { ids, typeIds }] of inputs.entries()) {
    const start = starts[i];
    starts.push(start + ids.length);
    arena.i32(b.ids + start * 4, ids.length).set(ids);
    arena.i32(b.types + start * 4, ids.length).set(typeIds);
    arena.i32(b.places + start * 4, ids.length).forEach((_, t, places) => (places[t] = t));
  }
  arena.i32(b.starts, starts.length).set(starts);
  return starts;
}

function notFinite(what: string): SessionError {
  return new SessionError('NOT_FINITE', `${what} made a NaN or infinity; the weights are damaged or overflow f32`);
}
