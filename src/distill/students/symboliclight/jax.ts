/**
 * jax-js, loaded when it is needed: an optional dependency that only training has.
 * @module
 */
import type * as Library from '@jax-js/jax';
import { DistillError } from '../../../errors.ts';

/** The parts of jax-js in use. */
export interface Jax {
  readonly np: typeof Library.numpy;
  readonly nn: typeof Library.nn;
  readonly lax: typeof Library.lax;
  readonly jit: typeof Library.jit;
  readonly valueAndGrad: typeof Library.valueAndGrad;
  readonly tree: typeof Library.tree;
}

/**
 * Loads jax-js. Read its results with `dataSync`: kernels then run on the calling thread. Whole batches go to other threads,
 * which costs far less than meeting after every kernel, as its own thread pool does.
 * @throws {DistillError} `TRAINER` where it is not installed or the runtime lacks `navigator` (Node before 21)
 */
export async function loadJax(): Promise<Jax> {
  if (typeof navigator === 'undefined') {
    throw new DistillError(
      'TRAINER',
      'distillation needs Node 22 or later, Bun or Deno: this runtime has no `navigator`',
    );
  }
  let library: typeof Library;
  try {
    library = await import('@jax-js/jax');
  } catch (cause) {
    throw new DistillError(
      'TRAINER',
      'distillation needs the package @jax-js/jax 0.1.25: npm install @jax-js/jax@0.1.25',
      { cause },
    );
  }
  await library.init('wasm');
  library.defaultDevice('wasm');
  const { numpy: np, nn, lax, jit, valueAndGrad, tree } = library;
  return { np, nn, lax, jit, valueAndGrad, tree };
}
