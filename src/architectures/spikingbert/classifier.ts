/**
 * The part of a model that classifies: a text, a pair of texts or ids through a spiking BERT, over its time steps.
 * @module
 */
import { Pace } from '../../bytes/pace.ts';
import { OptionError, SessionError, TokenizerError } from '../../errors.ts';
import { classifySpikes } from './spikes.ts';
import { type SpikingBert, spikingBertProgram, type SpikingBertRecipe } from './forward.ts';
import { rateSpikingBert } from './rate.ts';
import { SpikingBertRun } from './run.ts';
import { StepSpikes } from './step-spikes.ts';
import { spikingBertWeights } from './weights.ts';
import { type Executor, solo } from '../../threads/executor.ts';
import { checkOptions, LIST, wrongValue } from '../../options.ts';
import type { SpikingBertDescription } from './description.ts';
import { layerFeatures } from './plan.ts';
import {
  type Classification,
  type Classifier,
  type ClassifyIds,
  type ClassifyInput,
  type ClassifyOptions,
  EARLY_EXIT_RULES,
} from '../../forward/classifier.ts';
import { encodeSegments } from '../../tokenizer/bert-pair.ts';
import type { Tokenizer } from '../../tokenizer/tokenizer.ts';
import type { Arena } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import type { WeightLoader } from '../../wasm/weights.ts';

/** Loads the weights of a spiking BERT. @param executor runs the steps; default this thread alone @throws {MemoryError} and what `WeightLoader.fill` throws */
export async function loadClassifier(
  k: Kernels,
  arena: Arena,
  d: SpikingBertDescription,
  loader: WeightLoader,
  tokenizer: Tokenizer | null,
  executor: Executor = solo(),
): Promise<SpikingBertClassifier> {
  const w = spikingBertWeights(d, loader);
  await loader.fill();
  const m = { k, d, w, arena, executor };
  const recipe: SpikingBertRecipe = { kind: 'spikingbert', d, w };
  executor.bind(spikingBertProgram(m, executor.words), recipe);
  return new SpikingBertClassifier(m, tokenizer);
}

/** Steps between two looks of an early exit. */
const EXIT_EVERY = 8;
/** Tokens times steps of the first stretch of work; how long the next are is then measured. */
const FIRST_STRETCH = 256;

/** A trial: as many vectors as a block of the products holds. */
const TRIAL_TOKENS = 8;
const TRIAL_STEPS = 16;

/** What is run. */
interface Job {
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
  readonly visible: number;
  readonly steps: number;
  readonly threshold: number;
  readonly leak: number;
  readonly initial: number;
}

