/**
 * What a lane runs, by the architecture of its model.
 * @module
 */
import { llamaProgram, type LlamaRecipe } from './forward/llama.ts';
import { spikingBertProgram, type SpikingBertRecipe } from './forward/spikingbert.ts';
import { symbolicLight, symbolicLightProgram, type SymbolicLightRecipe } from './forward/symboliclight.ts';
import type { MakeProgram } from './lanes/worker.ts';
import { Arena } from './wasm/arena.ts';

/** The program of one lane. */
export const program: MakeProgram = (recipe, { kernels, memory, words, index }) => {
  const made = recipe as LlamaRecipe | SymbolicLightRecipe | SpikingBertRecipe;
  if (made.kind === 'llama') return llamaProgram(kernels, made, words);
  if (made.kind === 'spikingbert') {
    return spikingBertProgram({ k: kernels, d: made.d, w: made.w, arena: new Arena(memory) }, words);
  }
  return symbolicLightProgram(symbolicLight(kernels, made, memory, index), words);
};
