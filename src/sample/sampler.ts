/**
 * Logits → the next token. The order is llama.cpp's:
 *
 *   mask → logit bias → penalties → top-k → top-p → min-p → temperature → draw          temperature 0: → the largest
 *
 * Probabilities for top-p and min-p are those before the temperature, over the candidates that top-k left; with the option
 * `temperatureFirst` those after it. Exponentials run in wasm: one seed gives one text on every engine.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import { SessionError } from '../errors.ts';
import { MAX_CONTEXT } from '../limits.ts';
import type { Arena, Ptr } from '../wasm/arena.ts';
import type { Kernels } from '../wasm/kernels.ts';
import { adaptedTemperature, LEAST_PROBABILITY, LEAST_TERM, ln } from './adaptive.ts';
import { History } from './history.ts';
import { applyMask } from './mask.ts';
import { type CheckedSamplerOptions, checkSamplerOptions, LEAST_TEMPERATURE, type SamplerOptions } from './options.ts';
import { randomSeed, Rng, type RngState } from './rng.ts';

/** What a sampler works with. Nothing in it outlives a call of `sample`, so the samplers of a model may share it. */
export interface SamplerMemory {
  readonly arena: Arena;
  readonly kernels: Pick<
    Kernels,
    'argmax_f32' | 'top_k_f32' | 'exp_sum_f32' | 'entropy_sum_f32' | 'draw_f32' | 'not_finite_f32'
  >;
  /** The logits after bias and penalties. (vocab) f32 */
  readonly scratch: Ptr;
  /** Candidates in descending order: token, logit, e^(logit − largest). (vocab) i32, f32, f32 */
  readonly ids: Ptr;
  readonly values: Ptr;
  readonly weights: Ptr;
}

/** Bytes of one SamplerMemory for a vocabulary; the plan counts them. */
export function samplerBytes(vocab: number): number {
  return 4 * alignUp(4 * vocab, 64);
}

/** Allocates the memory of the samplers of a model. @throws {MemoryError} */
export function samplerMemory(arena: Arena, kernels: SamplerMemory['kernels'], vocab: number): SamplerMemory {
  const each = alignUp(4 * vocab, 64);
  const scratch = arena.alloc(samplerBytes(vocab), 'sampler');
  return { arena, kernels, scratch, ids: scratch + each, values: scratch + 2 * each, weights: scratch + 3 * each };
}

/** Where a sampler stands: the generator and the tokens that the penalties still see, oldest first. */
export interface SamplerState {
  readonly rng: RngState;
  readonly history: readonly number[];
}

/** Entropy of n logits in nats, the largest of them `top`, and of `masked` more that are −∞. No probability is below 1e-7. */
export function entropyAt({ kernels, weights }: SamplerMemory, x: Ptr, n: number, top: number, masked = 0): number {
  const total = kernels.exp_sum_f32(x, weights, n, top, 1);
  const least = LEAST_PROBABILITY * total;
  const sum = kernels.entropy_sum_f32(x, weights, n, top + ln(total), least, LEAST_TERM * total);
  return sum / total + masked * LEAST_TERM;
}

/** Candidates that are looked at first where top-k does not say how many there are, and how that grows. */
const FIRST_CANDIDATES = 256;
const MORE_CANDIDATES = 8;

const NONE: ReadonlySet<number> = new Set();

/**
 * How many of the first n candidates top-p and min-p keep, at least 1; 0 where they cut none of them.
 * @param weights descending from element `at` on, the first is 1
 * @param mass top-p's share of the sum of all weights
 */
function cut(weights: Float32Array, at: number, n: number, mass: number, minP: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    if (i > 0 && weights[at + i] < minP) return i;
    sum += weights[at + i];
    if (sum >= mass) return i + 1;
  }
  return 0;
}

/**
 * Chooses tokens by one set of options. Not shared between sessions: it holds a generator and a history.
 * @example
 * const sampler = new Sampler({ temperature: 0.8, seed: 1 }, vocab, samplerMemory(arena, kernels, vocab));
 * for (const id of prompt) sampler.accept(id);
 * const id = sampler.sample(logits);
 * sampler.accept(id);
 */
