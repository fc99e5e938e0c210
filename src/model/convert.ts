/**
 * Models in another weight type: any container in, GGUF out.
 * @module
 */
import { ARCHITECTURES, openModelContainer } from '../architectures/index.ts';
import type { ByteSource } from '../bytes/source.ts';
import type { ByteSink } from '../container/gguf-write.ts';
import { convertGguf } from '../convert/gguf.ts';
import { checkTypes, CONVERT_RULES, CONVERT_TYPES } from '../convert/options.ts';
import type { ConvertOptions, ConvertResult } from '../convert/types.ts';
import { ModelFileError } from '../errors.ts';
import { checkOptions } from '../options.ts';
import type { KernelModules } from '../wasm/instantiate.ts';

/**
 * Converts a model. A tensor that already has its type is copied bit for bit, after it was checked.
 * @param modules the compiled kernels
 * @throws {ModelFileError} `WEIGHT_NOT_FINITE`, `TERNARY_CODE` for a damaged file; `TENSOR_TYPE` for weights that the
 *   type cannot hold; `UNKNOWN_FORMAT` for a container that the architecture is not converted from
 * @throws {OptionError} for a type or an option that the architecture does not have
 * @throws What the reader and the writer throw; the signal's reason. What was written by
 *   then is not a model.
 * @example
 * const { tensors } = await convertModel(modules, await openFile('in.gguf'), sink, { type: 'tq2_0' });
 */
export async function convertModel(
  modules: KernelModules,
  source: ByteSource,
  sink: ByteSink,
  options: ConvertOptions,
): Promise<ConvertResult> {
  checkOptions('convert', options, CONVERT_RULES, ['type']);
  checkTypes(options, CONVERT_TYPES);
  const container = await openModelContainer(source, { signal: options.signal, config: options.config });
  const from = container.source ?? source;
  const entry = ARCHITECTURES.find(({ matches }) => matches(container));
  try {
    const convert = await (await entry?.architecture())?.convert?.();
    if (convert) return await convert(modules, from, container, sink, options);
    if (container.format === 'gguf' || container.format === 'huggingface') {
      return await convertGguf(modules, from, container, sink, options);
    }
  } finally {
    await container.source?.close?.();
  }
  throw new ModelFileError(
    'UNKNOWN_FORMAT',
    `${source.name} is a ${container.format} file; only GGUF files and Hugging Face folders can be converted, and checkpoints of models that spike`,
  );
}
