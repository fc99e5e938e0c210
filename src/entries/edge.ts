/**
 * The entry for hosts that forbid compiling WebAssembly at run time, such as Cloudflare Workers: the caller imports the
 * `.wasm` files of this package, which arrive compiled. One thread, no workers.
 *
 * @example
 * import { open } from 'ternspike/edge';
 * import base from 'ternspike/wasm/base.wasm';
 * import relaxed from 'ternspike/wasm/relaxed.wasm'; // not for hosts without relaxed SIMD
 * const model = await open(bytes, { module: [base, relaxed] });
 * @module
 */
import type { ModelSource } from '../bytes/resolve.ts';
import { OptionError } from '../errors.ts';
import type { Model } from '../model/model.ts';
import { handedIn, type OpenOptions, openWith } from '../model/open.ts';
import type { KernelModules } from '../wasm/instantiate.ts';

/**
 * Opens a model with compiled kernels.
 * @throws {OptionError} without `options.module`; otherwise as `open` of `ternspike`
 */
export function open(source: ModelSource, options: OpenOptions & { module: KernelModules }): Promise<Model> {
  return openWith(
    ({ module }) => {
      if (compiled(module)) return handedIn(module);
      throw new OptionError(
        'OPTION',
        'module is missing; import ternspike/wasm/base.wasm and pass it as { module }, or with relaxed.wasm as [base, relaxed]',
      );
    },
    source,
    options,
  );
}

const compiled = (module: unknown): module is KernelModules =>
  module instanceof WebAssembly.Module ||
  (Array.isArray(module) && module.length > 0 && module.every((one) => one instanceof WebAssembly.Module));

export * from '../errors.ts';
export type { Classification, ClassifyInput, ClassifyOptions, ClassifyStep } from '../forward/classifier.ts';
export type { ByteSource } from '../bytes/source.ts';
export type { ModelSource } from '../bytes/resolve.ts';
export type { ModelDescription } from '../description/description.ts';
export {
  type FinishReason,
  type GenerateChunk,
  type GenerateOptions,
  type GenerateUsage,
  Model,
  type ModelStats,
} from '../model/model.ts';
export type { OpenOptions, OpenProgress } from '../model/open.ts';
export type { CallOptions } from '../bytes/pace.ts';
export { type Overflow, Session, type SessionOptions } from '../session/session.ts';
export { openTokenizer } from '../tokenizer/open.ts';
export type { Tokenizer } from '../tokenizer/tokenizer.ts';
