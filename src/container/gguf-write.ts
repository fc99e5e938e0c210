/**
 * Writing GGUF version 3, as llama.cpp reads it: header first, then the tensors one after the other, each padded to
 * the alignment. Data is passed on as it comes; nothing but the header is held.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import { ModelFileError } from '../errors.ts';
import {
  MAX_ALIGNMENT,
  MAX_ARRAY_ELEMENTS,
  MAX_DIM,
  MAX_DIMS,
  MAX_HEADER_BYTES,
  MAX_KEY_BYTES,
  MAX_METADATA_ENTRIES,
  MAX_STRING_BYTES,
  MAX_TENSORS,
} from '../limits.ts';
import { elementsOf, tensorBytes, TYPE_LAYOUTS } from './ggml-types.ts';
import {
  ARRAY_ID,
  DEFAULT_ALIGNMENT,
  GGUF_MAGIC,
  type GgufScalarType,
  type GgufValueType,
  quote,
  VALUE_TYPES,
} from './gguf-types.ts';
import type { MetadataValue, TensorType } from './tensor.ts';

/** Where written bytes go. A chunk may be reused by the writer's caller once `write` has settled. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>;
}

/** A metadata value and the type it is stored as. */
export interface GgufEntry {
  readonly type: GgufValueType;
  readonly value: MetadataValue;
}

/** A tensor to come. */
export interface GgufTensor {
  readonly name: string;
  /** Any type but I2_S, which is no standard type. Q2_0 is written in groups of 64. */
  readonly type: TensorType;
  /** Row-major, outermost first. */
  readonly shape: readonly number[];
}

/** Everything that stands in the header. */
export interface GgufHeader {
  /** An entry `general.alignment` sets the alignment; 32 without. */
  readonly metadata: ReadonlyMap<string, GgufEntry>;
  /** In the order in which their data will be written. */
  readonly tensors: readonly GgufTensor[];
}

/** Longest tensor name that llama.cpp takes. */
const MAX_WRITTEN_NAME_BYTES = 63;

/**
 * Writes the header and returns the writer of the data.
 * @throws {ModelFileError} `GGUF_WRITE` for a header that could not be read back; nothing has been written then
 * @example
 * const writer = await writeGguf(sink, { metadata, tensors: [{ name: 'w', type: 'F32', shape: [2, 4] }] });
 * await writer.write('w', new Uint8Array(32));
 * await writer.finish();
 */
export async function writeGguf(sink: ByteSink, header: GgufHeader): Promise<GgufWriter> {
  const alignment = alignmentOf(header.metadata);
  const bytes = encodeHeader(header, alignment);
  await sink.write(bytes);
  return new GgufWriter(sink, header.tensors, alignment, bytes.length);
}

/** Takes the data of the tensors, in order and in pieces of any size. Made by `writeGguf`. */
export class GgufWriter {
  readonly #sink: ByteSink;
  readonly #tensors: readonly GgufTensor[];
  readonly #alignment: number;
  #index = 0;
  /** Bytes of the present tensor so far. */
  #done = 0;
  #written: number;

  constructor(sink: ByteSink, tensors: readonly GgufTensor[], alignment: number, headerBytes: number) {
    this.#sink = sink;
    this.#tensors = tensors;
    this.#alignment = alignment;
    this.#written = headerBytes;
  }

  /** Bytes of the file so far. */
  get bytesWritten(): number {
    return this.#written;
  }

  /**
   * Appends to the data of a tensor; the padding behind its last byte is added.
   * @throws {ModelFileError} `GGUF_WRITE` when another tensor's turn it is, or for more bytes than the tensor has
   */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    await this.#passEmpty();
    const tensor = this.#tensors[this.#index];
    if (tensor === undefined || tensor.name !== name) {
      // an empty tensor has been passed by already
      if (bytes.length === 0 && this.#tensors.some((other) => other.name === name)) return;
      throw refusal(`data of tensor ${quote(name)}, expected ${this.#expected()}`);
    }
    const total = tensorBytes(tensor.type, tensor.shape);
    if (this.#done + bytes.length > total) {
      throw refusal(`tensor ${quote(name)} takes ${total} bytes, ${this.#done + bytes.length} were given`);
    }
    await this.#put(bytes);
    this.#done += bytes.length;
    if (this.#done === total) await this.#next();
  }

  /** Ends the file. @throws {ModelFileError} `GGUF_WRITE` when data is missing */
  async finish(): Promise<void> {
    await this.#passEmpty();
    if (this.#index < this.#tensors.length) {
      throw refusal(`the file was ended with ${this.#done} bytes of tensor ${this.#expected()}`);
    }
  }

  async #passEmpty(): Promise<void> {
    for (;;) {
      const tensor = this.#tensors[this.#index];
      if (tensor === undefined || tensorBytes(tensor.type, tensor.shape) > 0) return;
      await this.#next();
    }
  }

