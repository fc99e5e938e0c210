/**
 * A BERT as its callers see it: ids in; the vectors of all tokens, one vector for a text, or a class out. One text is run at a time.
 * @module
 */
import { Pace } from '../../bytes/pace.ts';
import { OptionError, SessionError, TokenizerError } from '../../errors.ts';
import type { Classification, Classifier, ClassifyInput, ClassifyOptions } from '../../forward/classifier.ts';
import type { Embedder, EmbedOptions, Pooling } from '../../forward/embedder.ts';
import { matmul, quantize, strideOf } from '../../forward/matmul.ts';
import { SOLO } from '../../threads/context.ts';
import type { Executor } from '../../threads/executor.ts';
import { encodeSegments } from '../../tokenizer/bert-pair.ts';
import type { Tokenizer } from '../../tokenizer/tokenizer.ts';
import type { Arena, Ptr } from '../../wasm/arena.ts';
import type { Matrix } from '../../wasm/weights.ts';
import { type Bert, bertProgram } from './forward.ts';
import { bertBuffers, bertRunBytes } from './state.ts';

/** Tokens of a trial. */
const TRIAL_TOKENS = 16;

interface Input {
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
}

export class BertEncoder implements Embedder, Classifier {
  readonly #m: Bert;
  readonly #arena: Arena;
  readonly #executor: Executor;
  readonly #tokenizer: Tokenizer | null;
  #last: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(m: Bert, arena: Arena, executor: Executor, tokenizer: Tokenizer | null) {
    this.#m = m;
    this.#arena = arena;
    this.#executor = executor;
    this.#tokenizer = tokenizer;
    executor.bind(bertProgram(m, executor.words), { kind: 'bert', d: m.d, w: m.w });
  }

  get dims(): number {
    return this.#m.d.width;
  }

  get pooling(): Pooling {
    return this.#m.d.pooling;
  }

  dispose(): void {
    this.#disposed = true;
  }

  async trial(): Promise<void> {
    const ids = new Array<number>(Math.min(TRIAL_TOKENS, this.#m.d.trainedContext)).fill(0);
    await this.#run({ ids, typeIds: ids }, () => null);
  }

  /** See `Model.embed`. */
  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    const { pooling = this.pooling, normalise = true, signal, maxLength } = options;
    if (!['mean', 'cls', 'last'].includes(pooling)) {
      throw new OptionError('OPTION', `pooling is ${JSON.stringify(pooling)}, expected one of mean, cls, last`);
    }
    const inputs = texts.map((text) => this.#text(text, undefined, maxLength));
    const pace = new Pace(signal);
    const vectors: Float32Array[] = [];
    for (const input of inputs) {
      await pace.breathe();
      vectors.push(await this.#turn(input, (rows) => pooled(rows, pooling, normalise)));
    }
    return vectors;
  }

  /** See `Model.classify`. */
  async classify(input: ClassifyInput, options: ClassifyOptions = {}): Promise<Classification> {
    options.signal?.throwIfAborted();
    const { d } = this.#m;
    const given = this.#input(input, options);
    const logits = await this.#turn(given, (_, at) => this.#logits(at));
    if (!logits.every(Number.isFinite)) throw notFinite('the classifier');
    const plain = Array.from(logits);
    const answer = { logits: plain, firingRates: [], tokens: given.ids.length, steps: 0, spikes: null };
    if (d.classes === 1) return { label: null, labelId: null, scores: plain, ...answer };
    const labelId = plain.indexOf(Math.max(...plain));
    return { label: d.labels?.[labelId] ?? String(labelId), labelId, scores: this.#softmax(logits), ...answer };
  }

  #input(
    input: ClassifyInput,
    { maxLength, steps, threshold, leak, initial, earlyExit, rate, counts, onStep }: ClassifyOptions,
  ): Input {
    for (const [name, value] of Object.entries({ steps, threshold, leak, initial, earlyExit, rate, counts, onStep })) {
      if (value === undefined || value === false) continue;
      throw new OptionError('OPTION', `${name} is for classifiers that spike; this is a bert model`);
    }
    if (typeof input === 'string') return this.#text(input, undefined, maxLength);
    if (Array.isArray(input)) return this.#text(input[0] as string, input[1] as string | undefined, maxLength);
    const { ids, typeIds, mask } = input as { ids: number[]; typeIds?: number[]; mask?: number[] };
    if (!Array.isArray(ids)) throw new OptionError('OPTION', 'the input is not a text, a pair of texts or { ids }');
    // padding that no token sees changes nothing
    const length = mask ? mask.lastIndexOf(1) + 1 : ids.length;
    return this.#checked(ids.slice(0, length), (typeIds ?? ids.map(() => 0)).slice(0, length));
  }

  #text(text: string, pair: string | undefined, maxLength: number | undefined): Input {
    if (typeof text !== 'string') throw new OptionError('OPTION', `a text is ${typeof text}, expected a string`);
    if (!this.#tokenizer) {
      throw new TokenizerError(
        'TOKENIZER_MISSING',
        'this model came without a vocabulary; pass its vocab.txt as the option tokenizer of open',
      );
    }
    if (maxLength !== undefined && maxLength > this.#m.d.trainedContext) {
      throw new OptionError('OPTION', `maxLength is ${maxLength}, the model has ${this.#m.d.trainedContext} positions`);
    }
    const { ids, typeIds } = pair
      ? encodeSegments(this.#tokenizer, text, pair, maxLength)
      : single(this.#tokenizer, text, maxLength);
    return this.#checked(ids, typeIds);
  }

  #checked(ids: readonly number[], typeIds: readonly number[]): Input {
    const { vocab, segments, trainedContext } = this.#m.d;
    if (ids.length === 0) throw new SessionError('TOKEN', 'there are no ids; a text is at least [CLS] [SEP]');
    if (ids.length > trainedContext) {
      throw new SessionError(
        'CONTEXT_OVERFLOW',
        `the text has ${ids.length} tokens, the model ${trainedContext} positions; shorten it, or pass maxLength`,
      );
    }
    const bad = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocab);
    if (bad !== undefined) throw new SessionError('TOKEN', `id ${bad} is not one of the ${vocab} of the vocabulary`);
    const segment = typeIds.find((id) => !Number.isInteger(id) || id < 0 || id >= segments);
    if (segment !== undefined) throw new SessionError('TOKEN', `segment ${segment} is not one of ${segments}`);
    return { ids, typeIds };
  }

  /** Runs a text when those before it are done. */
  async #turn<T>(input: Input, use: (rows: Float32Array[], at: Ptr) => T): Promise<T> {
    const turn = this.#last.then(() => this.#run(input, use));
    this.#last = turn.catch(() => {});
    return await turn;
  }

  async #run<T>({ ids, typeIds }: Input, use: (rows: Float32Array[], at: Ptr) => T): Promise<T> {
    if (this.#disposed) throw new SessionError('DISPOSED', 'the model was disposed of while it worked');
    const { d } = this.#m;
    const { size, words } = this.#executor;
    const mark = this.#arena.mark();
    try {
      const base = this.#arena.alloc(bertRunBytes(d, ids.length, size), 'the text');
      const { buffers } = bertBuffers(d, base, ids.length, size);
      new Int32Array(this.#arena.memory.buffer, buffers.ids, ids.length).set(ids);
      new Int32Array(this.#arena.memory.buffer, buffers.types, ids.length).set(typeIds);
      words.set([base, ids.length, size]);
      await this.#executor.run([words]);
      const rows = ids.map((_, t) => this.#arena.f32(buffers.x + t * strideOf(d.width) * 4, d.width));
      if (this.#m.k.not_finite_f32(buffers.x, strideOf(d.width) * ids.length) >= 0) throw notFinite('a layer');
      return use(rows, buffers.x);
    } finally {
      this.#arena.release(mark);
    }
  }

  /** Wc · tanh(Wp · x[CLS] + bp) + bc; without a pooler Wc · x[CLS] + bc. */
  #logits(cls: Ptr): Float32Array {
    const { k, d, w } = this.#m;
    if (!w.classifier) {
      throw new OptionError('OPTION', 'this model has no classifier; use model.embed');
    }
    const linear = (matrix: Matrix, bias: Ptr, x: Ptr): Ptr => {
      const { buffers: { threads: [own] } } = bertBuffers(d, this.#arena.alloc(bertRunBytes(d, 1, 1), 'scratch'), 1, 1);
      const y = this.#arena.alloc(strideOf(matrix.rows) * 4, 'output');
      quantize(k, own, x, 1, [matrix]);
      matmul(k, matrix, x, own, y, 1, SOLO);
      if (bias) k.add_f32(y, bias, matrix.rows);
      return y;
    };
    let x = cls;
    if (w.pooler) {
      x = linear(w.pooler, w.poolerBias, cls);
      // tanh x = 2 · sigmoid(2x) − 1
      k.scale_f32(x, 2, d.width);
      k.math_sigmoid_f32(x, x, d.width);
      const row = this.#arena.f32(x, d.width);
      for (let i = 0; i < d.width; i++) row[i] = 2 * row[i] - 1;
    }
    return this.#arena.f32(linear(w.classifier, w.classifierBias, x), d.classes).slice();
  }

  #softmax(logits: Float32Array): number[] {
    const mark = this.#arena.mark();
    const at = this.#arena.alloc(4 * logits.length, 'scores');
    this.#arena.f32(at, logits.length).set(logits);
    this.#m.k.softmax_f32(at, logits.length);
    const scores = Array.from(this.#arena.f32(at, logits.length));
    this.#arena.release(mark);
    return scores;
  }
}

/** `[CLS] text [SEP]`; special tokens that the text spells are read as such, as transformers does. */
function single(
  tokenizer: Tokenizer,
  text: string,
  maxLength: number | undefined,
): { ids: number[]; typeIds: number[] } {
  const ids = tokenizer.encode(text, { special: true });
  if (maxLength !== undefined) {
    if (!Number.isInteger(maxLength) || maxLength < 3) {
      throw new OptionError('OPTION', `maxLength is ${String(maxLength)}, expected a whole number of at least 3`);
    }
    if (ids.length > maxLength) ids.splice(maxLength - 1, ids.length - maxLength);
  }
  return { ids, typeIds: ids.map(() => 0) };
}

function notFinite(what: string): SessionError {
  return new SessionError('NOT_FINITE', `${what} made a NaN or infinity; the weights are damaged or overflow f32`);
}

/** One vector of those of a text's tokens; sums are of doubles in the order of the tokens. */
function pooled(rows: readonly Float32Array[], pooling: Pooling, normalise: boolean): Float32Array {
  const sum = new Float64Array(rows[0].length);
  if (pooling === 'mean') {
    for (const row of rows) row.forEach((value, i) => (sum[i] += value));
    for (let i = 0; i < sum.length; i++) sum[i] /= rows.length;
  } else {
    sum.set(rows[pooling === 'cls' ? 0 : rows.length - 1]);
  }
  let squares = 0;
  for (const value of sum) squares += value * value;
  const length = normalise ? Math.max(Math.sqrt(squares), 1e-12) : 1;
  return Float32Array.from(sum, (value) => value / length);
}
