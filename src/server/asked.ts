/**
 * What requests for texts ask in common: how many tokens, how many answers, from which seed.
 * @module
 */
import { MAX_ANSWERS } from '../limits.ts';
import { whole } from '../options.ts';
import { ApiError } from './errors.ts';
import { field, type Fields } from './fields.ts';
import { FORMAT, type ResponseFormat } from './format.ts';
import type { Served } from './served.ts';

/** Fields of answers. */
export interface AnswerFields {
  readonly max_tokens?: number;
  readonly min_tokens?: number;
  readonly n?: number;
  readonly response_format?: ResponseFormat;
}

export const readAnswerRules: Fields<AnswerFields> = {
  max_tokens: field(whole(0)),
  min_tokens: field(whole(0)),
  n: field(whole(1, MAX_ANSWERS)),
  response_format: field(FORMAT),
};

/**
 * How many tokens may be generated: as many as were asked for, or as there is room for.
 * @throws {ApiError} 400 `context_length_exceeded` where the prompt leaves none
 */
export function room(served: Served, ids: readonly number[], wanted: number, param: string): number {
  const context = served.contextLength;
  const left = context - ids.length;
  if (left < Math.min(wanted, 1)) {
    throw new ApiError(
      400,
      `the prompt has ${ids.length} tokens and leaves no room in a context of ${context}; shorten it`,
      { param, code: 'context_length_exceeded' },
    );
  }
  return Math.min(wanted, left);
}

/** The seed of the i-th answer: that of the request, and the next ones. */
export const seeded = (seed: number | undefined, i: number): number | undefined =>
  seed === undefined ? undefined : (seed + i) % (Number.MAX_SAFE_INTEGER + 1);
