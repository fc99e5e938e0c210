/**
 * GGUF, versions 2 and 3, little-endian: header, metadata and tensor table. The weights are not touched.
 *
 * The file is taken as hostile. A declared length or count is compared with a limit and with the bytes that are left
 * before anything is allocated or looped over, so the work is bounded by the bytes read, and those by MAX_HEADER_BYTES.
 * Names and keys live in Maps, never as properties of objects.
 *
 * Text: keys, tensor names and the elements of arrays (vocabularies, merges) must be UTF-8, as two pieces could
 * otherwise become one. In a single string (a description, a template) bytes that are not UTF-8 become U+FFFD.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import { Reader } from '../bytes/reader.ts';
import type { ByteSource } from '../bytes/source.ts';
import { type ErrorCode, ModelFileError } from '../errors.ts';
import {
  MAX_ALIGNMENT,
  MAX_ARRAY_ELEMENTS,
  MAX_DIM,
  MAX_DIMS,
  MAX_HEADER_BYTES,
  MAX_KEY_BYTES,
  MAX_METADATA_ENTRIES,
  MAX_NAME_BYTES,
  MAX_STRING_BYTES,
  MAX_TENSORS,
} from '../limits.ts';
import { elementsOf, typeOfId, unreadType } from './ggml-types.ts';
import { placeTensors, type TensorEntry } from './gguf-layout.ts';
import {
  ARRAY_ID,
  DEFAULT_ALIGNMENT,
  GGUF_MAGIC,
  type GgufScalarType,
  type GgufValueType,
  quote,
  scalarOfId,
  VALUE_TYPES,
} from './gguf-types.ts';
import type { Container, MetadataValue, TensorInfo } from './tensor.ts';

/** A GGUF file, with what is needed to write the like of it. */
export interface GgufContainer extends Container {
  readonly format: 'gguf';
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly version: number;
  /** Type of each metadata value in the file. */
  readonly metadataTypes: ReadonlyMap<string, GgufValueType>;
  /** Each tensor begins at a multiple of this. */
  readonly alignment: number;
  /** First byte of the tensor data. */
  readonly dataStart: number;
}

/** Key length, one byte of key, type, one byte of value. */
const MIN_ENTRY_BYTES = 8 + 1 + 4 + 1;
/** Name length, one byte of name, number of dimensions, type, offset. */
const MIN_TENSOR_BYTES = 8 + 1 + 4 + 4 + 8;

/**
 * Reads everything but the weights of one file. A model in several is one file to `readGguf` of parts.ts.
 * @throws {ModelFileError} a `GGUF_…` or `TENSOR_…` code for a malformed file or one beyond a limit, `UNKNOWN_FORMAT`
 *   for another magic number
 * @throws {IoError} `TRUNCATED` when the file ends within the header; what the source throws
 * @example
 * const { metadata, tensors } = await readGgufPart(await openFile('stories.gguf'));
 * metadata.get('general.architecture');          // 'llama'
 * tensors.get('token_embd.weight')?.shape;       // [512, 64]
 */
export async function readGgufPart(
  source: ByteSource,
  options: { signal?: AbortSignal } = {},
): Promise<GgufContainer> {
  const header = new Header(source, options.signal);
  const { version, tensorCount, entryCount } = await header.counts();
  const metadata = new Map<string, MetadataValue>();
  const metadataTypes = new Map<string, GgufValueType>();
  for (let i = 0; i < entryCount; i++) {
    const { key, type, value } = await header.entry(i, metadata);
    metadata.set(key, value);
    metadataTypes.set(key, type);
  }
  const alignment = header.alignment(metadata, metadataTypes);
  const entries = new Map<string, TensorEntry>();
  for (let i = 0; i < tensorCount; i++) {
    const entry = await header.tensor(i, entries);
    entries.set(entry.name, entry);
  }
  const dataStart = alignUp(header.position, alignment);
  const tensors = placeTensors([...entries.values()], {
    fileName: source.name,
    fileBytes: source.size,
    start: dataStart,
    alignment,
  });
  return { format: 'gguf', version, metadata, metadataTypes, tensors, alignment, dataStart, size: source.size };
}

/** One pass over the header. Every method begins where the one before it stopped. */
class Header {
  readonly #reader: Reader;
  readonly #name: string;

  constructor(source: ByteSource, signal: AbortSignal | undefined) {
    this.#reader = new Reader(source, { limitBytes: MAX_HEADER_BYTES, limitCode: 'GGUF_HEADER', signal });
    this.#name = source.name;
  }

  get position(): number {
    return this.#reader.position;
  }

