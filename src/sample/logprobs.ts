/**
 * How likely tokens were: logarithms of probabilities, natural, of the distribution as the model made it. Neither temperature
 * nor mask, bias or penalties count, as with llama.cpp and OpenAI; the sum runs over all rows of the model.
 * @module
 */
import type { Ptr } from '../wasm/arena.ts';
import { ln } from './adaptive.ts';
import type { SamplerMemory } from './sampler.ts';

/** A token and the logarithm of its probability. */
export interface TokenLogprob {
  readonly id: number;
  /** ln p, at most 0; −Infinity for a token that the model itself excludes. */
  readonly logprob: number;
}

/** How likely one token was, and which were the likeliest in its place. */
export interface TokenScore {
  readonly logprob: number;
  /** The likeliest tokens, descending; the lower id first on ties. */
  readonly topLogprobs: readonly TokenLogprob[];
}

/**
 * Looks a token up. The same bits on every engine: exponentials run in wasm, the logarithm is ours.
 * @param logits (vocab) f32, finite
 * @param limit tokens from this id on are not listed
 * @param top how many tokens to list
 */
export function scoreOf(
  { arena, kernels, ids, values }: SamplerMemory,
  logits: Ptr,
  vocab: number,
  limit: number,
  id: number,
  top: number,
): TokenScore {
  const first = logits / 4;
  const largest = arena.floats[first + kernels.argmax_f32(logits, vocab)];
  const sum = largest + ln(kernels.exp_sum_f32(logits, 0, vocab, largest, 1));
  const count = top === 0 ? 0 : kernels.top_k_f32(logits, limit, Math.min(top, limit), ids, values);
  const topLogprobs = Array.from({ length: count }, (_, i): TokenLogprob => ({
    id: arena.ints[ids / 4 + i],
    logprob: arena.floats[values / 4 + i] - sum,
  }));
  return { logprob: arena.floats[first + id] - sum, topLogprobs };
}
