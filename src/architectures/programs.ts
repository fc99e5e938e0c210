/**
 * What a thread runs, by the architecture of its model.
 * @module
 */
import type { MakeProgram } from '../threads/worker.ts';
import { ARCHITECTURES } from './index.ts';

/** The program of one thread. */
export const program: MakeProgram = async (recipe, means) => {
  const { kind } = recipe as { readonly kind: string };
  const entry = ARCHITECTURES.find(({ name }) => name === kind);
  if (!entry) throw new Error(`no architecture is called ${kind}`);
  return (await entry.program())(recipe, means);
};