  async counts(): Promise<{ version: number; tensorCount: number; entryCount: number }> {
    const reader = this.#reader;
    await reader.ensure(4, 'the magic number of a GGUF file');
    const magic = reader.u32();
    if (magic !== GGUF_MAGIC) {
      throw this.#error('UNKNOWN_FORMAT', `the magic number is 0x${magic.toString(16)}, GGUF files begin with "GGUF"`);
    }
    await reader.ensure(4, 'the GGUF version');
    const version = reader.u32();
    if ((version & 0xffff) === 0 && version !== 0) {
      throw this.#error(
        'GGUF_VERSION',
        `version 0x${version.toString(16)}: the byte order is big-endian, only little-endian files can be read`,
      );
    }
    if (version !== 2 && version !== 3) {
      throw this.#error('GGUF_VERSION', `GGUF version ${version}, versions 2 and 3 can be read; convert it again`);
    }
    await reader.ensure(16, 'the number of tensors and metadata entries');
    const tensorCount = this.#count('tensors', MAX_TENSORS, MIN_TENSOR_BYTES);
    const entryCount = this.#count('metadata entries', MAX_METADATA_ENTRIES, MIN_ENTRY_BYTES);
    return { version, tensorCount, entryCount };
  }

  #count(what: string, atMost: number, bytesEach: number): number {
    const count = this.#reader.u64();
    const left = this.#reader.left;
    if (count > atMost) throw this.#error('GGUF_COUNT', `${count} ${what}, at most ${atMost} are read`);
    if (Number(count) * bytesEach > left) {
      throw this.#error('GGUF_COUNT', `${count} ${what} take ${bytesEach} bytes each at least, ${left} bytes are left`);
    }
    return Number(count);
  }

  /** One metadata entry. @param known keys so far */
  async entry(
    index: number,
    known: ReadonlyMap<string, unknown>,
  ): Promise<{ key: string; type: GgufValueType; value: MetadataValue }> {
    const reader = this.#reader;
    const label = `metadata key ${index}`;
    const key = await this.#identifier(label, 'GGUF_KEY', MAX_KEY_BYTES);
    if (known.has(key)) throw this.#error('GGUF_KEY', `${label}, ${quote(key)}, occurs twice`);
    const what = `metadata ${quote(key)}`;
    await reader.ensure(4, `the type of ${what}`);
    const id = reader.u32();
    if (id === ARRAY_ID) {
      const { type, values } = await this.#array(what);
      return { key, type: `${type}[]`, value: values };
    }
    const type = this.#scalarType(id, what);
    if (type === 'string') return { key, type, value: await this.#string(what) };
    return { key, type, value: (await this.#numbers(type, 1, what))[0] };
  }

  async #array(what: string): Promise<{ type: GgufScalarType; values: MetadataValue[] }> {
    const reader = this.#reader;
    await reader.ensure(12, `the type and length of ${what}`);
    const id = reader.u32();
    if (id === ARRAY_ID) throw this.#error('GGUF_ARRAY', `${what} is an array of arrays; models do not use these`);
    const type = this.#scalarType(id, what);
    const count = reader.u64();
    const { left } = reader;
    const { bytes } = VALUE_TYPES[type];
    if (count > MAX_ARRAY_ELEMENTS) {
      throw this.#error('GGUF_ARRAY', `${what} has ${count} elements, at most ${MAX_ARRAY_ELEMENTS} are read`);
    }
    if (Number(count) * bytes > left) {
      const each = `${bytes} bytes each${type === 'string' ? ' at least' : ''}`;
      throw this.#error('GGUF_ARRAY', `${what} has ${count} elements of ${each}, ${left} bytes are left`);
    }
    if (type === 'string') return { type, values: await this.#strings(Number(count), what) };
    return { type, values: await this.#numbers(type, Number(count), what) };
  }

  #scalarType(id: number, what: string): GgufScalarType {
    const type = scalarOfId(id);
    if (type === undefined) throw this.#error('GGUF_TYPE', `${what} has value type ${id}, types 0 to 12 are known`);
    return type;
  }

  async #numbers(type: Exclude<GgufScalarType, 'string'>, count: number, what: string): Promise<MetadataValue[]> {
    const reader = this.#reader;
    const { bytes } = VALUE_TYPES[type];
    const read = READ[type];
    const values: MetadataValue[] = []; // grows with what was read, whatever was declared
    for (let i = 0; i < count;) {
      if (!reader.has(bytes)) await reader.ensure(bytes, what);
      for (const stop = Math.min(count, i + Math.floor(reader.ready / bytes)); i < stop; i++) {
        const value = read(reader);
        if (value === null) throw this.#error('GGUF_TYPE', `${what} is a bool that is neither 0 nor 1 (element ${i})`);
        values.push(value);
      }
    }
    return values;
  }

  async #strings(count: number, what: string): Promise<string[]> {
    const reader = this.#reader;
    const values: string[] = [];
    for (let i = 0; i < count; i++) {
      if (!reader.has(8)) await reader.ensure(8, what);
      const length = this.#length('GGUF_STRING', MAX_STRING_BYTES, what, i);
      if (!reader.has(length)) await reader.ensure(length, what);
      const text = reader.utf8(length, true);
      if (text === null) throw this.#error('GGUF_STRING', `${what}, element ${i}, is not UTF-8`);
      values.push(text);
    }
    return values;
  }

  async #string(what: string): Promise<string> {
    await this.#reader.ensure(8, what);
    const length = this.#length('GGUF_STRING', MAX_STRING_BYTES, what);
    await this.#reader.ensure(length, what);
    return this.#reader.utf8(length, false);
  }

  /** A key or a name: not empty, UTF-8, and without NUL, behind which C programs would see nothing. */
  async #identifier(what: string, code: ErrorCode, atMost: number): Promise<string> {
    await this.#reader.ensure(8, what);
    const length = this.#length(code, atMost, what);
    await this.#reader.ensure(length, what);
    const text = this.#reader.utf8(length, true);
    if (text === null) throw this.#error(code, `${what} is not UTF-8`);
    if (text === '') throw this.#error(code, `${what} is empty`);
    if (text.includes('\0')) throw this.#error(code, `${what}, ${quote(text)}, has a NUL character`);
    return text;
  }

  /** @param code thrown for a length beyond the limit; one beyond the file is always `GGUF_STRING` */
  #length(code: ErrorCode, atMost: number, what: string, element: number | null = null): number {
    const length = this.#reader.u64();
    const { left } = this.#reader;
    if (length <= left && length <= atMost) return Number(length);
    const place = element === null ? what : `${what}, element ${element},`;
    if (length <= left) throw this.#error(code, `${place} has ${length} bytes, at most ${atMost} are read`);
    throw this.#error('GGUF_STRING', `${place} declares ${length} bytes, ${left} are left in the file`);
  }

  alignment(metadata: ReadonlyMap<string, MetadataValue>, types: ReadonlyMap<string, GgufValueType>): number {
    const type = types.get('general.alignment');
    if (type === undefined) return DEFAULT_ALIGNMENT;
    const value = metadata.get('general.alignment');
    if (type !== 'uint32' || typeof value !== 'number') {
      throw this.#error('GGUF_ALIGN', `general.alignment is of type ${type}, expected uint32`);
    }
    if (value < 1 || value > MAX_ALIGNMENT || (value & (value - 1)) !== 0) {
      throw this.#error('GGUF_ALIGN', `general.alignment is ${value}, expected a power of two up to ${MAX_ALIGNMENT}`);
    }
    return value;
  }

  /** One row of the tensor table. @param known names so far */
  async tensor(index: number, known: ReadonlyMap<string, unknown>): Promise<TensorEntry> {
    const reader = this.#reader;
    const label = `the name of tensor ${index}`;
    const name = await this.#identifier(label, 'TENSOR_NAME', MAX_NAME_BYTES);
    if (known.has(name)) throw this.#error('TENSOR_NAME', `${label}, ${quote(name)}, occurs twice`);
    const what = `tensor ${quote(name)}`;
    await reader.ensure(4, what);
    const dims = reader.u32();
    if (dims > MAX_DIMS) throw this.#error('GGUF_DIMS', `${what} has ${dims} dimensions, at most ${MAX_DIMS} are read`);
    await reader.ensure(dims * 8 + 12, what);
    const shape: number[] = [];
    for (let i = 0; i < dims; i++) {
      const dim = reader.u64();
      if (dim > MAX_DIM) throw this.#error('GGUF_DIMS', `${what} has dimension ${i} of ${dim}, at most ${MAX_DIM}`);
      shape.unshift(Number(dim));
    }
    const elements = elementsOf(shape);
    if (elements === Infinity) {
      throw this.#error('GGUF_DIMS', `${what} of ${shape.join(' × ')} has more than 2^53 elements`);
    }
    const id = reader.u32();
    const offset = reader.u64();
    const type = typeOfId(id) ?? unreadType(id);
    return { name, type, shape, elements, offset };
  }

  #error(code: ErrorCode, text: string): ModelFileError {
    return new ModelFileError(code, `${this.#name}: ${text}`);
  }
}

/** null for a bool that is neither 0 nor 1. */
const READ: Readonly<Record<Exclude<GgufScalarType, 'string'>, (reader: Reader) => MetadataValue | null>> = {
  uint8: (reader) => reader.u8(),
  int8: (reader) => reader.i8(),
  uint16: (reader) => reader.u16(),
  int16: (reader) => reader.i16(),
  uint32: (reader) => reader.u32(),
  int32: (reader) => reader.i32(),
  float32: (reader) => reader.f32(),
  bool: (reader) => {
    const byte = reader.u8();
    return byte > 1 ? null : byte === 1;
  },
  uint64: (reader) => reader.u64(),
  int64: (reader) => reader.i64(),
  float64: (reader) => reader.f64(),
};
