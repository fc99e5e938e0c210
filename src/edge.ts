/**
 * The entry for hosts that forbid compiling WebAssembly at run time, such as Cloudflare Workers: the caller imports a
 * `.wasm` file of this package, which arrives compiled. Single-laned, no workers.
 *
 * @example
 * import { open } from 'ternspike/edge';
 * import module from 'ternspike/wasm/relaxed.wasm';
 * const model = await open(bytes, { module });
 * @module
 */
import type { ModelSource } from './bytes/resolve.ts';
import { OptionError } from './errors.ts';
import type { Model } from './model.ts';
import { type OpenOptions, openWith } from './open.ts';

/**
 * Opens a model with a compiled kernels module.
 * @throws {OptionError} without `options.module`; otherwise as `open` of `ternspike`
 */
export function open(source: ModelSource, options: OpenOptions & { module: WebAssembly.Module }): Promise<Model> {
  return openWith(
    ({ module }) => {
      if (module instanceof WebAssembly.Module) return Promise.resolve({ module, build: 'custom' as const });
      throw new OptionError(
        'OPTION',
        'module is missing; import ternspike/wasm/base.wasm or relaxed.wasm and pass it as { module }',
      );
    },
    source,
    options,
  );
}

export * from './errors.ts';
export type { ByteSource } from './bytes/source.ts';
export type { ModelSource } from './bytes/resolve.ts';
export type { ModelDescription } from './model/description.ts';
export {
  type FinishReason,
  type GenerateChunk,
  type GenerateOptions,
  type GenerateUsage,
  Model,
  type ModelStats,
} from './model.ts';
export type { OpenOptions, OpenProgress } from './open.ts';
export { type CallOptions, type Overflow, Session, type SessionOptions } from './session/session.ts';
export { openTokenizer } from './tokenizer/open.ts';
export type { Tokenizer } from './tokenizer/tokenizer.ts';
