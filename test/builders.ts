/**
 * Bytes of container files, built in memory. Every field can be given a malformed value; what is not given is right.
 * Malformed files are built where they are tested, never stored.
 * @module
 */
import { tensorBytes, TYPE_LAYOUTS } from '../src/container/ggml-types.ts';
import { ARRAY_ID, type GgufScalarType, type GgufValueType, VALUE_TYPES } from '../src/container/gguf-types.ts';
import type { MetadataValue, TensorType } from '../src/container/tensor.ts';

/** A well-formed metadata entry. */
export type MetaEntry = readonly [key: string, type: GgufValueType, value: MetadataValue];

/** A metadata entry with any field overridden. */
export interface RawEntry {
  key: string | Uint8Array;
  /** Declared bytes of the key. */
  keyLength?: number | bigint;
  /** A name, or any number. */
  type: GgufValueType | number;
  /** Written behind the type as it is. */
  raw: Uint8Array;
}

/** A tensor, well-formed unless a field says otherwise. */
export interface BuiltTensor {
  name: string | Uint8Array;
  nameLength?: number | bigint;
  /** A name, or any number. */
  type: TensorType | number;
  /** Row-major, outermost first. */
  shape: readonly number[];
  /** Dimensions as they stand in the file, innermost first, instead of those of `shape`. */
  dims?: ReadonlyArray<number | bigint>;
  /** Number of dimensions that is written. */
  dimCount?: number;
  /** Its data; zeros of the right length unless given. */
  data?: ArrayBufferView;
  /** Offset that is written; where the data lies unless given. */
  offset?: number | bigint;
}

/** Fields of a GGUF file. */
export interface GgufParts {
  magic?: string | number;
  version?: number;
  tensorCount?: number | bigint;
  entryCount?: number | bigint;
  metadata?: ReadonlyArray<MetaEntry | RawEntry>;
  tensors?: readonly BuiltTensor[];
  /** Alignment of the data; 32. No entry is written for it. */
  alignment?: number;
  /** Pad behind the last tensor; true. */
  padEnd?: boolean;
  /** Leave out everything behind the tensor table. */
  headerOnly?: boolean;
}

/**
 * The bytes of a GGUF file.
 * @example
 * ggufBytes({
 *   metadata: [['general.architecture', 'string', 'llama'], ['llama.block_count', 'uint32', 2]],
 *   tensors: [{ name: 'output_norm.weight', type: 'F32', shape: [64], data: new Float32Array(64).fill(1) }],
 * });
 */
export function ggufBytes(parts: GgufParts = {}): Uint8Array {
  const { metadata = [], tensors = [], alignment = 32, padEnd = true } = parts;
  const out = new ByteBuilder();
  if (typeof parts.magic === 'number') out.u32(parts.magic);
  else out.bytes(utf8(parts.magic ?? 'GGUF'));
  out.u32(parts.version ?? 3);
  out.u64(parts.tensorCount ?? tensors.length);
  out.u64(parts.entryCount ?? metadata.length);
  for (const entry of metadata) putEntry(out, entry);
  let offset = 0;
  const data = tensors.map((tensor) => dataOf(tensor));
  tensors.forEach((tensor, i) => {
    offset = padded(offset, alignment);
    putTensor(out, tensor, offset);
    offset += data[i].length;
  });
  if (parts.headerOnly) return out.take();
  tensors.forEach((_, i) => {
    out.pad(alignment);
    out.bytes(data[i]);
  });
  if (padEnd) out.pad(alignment);
  return out.take();
}

/** A string as it stands in a file; `length` may lie. */
export function ggufString(text: string | Uint8Array, length?: number | bigint): Uint8Array {
  const out = new ByteBuilder();
  out.string(text, length);
  return out.take();
}

