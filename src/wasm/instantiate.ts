/**
 * Binds a compiled kernels module to a memory.
 * @module
 */
import { instantiateSync } from '@assemblyscript/loader';
import { TernspikeError } from '../errors.ts';
import type { Kernels } from './kernels.ts';

/**
 * The kernels of `module` over `memory`. Compiles nothing, so that it also runs where compiling at run time is forbidden.
 * @throws {TernspikeError} `WASM_MODULE` when the module is not one of ours
 */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  let exports: Partial<Kernels>;
  try {
    exports = instantiateSync(module, { env: { memory } }).exports as unknown as Partial<Kernels>;
  } catch (cause) {
    throw new TernspikeError('WASM_MODULE', `the kernels module could not be instantiated: ${String(cause)}`, {
      cause,
    });
  }
  if (typeof exports.trit2_gemm_i8 !== 'function') {
    throw new TernspikeError(
      'WASM_MODULE',
      'this WebAssembly module does not hold the kernels; pass ternspike/wasm/base.wasm or relaxed.wasm',
    );
  }
  return exports as Kernels;
}