export class Sampler {
  readonly options: CheckedSamplerOptions;
  /** The seed in use; where none was given, the one that was drawn: giving it again repeats the text. */
  readonly seed: number;
  readonly #vocab: number;
  /** Tokens that may be drawn: the first ones. */
  readonly #limit: number;
  readonly #memory: SamplerMemory;
  readonly #history: History;
  #rng: Rng;

  /** @throws {OptionError} `OPTION` */
  constructor(options: SamplerOptions, vocabSize: number, memory: SamplerMemory) {
    this.options = checkSamplerOptions(options, vocabSize);
    this.seed = this.options.seed ?? randomSeed();
    this.#vocab = vocabSize;
    this.#limit = this.options.vocabLimit;
    this.#memory = memory;
    const { repeatLastN, repeatPenalty, frequencyPenalty, presencePenalty } = this.options;
    const penalises = repeatPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0;
    this.#history = new History(!penalises ? 0 : repeatLastN < 0 ? MAX_CONTEXT : repeatLastN);
    this.#rng = new Rng(this.seed);
  }

  /**
   * The next token. Takes one number of the generator, none at temperature 0; ties go to the lower id.
   * @param logits (vocab) f32, left as they are; −∞ is never chosen
   * @param mask bits of the tokens that may be drawn; null = all
   * @param banned tokens that may not be drawn besides
   * @throws {SessionError} `NOT_FINITE` where a logit is NaN or +∞; `NO_CANDIDATE` where every token is banned or −∞
   */
  sample(logits: Ptr, mask: Uint32Array | null = null, banned: ReadonlySet<number> = NONE): number {
    const { arena, kernels, ids, values } = this.#memory;
    const x = this.#adjusted(logits, mask, banned);
    const best = kernels.argmax_f32(x, this.#limit);
    if (best === -1) {
      const masked = mask ? ', and a mask is in use' : '';
      throw new SessionError(
        'NO_CANDIDATE',
        `all ${this.#limit} tokens are banned or masked; logitBias has ${this.options.logitBias.size}${masked}: ban fewer`,
      );
    }
    const top = best < 0 ? NaN : arena.floats[x / 4 + best];
    if (!Number.isFinite(top)) throw this.#notFinite(x, best);
    if (this.options.temperature < LEAST_TEMPERATURE) return best;
    const inverse = 1 / this.#temperature(logits, x, top);
    const kept = this.#cut(x, top, this.options.temperatureFirst ? inverse : 1);
    const [from, n] = kept > 0 ? [values, kept] : [x, this.#limit];
    const target = this.#rng.uniform() * kernels.exp_sum_f32(from, 0, n, top, inverse);
    const drawn = kernels.draw_f32(from, n, top, inverse, target);
    return kept > 0 ? arena.ints[ids / 4 + drawn] : drawn;
  }

  /**
   * Tells the penalties of a token, drawn or given: the prompt's count as well where they are accepted.
   * @throws {SessionError} `TOKEN` for an id outside the vocabulary
   */
  accept(id: number): void {
    if (!Number.isInteger(id) || id < 0 || id >= this.#vocab) {
      throw new SessionError('TOKEN', `token is ${id}, must be an integer from 0 to ${this.#vocab - 1}`);
    }
    this.#history.add(id);
  }

  /** Back to the beginning: the seed's first number comes next, and no token is recent. */
  reset(): void {
    this.#rng = new Rng(this.seed);
    this.#history.clear();
  }

  /** Where the sampler stands, as plain numbers. */
  state(): SamplerState {
    return { rng: this.#rng.state(), history: this.#history.ids() };
  }

  /**
   * Goes on from a state of a sampler with the same options.
   * @throws {OptionError} `OPTION` for a generator state that cannot be
   * @throws {SessionError} `TOKEN` for an id outside the vocabulary; the history is empty then
   */
  restore(state: SamplerState): void {
    this.#rng.restore(state.rng);
    this.#history.clear();
    for (const id of state.history) this.accept(id);
  }

  /** The logits after mask, bias and penalties: a copy in scratch, or the logits themselves where there is nothing to do. */
  #adjusted(logits: Ptr, mask: Uint32Array | null, banned: ReadonlySet<number>): Ptr {
    const { logitBias, repeatPenalty, frequencyPenalty, presencePenalty } = this.options;
    const recent = this.#history.counts;
    if (!mask && banned.size === 0 && logitBias.size === 0 && recent.size === 0) return logits;
    const { arena, scratch } = this.#memory;
    const x = arena.floats;
    const first = scratch / 4;
    x.copyWithin(first, logits / 4, logits / 4 + this.#vocab);
    if (mask) applyMask(x, first, mask, this.#vocab);
    for (const id of banned) x[first + id] = -Infinity;
    for (const [id, bias] of logitBias) x[first + id] += bias;
    for (const [id, count] of recent) {
      const v = x[first + id] <= 0 ? x[first + id] * repeatPenalty : x[first + id] / repeatPenalty;
      x[first + id] = v - (count * frequencyPenalty + presencePenalty);
    }
    return scratch;
  }

  /** The temperature of this draw. The rule `cool` looks at the logits as the model made them, `warm` at the candidates. */
  #temperature(logits: Ptr, x: Ptr, top: number): number {
    const { temperature, adaptiveTemperature: rule } = this.options;
    if (rule === 'off') return temperature;
    if (rule === 'warm') return adaptedTemperature(rule, temperature, this.#entropy(x, this.#limit, top), this.#limit);
    const best = this.#memory.kernels.argmax_f32(logits, this.#vocab);
    const largest = best < 0 ? NaN : this.#memory.arena.floats[logits / 4 + best];
    if (!Number.isFinite(largest)) throw this.#notFinite(logits, best);
    return adaptedTemperature(rule, temperature, this.#entropy(logits, this.#vocab, largest), this.#vocab);
  }

  /** Of the first n logits; the others are masked. */
  #entropy(x: Ptr, n: number, top: number): number {
    return entropyAt(this.#memory, x, n, top, this.#vocab - n);
  }

  /**
   * Puts the candidates that top-k, top-p and min-p keep into ids and values; returns how many, 0 = all tokens.
   * @param inverse of the temperature at which probabilities are compared
   */
  #cut(x: Ptr, top: number, inverse: number): number {
    const { arena, kernels, ids, values, weights } = this.#memory;
    const { topK, topP, minP } = this.options;
    const limited = topK > 0 && topK < this.#limit;
    if (!limited && topP === 1 && minP === 0) return 0;
    const limit = limited ? topK : this.#limit;
    let k = limited ? topK : Math.min(FIRST_CANDIDATES, limit);
    for (let total = limited ? 0 : kernels.exp_sum_f32(x, 0, this.#limit, top, inverse);;) {
      const count = kernels.top_k_f32(x, this.#limit, k, ids, values);
      const sum = kernels.exp_sum_f32(values, weights, count, top, inverse);
      if (limited) total = sum;
      const kept = cut(arena.floats, weights / 4, count, topP < 1 ? topP * total : Infinity, minP);
      if (kept > 0) return kept;
      if (k === limit || count < k) return count;
      k = Math.min(k * MORE_CANDIDATES, limit);
    }
  }

  #notFinite(x: Ptr, best: number): SessionError {
    const { arena, kernels } = this.#memory;
    let id = best;
    for (let from = 0; id < 0;) {
      // the first NaN; −∞ on the way to it is a masked token
      const at = from + kernels.not_finite_f32(x + 4 * from, this.#vocab - from);
      if (Number.isNaN(arena.floats[x / 4 + at])) id = at;
      from = at + 1;
    }
    const value = arena.floats[x / 4 + id];
    return new SessionError('NOT_FINITE', `the logit of token ${id} is ${value}; the model or its state is damaged`);
  }
}
