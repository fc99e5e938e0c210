/**
 * Binds the compiled kernels to a memory.
 * @module
 */
import { instantiateSync } from '@assemblyscript/loader';
import { TernspikeError } from '../errors.ts';
import type { Kernels } from './kernels.ts';

/** `base.wasm`, which holds every kernel, or with it `relaxed.wasm`, which holds faster ones of the same names. */
export type KernelModules = WebAssembly.Module | readonly WebAssembly.Module[];

/**
 * The kernels of `modules` over `memory`; later modules stand in for earlier ones. Compiles nothing, so that it also runs
 * where compiling at run time is forbidden.
 * @throws {TernspikeError} `WASM_MODULE` when a module is not one of ours
 */
export function instantiate(modules: KernelModules, memory: WebAssembly.Memory): Kernels {
  const exports: Partial<Kernels> = {};
  for (const module of modules instanceof WebAssembly.Module ? [modules] : modules) {
    try {
      Object.assign(exports, instantiateSync(module, { env: { memory } }).exports);
    } catch (cause) {
      throw new TernspikeError('WASM_MODULE', `the kernels module could not be instantiated: ${String(cause)}`, {
        cause,
      });
    }
  }
  if (typeof exports.trit2_gemm_i8 !== 'function' || typeof exports.rms_norm_f32 !== 'function') {
    throw new TernspikeError(
      'WASM_MODULE',
      'the WebAssembly modules do not contain the kernels; pass ternspike/wasm/base.wasm, or [base.wasm, relaxed.wasm]',
    );
  }
  return exports as Kernels;
}