  async #next(): Promise<void> {
    const padding = alignUp(this.#written, this.#alignment) - this.#written;
    if (padding > 0) await this.#put(new Uint8Array(padding));
    this.#index++;
    this.#done = 0;
  }

  async #put(bytes: Uint8Array): Promise<void> {
    await this.#sink.write(bytes);
    this.#written += bytes.length;
  }

  #expected(): string {
    const tensor = this.#tensors[this.#index];
    return tensor === undefined ? 'no more data' : quote(tensor.name);
  }
}

function alignmentOf(metadata: GgufHeader['metadata']): number {
  const entry = metadata.get('general.alignment');
  if (entry === undefined) return DEFAULT_ALIGNMENT;
  const { type, value } = entry;
  const inRange = typeof value === 'number' && value >= 1 && value <= MAX_ALIGNMENT;
  if (inRange && type === 'uint32' && (value & (value - 1)) === 0) return value;
  const found = `${String(value)} of type ${type}`;
  throw refusal(`general.alignment is ${found}, expected a uint32 power of two up to ${MAX_ALIGNMENT}`);
}

function encodeHeader({ metadata, tensors }: GgufHeader, alignment: number): Uint8Array {
  if (metadata.size > MAX_METADATA_ENTRIES) {
    throw refusal(`${metadata.size} metadata entries, at most ${MAX_METADATA_ENTRIES}`);
  }
  if (tensors.length > MAX_TENSORS) throw refusal(`${tensors.length} tensors, at most ${MAX_TENSORS}`);
  const out = new Bytes();
  out.u32(GGUF_MAGIC);
  out.u32(3);
  out.u64(tensors.length);
  out.u64(metadata.size);
  for (const [key, entry] of metadata) {
    putIdentifier(out, 'metadata key', key, MAX_KEY_BYTES);
    putEntry(out, `metadata ${quote(key)}`, entry);
  }
  const names = new Set<string>();
  let offset = 0;
  for (const tensor of tensors) {
    if (names.has(tensor.name)) throw refusal(`tensor ${quote(tensor.name)} occurs twice`);
    names.add(tensor.name);
    offset = alignUp(offset, alignment);
    putTensor(out, tensor, offset);
    offset += tensorBytes(tensor.type, tensor.shape);
  }
  out.zeros(alignUp(out.length, alignment) - out.length);
  return out.take();
}

function putTensor(out: Bytes, { name, type, shape }: GgufTensor, offset: number): void {
  const what = `tensor ${quote(name)}`;
  putIdentifier(out, 'tensor name', name, MAX_WRITTEN_NAME_BYTES);
  const layout = TYPE_LAYOUTS[type];
  if (layout === undefined || type === 'I2_S') throw refusal(`${what}: type ${type} cannot be written`);
  if (shape.length > MAX_DIMS) throw refusal(`${what} has ${shape.length} dimensions, at most ${MAX_DIMS}`);
  if (!shape.every((dim) => Number.isInteger(dim) && dim >= 0 && dim <= MAX_DIM) || elementsOf(shape) === Infinity) {
    throw refusal(`${what} has shape ${shape.join(' × ')}; dimensions are integers from 0 to ${MAX_DIM}`);
  }
  const row = shape.at(-1) ?? 1;
  if (row % layout.blockElements !== 0) {
    throw refusal(`${what} of type ${type} has rows of ${row}, not a multiple of ${layout.blockElements}`);
  }
  out.u32(shape.length);
  for (const dim of shape.toReversed()) out.u64(dim);
  out.u32(layout.id);
  out.u64(offset);
}