/** An array as it stands behind its type: element type, length and `raw` bytes; all may lie. */
export function ggufArray(
  type: GgufScalarType | number,
  length: number | bigint,
  raw: Uint8Array = bytesOf(),
): Uint8Array {
  const out = new ByteBuilder();
  out.u32(typeof type === 'number' ? type : VALUE_TYPES[type].id);
  out.u64(length);
  out.bytes(raw);
  return out.take();
}

/** Numbers as little-endian bytes. */
export function u32Bytes(...values: number[]): Uint8Array {
  const out = new ByteBuilder();
  for (const value of values) out.u32(value);
  return out.take();
}

/** Numbers as little-endian bytes. */
export function u64Bytes(...values: Array<number | bigint>): Uint8Array {
  const out = new ByteBuilder();
  for (const value of values) out.u64(value);
  return out.take();
}

export function bytesOf(...values: number[]): Uint8Array {
  return new Uint8Array(values);
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function putEntry(out: ByteBuilder, entry: MetaEntry | RawEntry): void {
  if ('raw' in entry) {
    out.string(entry.key, entry.keyLength);
    const { type } = entry;
    out.u32(typeof type === 'number' ? type : type.endsWith('[]') ? ARRAY_ID : VALUE_TYPES[type as GgufScalarType].id);
    out.bytes(entry.raw);
    return;
  }
  const [key, type, value] = entry;
  out.string(key);
  if (type.endsWith('[]')) {
    const element = type.slice(0, -2) as GgufScalarType;
    const items = value as MetadataValue[];
    out.u32(ARRAY_ID);
    out.u32(VALUE_TYPES[element].id);
    out.u64(items.length);
    for (const item of items) out.value(element, item);
  } else {
    out.u32(VALUE_TYPES[type as GgufScalarType].id);
    out.value(type as GgufScalarType, value);
  }
}

function putTensor(out: ByteBuilder, tensor: BuiltTensor, offset: number): void {
  const dims = tensor.dims ?? [...tensor.shape].reverse();
  out.string(tensor.name, tensor.nameLength);
  out.u32(tensor.dimCount ?? dims.length);
  for (const dim of dims) out.u64(dim);
  out.u32(typeof tensor.type === 'number' ? tensor.type : TYPE_LAYOUTS[tensor.type].id);
  out.u64(tensor.offset ?? offset);
}

function dataOf({ data, type, shape }: BuiltTensor): Uint8Array {
  if (data !== undefined) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(typeof type === 'number' ? 0 : Math.ceil(tensorBytes(type, shape)));
}

function padded(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** Little-endian bytes, one after the other. */
export class ByteBuilder {
  #bytes: Uint8Array = new Uint8Array(1024);
  #view: DataView = new DataView(this.#bytes.buffer);
  length = 0;

  u8(value: number): void {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
  }
  u16(value: number): void {
    const at = this.#grow(2);
    this.#view.setUint16(at, value, true);
  }
  u32(value: number): void {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
  }
  /** Takes any value modulo 2^64. */
  u64(value: number | bigint): void {
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
  bytes(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
  }
  string(text: string | Uint8Array, length?: number | bigint): void {
    const bytes = typeof text === 'string' ? utf8(text) : text;
    this.u64(length ?? bytes.length);
    this.bytes(bytes);
  }
  pad(to: number): void {
    this.#grow(padded(this.length, to) - this.length);
  }

  value(type: GgufScalarType, value: MetadataValue): void {
    switch (type) {
      case 'string':
        return this.string(String(value));
      case 'bool':
        return this.u8(Number(value));
      case 'float32':
        return this.f32(Number(value));
      case 'float64':
        return this.f64(Number(value));
      case 'uint64':
      case 'int64':
        return this.u64(value as number | bigint);
      default: {
        const { bytes } = VALUE_TYPES[type];
        if (bytes === 1) return this.u8(Number(value));
        return bytes === 2 ? this.u16(Number(value)) : this.u32(Number(value));
      }
    }
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }

  #grow(bytes: number): number {
    const at = this.length;
    this.length = at + bytes;
    if (this.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.length, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}
