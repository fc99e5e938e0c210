/**
 * The script of a worker thread: one lane of a model. It lies beside the entries as lane.js and is started by
 * lanes/thread.ts; nobody imports it.
 * @module
 */
import { llamaProgram, type LlamaRecipe } from './forward/llama.ts';
import { symbolicLight, symbolicLightProgram, type SymbolicLightRecipe } from './forward/symboliclight.ts';
import { type MakeProgram, serve } from './lanes/worker.ts';

/** A lane's program, by the architecture of the model. */
export const program: MakeProgram = (recipe, { kernels, memory, words, index }) => {
  const made = recipe as LlamaRecipe | SymbolicLightRecipe;
  if (made.kind === 'llama') return llamaProgram(kernels, made, words);
  return symbolicLightProgram(symbolicLight(kernels, made, memory, index), words);
};

serve(program);