function putEntry(out: Bytes, what: string, { type, value }: GgufEntry): void {
  if (type.endsWith('[]')) {
    const element = type.slice(0, -2) as GgufScalarType;
    if (!Array.isArray(value)) throw refusal(`${what} of type ${type} is not an array`);
    if (value.length > MAX_ARRAY_ELEMENTS) {
      throw refusal(`${what} has ${value.length} elements, at most ${MAX_ARRAY_ELEMENTS}`);
    }
    out.u32(ARRAY_ID);
    out.u32(idOf(element, what));
    out.u64(value.length);
    for (const item of value) putValue(out, what, element, item);
    return;
  }
  out.u32(idOf(type as GgufScalarType, what));
  putValue(out, what, type as GgufScalarType, value);
}

function idOf(type: GgufScalarType, what: string): number {
  const known = VALUE_TYPES[type];
  if (known === undefined) throw refusal(`${what} has the unknown type ${type}`);
  return known.id;
}

function putValue(out: Bytes, what: string, type: GgufScalarType, value: MetadataValue): void {
  const wrong = (): ModelFileError => refusal(`${what}: ${quote(String(value))} is not a ${type}`);
  switch (type) {
    case 'string':
      if (typeof value !== 'string') throw wrong();
      return putString(out, what, value, MAX_STRING_BYTES);
    case 'bool':
      if (typeof value !== 'boolean') throw wrong();
      return out.u8(Number(value));
    case 'float32':
    case 'float64':
      if (typeof value !== 'number') throw wrong();
      return type === 'float32' ? out.f32(value) : out.f64(value);
    default: {
      const { bytes } = VALUE_TYPES[type];
      const wrap = type.startsWith('int') ? BigInt.asIntN : BigInt.asUintN;
      if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) throw wrong();
      const integer = BigInt(value as number | bigint);
      if (wrap(bytes * 8, integer) !== integer) throw wrong();
      return out.integer(integer, bytes);
    }
  }
}

function putIdentifier(out: Bytes, what: string, text: string, atMost: number): void {
  if (text === '' || text.includes('\0')) throw refusal(`${what} ${quote(text)} is empty or has a NUL character`);
  putString(out, `${what} ${quote(text)}`, text, atMost);
}

function putString(out: Bytes, what: string, text: string, atMost: number): void {
  // Half a surrogate pair has no UTF-8 form; the encoder would replace it, and two strings could become one.
  if (/[\uD800-\uDFFF]/u.test(text)) throw refusal(`${what} has half a surrogate pair`);
  const length = text.length > atMost ? text.length : out.text(text);
  if (length > atMost) throw refusal(`${what} has ${length} bytes, at most ${atMost}`);
}

function refusal(text: string): ModelFileError {
  return new ModelFileError('GGUF_WRITE', text);
}

/** Little-endian bytes that grow as they are written, up to what a reader accepts as a header. */
class Bytes {
  #bytes: Uint8Array = new Uint8Array(1 << 16);
  #view: DataView = new DataView(this.#bytes.buffer);
  length = 0;

  u8(value: number): void {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
  }
  u32(value: number): void {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
  }
  u64(value: number): void {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, BigInt(value), true);
  }
  f32(value: number): void {
    const at = this.#grow(4);
    this.#view.setFloat32(at, value, true);
  }
  f64(value: number): void {
    const at = this.#grow(8);
    this.#view.setFloat64(at, value, true);
  }

  /** The lowest `bytes` bytes of a value in two's complement. */
  integer(value: bigint, bytes: number): void {
    const at = this.#grow(8);
    this.#view.setBigInt64(at, value, true);
    this.length = at + bytes;
  }

  /** A length and UTF-8; returns the length. */
  text(text: string): number {
    const start = this.#grow(8 + text.length * 3);
    const { written } = new TextEncoder().encodeInto(text, this.#bytes.subarray(start + 8));
    this.#view.setBigUint64(start, BigInt(written), true);
    this.length = start + 8 + written;
    return written;
  }

  zeros(count: number): void {
    const at = this.#grow(count);
    this.#bytes.fill(0, at, at + count);
  }

  take(): Uint8Array {
    if (this.length > MAX_HEADER_BYTES) throw refusal(`a header of ${this.length} bytes, at most ${MAX_HEADER_BYTES}`);
    return this.#bytes.subarray(0, this.length);
  }

  #grow(bytes: number): number {
    const at = this.length;
    this.length = at + bytes;
    if (this.length > this.#bytes.length) {
      // `text` asks for three bytes a character, so the bound is checked with that much to spare
      if (at > MAX_HEADER_BYTES) throw refusal(`the header is longer than ${MAX_HEADER_BYTES} bytes`);
      const grown = new Uint8Array(Math.max(this.length, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}
