/**
 * A BERT as its callers see it: texts in; states of all tokens, one vector for a text, or a class out. Texts of one call run
 * together, as many as the memory plan counts with; calls wait for one another.
 * @module
 */
import { Pace } from '../../bytes/pace.ts';
import { OptionError, SessionError } from '../../errors.ts';
import type { Classification, Classifier, ClassifyInput, ClassifyOptions } from '../../forward/classifier.ts';
import type { Embedder, EmbedOptions, Encoding, EncodingOptions } from '../../forward/embedder.ts';
import { checkPooling, Pooler } from '../../forward/pooler.ts';
import type { Pooling } from '../../forward/pooling.ts';
import type { Executor } from '../../threads/executor.ts';
import type { Tokenizer } from '../../tokenizer/tokenizer.ts';
import type { Arena } from '../../wasm/arena.ts';
import { type Bert, bertProgram } from './forward.ts';
import { type BertInput, bertInput } from './input.ts';
import { BertRun, type Kept } from './run.ts';
import type { BertShape } from './state.ts';

/** Tokens of a trial. */
const TRIAL_TOKENS = 16;

/** How inputs are read and run. */
interface Work<T> extends Partial<Kept> {
  readonly signal?: AbortSignal;
  readonly stretchMs?: number;
  readonly maxLength?: number;
  /** Makes the answer for text i of a run. */
  use(run: BertRun, i: number, input: BertInput): T;
}

export class BertEncoder implements Embedder, Classifier {
  readonly #m: Bert;
  readonly #arena: Arena;
  readonly #executor: Executor;
  readonly #tokenizer: Tokenizer | null;
  readonly #most: Pick<BertShape, 'tokens' | 'texts'>;
  #last: Promise<unknown> = Promise.resolve();
  #disposed = false;

  /** @param most what runs together at most; a longer text runs alone */
  constructor(
    m: Bert,
    arena: Arena,
    executor: Executor,
    tokenizer: Tokenizer | null,
    most: Pick<BertShape, 'tokens' | 'texts'>,
  ) {
    this.#m = m;
    this.#arena = arena;
    this.#executor = executor;
    this.#tokenizer = tokenizer;
    this.#most = most;
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
    await this.#turn([{ ids, typeIds: ids }], { use: () => null }, new Pace());
  }

  /** See `Model.embed`. */
  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    const { pooling = this.pooling, normalise = this.#m.d.normalise, maxLength, signal, stretchMs } = options;
    checkPooling(pooling);
    const wrong = texts.findIndex((text) => typeof text !== 'string');
    if (wrong >= 0) throw new OptionError('OPTION', `text ${wrong} is ${typeof texts[wrong]}, expected a string`);
    const use = (run: BertRun, i: number, { ids }: BertInput): Float32Array => {
      const pooler = new Pooler(pooling, this.dims);
      for (let t = 0; t < ids.length; t++) pooler.add(run.state(i, t));
      return pooler.vector(normalise);
    };
    const vectors: Float32Array[] = [];
    for await (const vector of this.#each(texts, { maxLength, signal, stretchMs, use })) vectors.push(vector);
    return vectors;
  }

  /** See `Model.encodeAll`. */
  encodeAll(inputs: Iterable<ClassifyInput>, options: EncodingOptions = {}): AsyncGenerator<Encoding, void> {
    const { hidden = false, attention = false, maxLength, signal, stretchMs } = options;
    const { layers } = this.#m.d;
    const use = (run: BertRun, i: number, { ids, typeIds }: BertInput): Encoding => {
      const states = new Float32Array(ids.length * this.dims);
      for (let t = 0; t < ids.length; t++) states.set(run.state(i, t), t * this.dims);
      return {
        ids,
        typeIds,
        tokens: ids.length,
        states,
        ...(hidden && { hidden: Array.from({ length: layers + 1 }, (_, l) => run.hidden(i, l)) }),
        ...(attention && { attention: Array.from({ length: layers }, (_, l) => run.attention(i, l)) }),
        pooled: run.pooled(i),
        logits: run.logits(i),
      };
    };
    return this.#each(inputs, { hidden, attention, head: this.#hasHead, maxLength, signal, stretchMs, use });
  }

  /** See `Model.classify`. */
  async classify(input: ClassifyInput, options: ClassifyOptions = {}): Promise<Classification> {
    for await (const said of this.classifyAll([input], options)) return said;
    throw new SessionError('DISPOSED', 'the model was disposed of while it worked');
  }

  /** See `Model.classifyAll`. */
  async *classifyAll(
    inputs: Iterable<ClassifyInput>,
    options: ClassifyOptions = {},
  ): AsyncGenerator<Classification, void> {
    const { maxLength, signal, stretchMs, steps, threshold, leak, initial, earlyExit, rate, counts } = options;
    const { onStep, onSpikes } = options;
    for (
      const [name, value] of Object.entries({
        steps,
        threshold,
        leak,
        initial,
        earlyExit,
        rate,
        counts,
        onStep,
        onSpikes,
      })
    ) {
      if (value === undefined || value === false) continue;
      throw new OptionError('OPTION', `${name} is for classifiers that spike; this is a bert model`);
    }
    const use = (run: BertRun, i: number, { ids }: BertInput): Classification =>
      this.#answer(run.logits(i) as Float32Array, ids.length);
    yield* this.#each(inputs, { head: true, maxLength, signal, stretchMs, use });
  }

  get #hasHead(): boolean {
    return this.#m.w.pooler !== null || this.#m.w.classifier !== null;
  }

