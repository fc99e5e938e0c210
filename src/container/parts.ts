/**
 * Models in several files: their bytes one after the other as one source, so that nothing behind the container knows of
 * parts. GGUF is cut by llama.cpp's gguf-split (`NAME-00001-of-00003.gguf`), safetensors and PyTorch checkpoints by transformers
 * (`model.safetensors.index.json`, `pytorch_model.bin.index.json`).
 * @module
 */
import { type ByteSource, readFully } from '../bytes/source.ts';
import { ModelFileError } from '../errors.ts';
import { MAX_INDEX_BYTES, MAX_PARTS } from '../limits.ts';
import { type GgufContainer, readGgufPart } from './gguf.ts';
import { quote } from './gguf-types.ts';
import { readSafetensors, type SafetensorsContainer } from './safetensors.ts';
import type { Container, TensorInfo } from './tensor.ts';
import type { TorchContainer } from './torch.ts';

/** Sources one after the other. Closing it closes them. @param name what errors call it */
export function joinSources(parts: readonly ByteSource[], name: string): ByteSource {
  const starts: number[] = [];
  let size = 0;
  for (const part of parts) {
    starts.push(size);
    size += part.size;
  }
  return {
    size,
    name,
    read(into, offset, signal) {
      const at = starts.findLastIndex((start) => start <= offset);
      const part = parts[at];
      const left = starts[at] + part.size - offset; // a read ends with its part, and the rest is asked for again
      return left <= 0
        ? Promise.resolve(0)
        : part.read(into.length > left ? into.subarray(0, left) : into, offset - starts[at], signal);
    },
    async close() {
      for (const part of parts) await part.close?.();
    },
  };
}

/** The tensors of parts in one table, their offsets moved to where the parts begin. @throws {ModelFileError} `TENSOR_NAME` */
function joinTables<T extends TensorInfo>(
  parts: readonly { readonly tensors: ReadonlyMap<string, T>; readonly source: ByteSource }[],
): Map<string, T> {
  const all = new Map<string, T>();
  let start = 0;
  for (const { tensors, source } of parts) {
    for (const [name, info] of tensors) {
      if (all.has(name)) {
        throw new ModelFileError('TENSOR_NAME', `${source.name}: tensor ${quote(name)} occurs in two parts`);
      }
      all.set(name, { ...info, offset: info.offset + start });
    }
    start += source.size;
  }
  return all;
}

/** `NAME-00002-of-00003.gguf`, without the folder. */
const PART = /^(.*-)(\d{5})(-of-(\d{5})\.gguf)$/;

