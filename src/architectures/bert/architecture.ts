/**
 * Dense BERT, as the engine sees it.
 * @module
 */
import { memoryPlan, weightsBytes } from '../../description/plan.ts';
import type { Architecture } from '../architecture.ts';
import { type BertDescription, describeBert } from './description.ts';
import { BertEncoder } from './encoder.ts';
import { bertRunBytes, type BertShape } from './state.ts';
import { bertWeights } from './weights.ts';

/** Tokens that run together where there is room: enough for the weights to be read once for many short texts. */
const MOST_TOKENS = 256;
/** Fewer are not planned: they take as long as this many. */
const LEAST_TOKENS = 32;
/** Texts that run together. */
const MOST_TEXTS = 64;

export const bert: Architecture<BertDescription> = {
  generates: false,
  grows: false,
  spikes: false,
  activations: 'int8',
  describe: describeBert,

  plan(container, d, options) {
    const weights = weightsBytes(container);
    const shape = runShape(d, options.threads, options.maxBytes - options.base - weights);
    return memoryPlan({
      container,
      weightsBytes: weights,
      stateBytes: () => bertRunBytes(d, shape, options.threads),
      unit: `texts of ${shape.tokens} tokens`,
    }, options);
  },

  async load(d, { kernels, arena, loader, executor, tokenizer }) {
    const w = bertWeights(d, loader);
    await loader.fill();
    const most = runShape(d, executor.size, arena.limit - arena.used);
    const encoder = new BertEncoder({ k: kernels, d, w, memory: arena.memory }, arena, executor, tokenizer, most);
    return { embedder: encoder, ...(d.classes > 0 && { classifier: encoder }), trial: () => encoder.trial() };
  },
};

/** The most that runs together, within `room` bytes where that is possible. A longer text runs alone, and takes memory when it comes. */
function runShape(d: BertDescription, threads: number, room: number): BertShape {
  const of = (tokens: number): BertShape => ({
    tokens,
    texts: Math.min(tokens, MOST_TEXTS),
    longest: Math.min(tokens, d.trainedContext),
    hidden: false,
    squares: 0,
  });
  let tokens = MOST_TOKENS;
  while (tokens > LEAST_TOKENS && bertRunBytes(d, of(tokens), threads) > room) tokens /= 2;
  return of(tokens);
}
