/**
 * What a lane runs, by the architecture of its model.
 * @module
 */
import { llamaProgram, type LlamaRecipe } from './forward/llama.ts';
import { symbolicLight, symbolicLightProgram, type SymbolicLightRecipe } from './forward/symboliclight.ts';
import type { MakeProgram } from './lanes/worker.ts';

/** The program of one lane. */
export const program: MakeProgram = (recipe, { kernels, memory, words, index }) => {
  const made = recipe as LlamaRecipe | SymbolicLightRecipe;
  if (made.kind === 'llama') return llamaProgram(kernels, made, words);
  return symbolicLightProgram(symbolicLight(kernels, made, memory, index), words);
};