/** Made by `open`. One text is run at a time, and others wait for it. */
export class SpikingBertClassifier implements Classifier {
  readonly #m: SpikingBert;
  readonly #tokenizer: Tokenizer | null;
  #last: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(m: SpikingBert, tokenizer: Tokenizer | null) {
    this.#m = m;
    this.#tokenizer = tokenizer;
  }

  /** Ends the run that is under way, and those that wait. */
  dispose(): void {
    this.#disposed = true;
  }

  #alive(): void {
    if (this.#disposed) throw new SessionError('DISPOSED', 'the model was disposed of while it classified');
  }

  /** A few steps of a short text, to see how long they take. */
  async trial(): Promise<void> {
    const { threshold, leak, initial, trainedContext } = this.#m.d;
    const ids = new Array<number>(Math.min(TRIAL_TOKENS, trainedContext)).fill(0);
    const run = new SpikingBertRun(this.#m, ids, ids, { steps: TRIAL_STEPS, threshold, leak, initial });
    try {
      await run.advance(TRIAL_STEPS);
    } finally {
      run.free();
    }
  }

  /** See `Model.classify`. */
  async classify(input: ClassifyInput, options: ClassifyOptions = {}): Promise<Classification> {
    options.signal?.throwIfAborted();
    const job = this.#job(input, options);
    const turn = this.#last.then(() => {
      this.#alive();
      return options.rate === true ? this.#rates(job) : this.#run(job, options);
    });
    this.#last = turn.catch(() => {});
    return await turn;
  }

  async #run(job: Job, options: ClassifyOptions): Promise<Classification> {
    const { d, w } = this.#m;
    const { steps, visible } = job;
    const tokens = job.ids.length;
    const { earlyExit, onStep, onSpikes, signal, stretchMs } = options;
    const pace = new Pace(signal, stretchMs);
    const run = new SpikingBertRun(this.#m, job.ids, job.typeIds, job);
    try {
      const shown = onSpikes && new StepSpikes(run);
      const every = earlyExit?.every ?? EXIT_EVERY;
      const exit = earlyExit && exitRule(earlyExit.margin);
      while (run.done < steps) {
        await pace.breathe();
        this.#alive();
        const from = run.done;
        const most = shown ? 1 : Math.min(steps - from, exit ? every - (from % every) : steps);
        const stretch = pace.next(most);
        await run.advance(from === 0 ? Math.min(most, Math.max(stretch, Math.ceil(FIRST_STRETCH / tokens))) : stretch);
        pace.done(run.done - from);
        if (onSpikes) shown?.show(onSpikes);
        for (let t = from; onStep && t < run.done; t++) {
          const firingRates = neuronsOf(d).map((n, j) => run.stepSpikes[t * (6 * d.layers + 1) + j] / (n * tokens));
          onStep({ step: t + 1, steps, firingRates, logits: Array.from(run.logits(t + 1)) });
        }
        if (exit && run.done % every === 0 && exit(run.logits())) break;
      }
      const fired = neuronsOf(d).map(() => 0);
      for (let i = 0; i < run.done * fired.length; i++) fired[i % fired.length] += run.stepSpikes[i];
      this.#finite(run.logits());
      return {
        ...this.#answer(run.logits()),
        firingRates: neuronsOf(d).map((n, j) => fired[j] / (n * tokens * run.done)),
        tokens,
        steps: run.done,
        spikes: classifySpikes(d, w.encoders, fired, { tokens, visible, steps: run.done }),
        ...(options.counts === true && { spikeCounts: fired.map((_, j) => run.counts(j)) }),
      };
    } finally {
      run.free();
    }
  }

  #rates({ ids, typeIds, ...job }: Job): Classification {
    const { rates, logits } = rateSpikingBert(this.#m, ids, typeIds, job);
    this.#finite(logits);
    const firingRates = rates.map((layer) => layer.reduce((a, b) => a + b, 0) / layer.length);
    return { ...this.#answer(logits), firingRates, tokens: ids.length, steps: 0, spikes: null };
  }

  #answer(logits: Float32Array): Pick<Classification, 'label' | 'labelId' | 'scores' | 'logits'> {
    const { d, k, arena } = this.#m;
    const plain = Array.from(logits);
    if (d.classes === 1) return { label: null, labelId: null, scores: plain, logits: plain };
    const labelId = plain.indexOf(Math.max(...plain));
    const mark = arena.mark();
    const at = arena.alloc(4 * d.classes, 'scores');
    arena.f32(at, d.classes).set(logits);
    k.softmax_f32(at, d.classes);
    const scores = Array.from(arena.f32(at, d.classes));
    arena.release(mark);
    return { label: d.labels[labelId], labelId, scores, logits: plain };
  }

  #finite(logits: Float32Array): void {
    if (logits.every(Number.isFinite)) return;
    throw new SessionError(
      'NOT_FINITE',
      'the classifier made a NaN or infinite logit; the weights are damaged or overflow f32',
    );
  }

  /** Options and input, checked. */
  #job(input: ClassifyInput, options: ClassifyOptions): Job {
    const { d } = this.#m;
    const { steps = d.steps, threshold = d.threshold, leak = d.leak, initial = d.initial } = options;
    const { earlyExit, rate, onStep, onSpikes } = options;
    if (earlyExit) checkOptions('earlyExit', earlyExit, EARLY_EXIT_RULES, ['margin']);
    if (rate && (earlyExit || onStep || onSpikes || options.counts)) {
      throw wrongValue('rate', rate, 'no steps to look at besides: leave earlyExit, onStep, onSpikes and counts out');
    }
    const { ids, typeIds, visible } = this.#ids(input, options.maxLength);
    return { ids, typeIds, visible, steps, threshold, leak, initial };
  }

  #ids(input: ClassifyInput, maxLength: number | undefined): Pick<Job, 'ids' | 'typeIds' | 'visible'> {
    const { d } = this.#m;
    const texts: readonly unknown[] | null = typeof input === 'string' ? [input] : Array.isArray(input) ? input : null;
    if (texts) {
      const [first, second] = texts;
      if (texts.length > 2 || typeof first !== 'string' || (texts.length === 2 && typeof second !== 'string')) {
        throw new OptionError('OPTION', 'the input is neither a text nor a pair of texts; classifyAll takes many');
      }
      if (!this.#tokenizer) {
        throw new TokenizerError(
          'TOKENIZER_MISSING',
          'this model contains no vocabulary; pass its vocab.txt by the option tokenizer, or pass ids',
          { mentions: ['tokenizer', 'ids'] },
        );
      }
      if (maxLength !== undefined && maxLength > d.trainedContext) {
        throw wrongValue('maxLength', maxLength, `at most the ${d.trainedContext} positions of the model`);
      }
      const { ids, typeIds } = encodeSegments(this.#tokenizer, first, second as string | undefined, maxLength);
      return this.#checked(ids, typeIds, ids.length);
    }
    const { ids, typeIds, mask } = (input ?? {}) as Partial<ClassifyIds>;
    if (!Array.isArray(ids)) throw new OptionError('OPTION', 'the input is not a text, a pair of texts or { ids }');
    checkOptions('the input', input, { ids: LIST, typeIds: LIST, mask: LIST });
    for (const [name, list] of Object.entries({ ids, typeIds: typeIds ?? ids, mask: mask ?? ids })) {
      if (Array.isArray(list) && list.length === ids.length && ids.length > 0) continue;
      throw new OptionError('OPTION', `${name} is not a list of numbers, one for each id`, { option: name });
    }
    const visible = mask ? mask.lastIndexOf(1) + 1 : ids.length;
    if (mask && !(visible > 0 && mask.every((bit, t) => bit === (t < visible ? 1 : 0)))) {
      throw new OptionError('OPTION', 'mask is not a run of ones and then zeros: padding comes after the tokens', {
        option: 'mask',
      });
    }
    return this.#checked(ids, typeIds ?? ids.map(() => 0), visible);
  }

  #checked(
    ids: readonly number[],
    typeIds: readonly number[],
    visible: number,
  ): Pick<Job, 'ids' | 'typeIds' | 'visible'> {
    const { d } = this.#m;
    if (ids.length > d.trainedContext) {
      throw new SessionError(
        'CONTEXT_OVERFLOW',
        `the text has ${ids.length} tokens, the model ${d.trainedContext} positions; ` +
          `cut it with maxLength ${d.trainedContext}`,
        { mentions: ['maxLength'] },
      );
    }
    const bad = (list: readonly number[], most: number): number =>
      list.findIndex((n) => !(Number.isInteger(n) && n >= 0 && n < most));
    const id = bad(ids, d.vocab);
    if (id >= 0) throw new SessionError('TOKEN', `id ${ids[id]} at ${id}: the model has 0 … ${d.vocab - 1}`);
    const type = bad(typeIds, d.segments);
    if (type >= 0) throw new SessionError('TOKEN', `segment ${typeIds[type]} at ${type}: the model has ${d.segments}`);
    return { ids, typeIds, visible };
  }
}

/** Neurons of a token in each layer. */
function neuronsOf(d: SpikingBertDescription): number[] {
  return Array.from({ length: 6 * d.layers + 1 }, (_, j) => layerFeatures(d, j));
}

/** Says at each look whether the answer is settled. */
function exitRule(margin: number): (logits: Float32Array) => boolean {
  let before: { readonly led: boolean; readonly best: number } | null = null;
  return (logits) => {
    const sorted = Float32Array.from(logits).sort().reverse();
    const regression = logits.length === 1;
    const best = regression ? logits[0] : logits.indexOf(sorted[0]);
    const led = regression || sorted[0] - sorted[1] >= margin;
    const settled = before !== null &&
      (regression ? Math.abs(best - before.best) <= margin : led && before.led && best === before.best);
    before = { led, best };
    return settled;
  };
}
