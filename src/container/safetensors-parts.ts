/**
 * safetensors in several files: `model.safetensors.index.json` says which tensor lies in which file of the same folder.
 * @module
 */
import { Joiner } from '../bytes/join.ts';
import { type ByteSource, readFully } from '../bytes/source.ts';
import { ModelFileError } from '../errors.ts';
import { MAX_INDEX_BYTES, MAX_PARTS, MAX_TENSORS } from '../limits.ts';
import { quote } from './gguf-types.ts';
import { Config } from './huggingface/config.ts';
import { readSafetensors, type SafetensorsContainer } from './safetensors.ts';
import type { TensorInfo } from './tensor.ts';

/** Names of files that cannot lead out of the folder, whether it is one of a disk or of a server. */
const PLAIN_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$/;

/**
 * Reads everything but the weights.
 * @param source the index; the files are found beside it
 * @throws {ModelFileError} `ST_SHARDS` for an index that is malformed or names a file outside the folder, a file that is
 *   missing, and one whose tensors are not those of the index; what `readSafetensors` throws
 * @throws {IoError} what the source throws
 */
export async function readSafetensorsParts(
  source: ByteSource,
  options: { signal?: AbortSignal } = {},
): Promise<SafetensorsContainer> {
  const refuse = (why: string, name: string = source.name): ModelFileError =>
    new ModelFileError('ST_SHARDS', `${name}: ${why}`);
  if (source.size > MAX_INDEX_BYTES) {
    throw refuse(`the index has ${source.size} bytes, at most ${MAX_INDEX_BYTES} are read`);
  }
  if (source.file === undefined) {
    throw refuse(
      'this is the index of a model in several files, and they cannot be found from here; pass the path or URL of the ' +
        'folder, an array of its Files, or merge them into one file',
    );
  }
  const bytes = new Uint8Array(source.size);
  await readFully(source, bytes, 0, 'the index', options.signal);
  const places = readIndex(bytes, source.name, refuse);

  const joiner = new Joiner();
  const metadata = new Map<string, string>();
  const tensors = new Map<string, TensorInfo>();
  for (const file of new Set(places.values())) {
    const part = await source.file(file, options.signal);
    if (part === null) {
      throw refuse(`the index names ${quote(file)}, which does not lie beside it; is the download complete?`);
    }
    const container = await readSafetensors(part, options);
    const start = joiner.add(part);
    for (const info of container.tensors.values()) {
      const place = places.get(info.name);
      if (place !== file) {
        const where = place === undefined ? 'does not know it' : `says ${quote(place)}`;
        throw refuse(`tensor ${quote(info.name)} lies here, the index ${where}`, part.name);
      }
      tensors.set(info.name, Object.freeze({ ...info, offset: start + info.offset }));
    }
    for (const [key, value] of container.metadata) metadata.set(key, String(value));
  }
  for (const [name, file] of places) {
    if (!tensors.has(name)) throw refuse(`the index says that tensor ${quote(name)} lies in ${file}, which has none`);
  }
  return { format: 'safetensors', metadata, tensors, size: joiner.size, source: joiner.source(source.name) };
}

/** Tensor → file. */
function readIndex(bytes: Uint8Array, name: string, refuse: (why: string) => ModelFileError): Map<string, string> {
  let map: Config | null;
  const places = new Map<string, string>();
  try {
    map = Config.parse(bytes, name).object('weight_map');
    for (const tensor of map?.keys() ?? []) places.set(tensor, map!.string(tensor));
  } catch (cause) {
    throw Object.assign(refuse(`the index is malformed: ${(cause as Error).message}`), { cause });
  }
  if (places.size === 0) throw refuse('the index has no weight_map, or an empty one');
  if (places.size > MAX_TENSORS) throw refuse(`the index names ${places.size} tensors, at most ${MAX_TENSORS} are read`);
  const files = new Set(places.values());
  if (files.size > MAX_PARTS) throw refuse(`the index names ${files.size} files, at most ${MAX_PARTS} are read`);
  for (const file of files) {
    if (PLAIN_NAME.test(file)) continue;
    throw refuse(`the index names ${quote(file.slice(0, 80))}, which is no plain name of a file in the same folder`);
  }
  return places;
}