  #answer(logits: Float32Array, tokens: number): Classification {
    const { d, k } = this.#m;
    const plain = Array.from(logits);
    const answer = { logits: plain, firingRates: [], tokens, steps: 0, spikes: null };
    if (d.classes === 1) return { label: null, labelId: null, scores: plain, ...answer };
    const labelId = plain.indexOf(Math.max(...plain));
    const mark = this.#arena.mark();
    const at = this.#arena.alloc(4 * d.classes, 'scores');
    this.#arena.f32(at, d.classes).set(logits);
    k.softmax_f32(at, d.classes);
    const scores = Array.from(this.#arena.f32(at, d.classes));
    this.#arena.release(mark);
    return { label: d.labels?.[labelId] ?? String(labelId), labelId, scores, ...answer };
  }

  /** The answer for each input in turn; as many are read ahead as run together. Those before a bad one are answered. */
  async *#each<T>(inputs: Iterable<ClassifyInput>, work: Work<T>): AsyncGenerator<T, void> {
    const pace = new Pace(work.signal, work.stretchMs);
    let pack: BertInput[] = [];
    let tokens = 0;
    let fault: { readonly error: unknown } | null = null;
    for (const each of inputs) {
      let input: BertInput;
      try {
        await pace.breathe();
        input = await bertInput(this.#m.d, this.#tokenizer, each, work.maxLength, () => pace.breathe());
      } catch (error) {
        fault = { error };
        break;
      }
      tokens += input.ids.length;
      if (pack.length > 0 && (tokens > this.#most.tokens || pack.length === this.#most.texts)) {
        yield* await this.#turn(pack, work, pace);
        pack = [];
        tokens = input.ids.length;
      }
      pack.push(input);
    }
    if (pack.length > 0) yield* await this.#turn(pack, work, pace);
    if (fault) throw fault.error;
  }

  /** Runs texts when the calls before are done. */
  async #turn<T>(pack: readonly BertInput[], work: Work<T>, pace: Pace): Promise<T[]> {
    const { hidden = false, attention = false, head = false, use } = work;
    const alive = (): void => {
      if (this.#disposed) throw new SessionError('DISPOSED', 'the model was disposed of while it worked');
    };
    const run = (): Promise<T[]> => {
      const kept = { hidden, attention, head };
      return BertRun.of(
        this.#m,
        this.#arena,
        this.#executor,
        pack,
        kept,
        pace,
        alive,
        (ran) => pack.map((input, i) => use(ran, i, input)),
      );
    };
    const turn = this.#last.then(run);
    this.#last = turn.catch(() => {});
    return await orAborted(turn, work.signal);
  }
}

/** A call that waits for others leaves the queue when it is aborted. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise<T>((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
