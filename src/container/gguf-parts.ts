/**
 * GGUF in several files, as gguf-split cuts them: `NAME-00001-of-00003.gguf` and so on. The first has the metadata, each
 * has its own table of tensors, and `split.no`, `split.count` and `split.tensors.count` say what belongs together.
 * @module
 */
import { Joiner } from '../bytes/join.ts';
import type { ByteSource } from '../bytes/source.ts';
import { ModelFileError } from '../errors.ts';
import { MAX_PARTS, MAX_TENSORS } from '../limits.ts';
import { type GgufContainer, readGguf } from './gguf.ts';
import { quote } from './gguf-types.ts';
import type { WeightInfo } from './tensor.ts';

/** The name of a part: what comes before, its number from 1, how many there are. */
const PART_NAME = /([^\\/]*)-(\d{5})-of-(\d{5})\.gguf$/;

/**
 * Reads everything but the weights of a GGUF file, and of the other files where it is one of several.
 * @param source any of the parts; the others are found beside it
 * @throws {ModelFileError} `GGUF_SHARDS` for a part that is missing, of another model or another number, or that repeats
 *   tensors; what `readGguf` throws
 * @throws {IoError} what the source throws
 * @example
 * const { tensors, source } = await readGgufParts(await openFile('big-00001-of-00003.gguf'));
 */
export async function readGgufParts(
  source: ByteSource,
  options: { signal?: AbortSignal } = {},
): Promise<GgufContainer> {
  const opened = await readGguf(source, options);
  const count = opened.metadata.get('split.count');
  if (typeof count !== 'number' && typeof count !== 'bigint' || count <= 1) return opened;
  const refuse = (why: string, name: string = source.name): ModelFileError =>
    new ModelFileError('GGUF_SHARDS', `${name}: ${why}`);
  if (count > MAX_PARTS) throw refuse(`split.count is ${count}, at most ${MAX_PARTS} parts are read`);
  const parts = Number(count);
  const name = PART_NAME.exec(source.name);
  if (name === null || source.file === undefined) {
    throw refuse(
      `this is one of ${parts} parts (split.count), and the others cannot be found from here; pass the path or URL of ` +
        'NAME-00001-of-0000N.gguf with all parts in one folder, an array of their Files, or merge them into one file',
    );
  }
  if (Number(name[3]) !== parts) throw refuse(`the name says ${Number(name[3])} parts, split.count ${parts}`);
  const here = Number(name[2]) - 1;
  const joiner = new Joiner();
  const tensors = new Map<string, WeightInfo>();
  let first = opened;
  for (let part = 0; part < parts; part++) {
    const file = `${name[1]}-${String(part + 1).padStart(5, '0')}-of-${name[3]}.gguf`;
    const bytes = part === here ? source : await source.file(file, options.signal);
    if (bytes === null) {
      throw refuse(`part ${part + 1} of ${parts}, ${quote(file)}, does not lie beside it; is the download complete?`);
    }
    const container = part === here ? opened : await readGguf(bytes, options);
    if (part === 0) first = container;
    checkPart(container, first, part, parts, (why) => refuse(why, bytes.name));
    const start = joiner.add(bytes);
    for (const info of container.tensors.values()) {
      if (tensors.has(info.name)) throw refuse(`tensor ${quote(info.name)} stands in a part before it too`, bytes.name);
      if (tensors.size === MAX_TENSORS) throw refuse(`the parts have more than ${MAX_TENSORS} tensors`, bytes.name);
      tensors.set(info.name, Object.freeze({ ...info, offset: start + info.offset }));
    }
  }
  const total = first.metadata.get('split.tensors.count');
  if (total !== undefined && Number(total) !== tensors.size) {
    throw refuse(`split.tensors.count is ${String(total)}, the ${parts} parts have ${tensors.size} tensors`);
  }
  const [metadata, metadataTypes] = [new Map(first.metadata), new Map(first.metadataTypes)];
  for (const key of ['split.no', 'split.count', 'split.tensors.count']) {
    metadata.delete(key);
    metadataTypes.delete(key);
  }
  return { ...first, metadata, metadataTypes, tensors, size: joiner.size, source: joiner.source(source.name) };
}

/** Whether a file is the part it is taken for. */
function checkPart(
  { metadata }: GgufContainer,
  first: GgufContainer,
  part: number,
  parts: number,
  refuse: (why: string) => ModelFileError,
): void {
  const expected: readonly (readonly [string, unknown])[] = [
    ['split.no', part],
    ['split.count', parts],
    ['split.tensors.count', first.metadata.get('split.tensors.count')],
  ];
  for (const [key, value] of expected) {
    const found = metadata.get(key);
    if (value === undefined || Number(found) === Number(value)) continue;
    throw refuse(
      `${key} is ${found === undefined ? 'missing' : String(found)}, expected ${String(value)} in part ${part + 1} of ` +
        `${parts}; it is another part or belongs to another model`,
    );
  }
  const architecture = metadata.get('general.architecture');
  if (architecture !== undefined && architecture !== first.metadata.get('general.architecture')) {
    throw refuse(`general.architecture differs from that of the first part; it belongs to another model`);
  }
}
