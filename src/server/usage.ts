/**
 * What an answer took, in the words of clients.
 * @module
 */
import type { AnswerFigures } from './metrics.ts';
import type { GenerateUsage } from '../model/model.ts';

/** `usage` of an answer. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
  readonly completion_tokens_details: { readonly reasoning_tokens: number };
}

/** Gathers it from several answers, of which each `n` share a prompt. */
export class UsageSum {
  readonly #n: number;
  #prompt = 0;
  #completion = 0;
  #cached = 0;
  #reasoning = 0;
  #last: { readonly figures: AnswerFigures; readonly usage?: GenerateUsage } | undefined;
  #usage: GenerateUsage | undefined;

  constructor(n: number) {
    this.#n = n;
  }

  /** The figures of an answer that is over. A prompt that several answers share counts once. */
  answer(index: number, figures: AnswerFigures): void {
    this.#completion += figures.completionTokens;
    this.#last = { figures, usage: this.#usage };
    if (index % this.#n !== 0) return;
    this.#prompt += figures.promptTokens;
    this.#cached += figures.cachedTokens;
  }

  /** What the engine says of one. */
  engine(usage: GenerateUsage): void {
    this.#usage = usage;
    this.#reasoning += usage.reasoningTokens ?? 0;
  }

  usage(): Usage {
    return {
      prompt_tokens: this.#prompt,
      completion_tokens: this.#completion,
      total_tokens: this.#prompt + this.#completion,
      prompt_tokens_details: { cached_tokens: this.#cached },
      completion_tokens_details: { reasoning_tokens: this.#reasoning },
    };
  }

  /** Times as llama-server gives them, of the last answer, and what it spiked. */
  extras(): object {
    if (!this.#last) return {};
    const { figures } = this.#last;
    const spikes = this.#usage?.spikes;
    const read = figures.promptTokens - figures.cachedTokens;
    return {
      timings: {
        cache_n: figures.cachedTokens,
        prompt_n: read,
        prompt_ms: round(figures.prefillMs),
        predicted_n: figures.completionTokens,
        predicted_ms: round(figures.decodeMs),
        predicted_per_second: round(figures.decodeMs > 0 ? (1000 * figures.completionTokens) / figures.decodeMs : 0),
      },
      ...(spikes && {
        spikes: {
          tokens: spikes.tokens,
          firing_rate: spikes.overall.firingRate,
          synaptic_operations_per_token: spikes.overall.synapticOperations.effectiveAcs +
            spikes.overall.synapticOperations.effectiveMacs,
          energy_microjoules_per_token: spikes.energy.compute.effective,
        },
      }),
    };
  }
}

const round = (value: number): number => Math.round(1000 * value) / 1000;