/** The last piece of a path or URL. */
function fileName(name: string): string {
  return name.replace(/[?#].*$/, '').replace(/^.*[\\/]/, '');
}

/**
 * A GGUF model of one file or, opened by any of its parts, of several.
 * @throws {ModelFileError} `GGUF_SHARDS` for a part that is missing or of another model; what `readGgufPart` throws
 */
export async function readGguf(source: ByteSource, options: { signal?: AbortSignal } = {}): Promise<GgufContainer> {
  const { signal } = options;
  const opened = await readGgufPart(source, options);
  const count = Number(opened.metadata.get('split.count') ?? 1);
  if (!(count > 1)) return opened;
  const refuse = (why: string): never => {
    throw new ModelFileError('GGUF_SHARDS', `${source.name} is one of ${count} parts (split.count): ${why}`);
  };
  if (count > MAX_PARTS || !Number.isInteger(count)) refuse(`at most ${MAX_PARTS} are read`);
  const [, before, , after, total] = PART.exec(fileName(source.name)) ?? [];
  if (before === undefined || Number(total) !== count) {
    refuse(`its name does not end in -0000N-of-${String(count).padStart(5, '0')}.gguf, so the others cannot be found`);
  }
  if (!source.sibling) refuse('open it by its path, its URL, or as a set of Files, so that the others can be found');
  const joined: ByteSource[] = [];
  const parts: { container: GgufContainer; tensors: GgufContainer['tensors']; source: ByteSource }[] = [];
  try {
    for (let no = 0; no < count; no++) {
      const name = `${before}${String(no + 1).padStart(5, '0')}${after}`;
      const own = name === fileName(source.name);
      const part = own ? { ...source, close: undefined } : await source.sibling?.(name, signal);
      if (!part) return refuse(`${name} is missing`);
      joined.push(part);
      const container = own ? opened : await readGgufPart(part, options);
      const numbers = ['split.no', 'split.count'].map((key) => Number(container.metadata.get(key)));
      if (numbers[0] !== no || numbers[1] !== count) {
        refuse(`${name} says it is part ${numbers[0] + 1} of ${numbers[1]}; it belongs to another model`);
      }
      parts.push({ container, tensors: container.tensors, source: part });
    }
    const tensors = joinTables(parts);
    const stated = Number(parts[0].container.metadata.get('split.tensors.count') ?? tensors.size);
    if (tensors.size !== stated) refuse(`they contain ${tensors.size} tensors, split.tensors.count is ${stated}`);
    const whole = joinSources(joined, source.name);
    return { ...parts[0].container, tensors, size: whole.size, source: whole };
  } catch (error) {
    for (const part of joined) await part.close?.();
    throw error;
  }
}

/** What an index says: the file of each tensor. @throws {ModelFileError} `ST_SHARDS` */
async function readIndex(source: ByteSource, signal?: AbortSignal): Promise<Map<string, string>> {
  const refuse = (why: string): never => {
    throw new ModelFileError('ST_SHARDS', `${source.name}: ${why}`);
  };
  if (source.size > MAX_INDEX_BYTES) refuse(`the index has ${source.size} bytes, at most ${MAX_INDEX_BYTES} are read`);
  const bytes = new Uint8Array(source.size);
  await readFully(source, bytes, 0, 'the index', signal);
  let map: unknown;
  try {
    map = (JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as { weight_map?: unknown }).weight_map;
  } catch (cause) {
    refuse(`the index is not JSON: ${String(cause)}`);
  }
  if (typeof map !== 'object' || map === null) return refuse('the index contains no weight_map');
  const files = new Map(
    Object.entries(map as Record<string, unknown>).map(([tensor, file]) => {
      if (
        typeof file !== 'string' || !/^[^\\/:?#%\0]+\.(?:safetensors|bin|pt|pth)$/.test(file) || file.startsWith('.')
      ) {
        return refuse(`tensor ${quote(tensor)} is in ${quote(String(file))}, which is not a file of this folder`);
      }
      return [tensor, file] as const;
    }),
  );
  const count = new Set(files.values()).size;
  if (count === 0 || count > MAX_PARTS) refuse(`the index names ${count} files, 1 to ${MAX_PARTS} are read`);
  return files;
}

/** A file of a model in several: safetensors, or a PyTorch checkpoint of either format. */
async function readShard(file: string, source: ByteSource, options: { signal?: AbortSignal }): Promise<Container> {
  if (file.endsWith('.safetensors')) return readSafetensors(source, options);
  const { readLegacyTorch, readTorch } = await import('./torch.ts');
  const head = new Uint8Array(Math.min(2, source.size));
  await readFully(source, head, 0, 'the magic number of the file', options.signal);
  return head[0] === 0x80 ? readLegacyTorch(source, options) : readTorch(source, options);
}

/**
 * A safetensors or PyTorch model in several files, by its index.
 * @throws {ModelFileError} `ST_SHARDS` for an index that is malformed, names files outside its folder or that are not there, or
 *   contradicts them; what `readSafetensors` and `readTorch` throw
 */
export async function readShards(
  source: ByteSource,
  options: { signal?: AbortSignal } = {},
): Promise<SafetensorsContainer | TorchContainer> {
  const files = await readIndex(source, options.signal);
  const joined: ByteSource[] = [];
  try {
    const parts: { tensors: Container['tensors']; source: ByteSource }[] = [];
    for (const file of new Set(files.values())) {
      const part = await source.sibling?.(file, options.signal);
      if (!part) {
        throw new ModelFileError(
          'ST_SHARDS',
          `${source.name} names ${file}, which ${
            source.sibling ? 'is missing' : 'cannot be found: open the folder, or a set of Files'
          }`,
        );
      }
      joined.push(part);
      const { tensors } = await readShard(file, part, options);
      for (const tensor of tensors.keys()) {
        if (files.get(tensor) === file) continue;
        const stated = files.get(tensor);
        throw new ModelFileError(
          'ST_SHARDS',
          `${file} contains tensor ${quote(tensor)}, which the index ${
            stated ? `places in ${stated}` : 'does not name'
          }`,
        );
      }
      parts.push({ tensors, source: part });
    }
    const tensors = joinTables(parts);
    const missing = [...files.keys()].find((tensor) => !tensors.has(tensor));
    if (missing !== undefined) {
      throw new ModelFileError(
        'ST_SHARDS',
        `${files.get(missing)} does not contain tensor ${quote(missing)} of the index`,
      );
    }
    const whole = joinSources(joined, source.name);
    const format = joined.length > 0 && [...files.values()][0].endsWith('.safetensors') ? 'safetensors' : 'torch';
    return { format, metadata: new Map(), tensors, size: whole.size, source: whole };
  } catch (error) {
    for (const part of joined) await part.close?.();
    throw error;
  }
}
