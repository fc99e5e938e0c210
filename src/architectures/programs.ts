/**
 * What a thread runs, by the architecture of its model.
 * @module
 */
import { llamaProgram, type LlamaRecipe } from './llama/forward.ts';
import { spikingBertProgram, type SpikingBertRecipe } from './spikingbert/forward.ts';
import { symbolicLight, symbolicLightProgram, type SymbolicLightRecipe } from './symboliclight/forward.ts';
import type { MakeProgram } from '../threads/worker.ts';
import { Arena } from '../wasm/arena.ts';

/** The program of one thread. */
export const program: MakeProgram = (recipe, { kernels, memory, words, index }) => {
  const made = recipe as LlamaRecipe | SymbolicLightRecipe | SpikingBertRecipe;
  if (made.kind === 'llama') return llamaProgram(kernels, made, words);
  if (made.kind === 'spikingbert') {
    return spikingBertProgram({ k: kernels, d: made.d, w: made.w, arena: new Arena(memory) }, words);
  }
  return symbolicLightProgram(symbolicLight(kernels, made, memory, index), words);
};
