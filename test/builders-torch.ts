/**
 * Bytes of safetensors files, zip archives, pickles and PyTorch checkpoints, built in memory. Every field can be given
 * a malformed value; what is not given is as `torch.save` and `safetensors` write it.
 * @module
 */
import { ByteBuilder, utf8 } from './builders.ts';

/** A safetensors file of a header, given as text or as a value, and the bytes behind it. */
export function safetensorsBytes(
  header: string | Uint8Array | object,
  data: Uint8Array | number = 0,
  length?: number | bigint,
): Uint8Array {
  const out = new ByteBuilder();
  const text = typeof header === 'string' || header instanceof Uint8Array ? header : JSON.stringify(header);
  out.string(text, length);
  out.bytes(typeof data === 'number' ? new Uint8Array(data) : data);
  return out.take();
}

/** One file of a zip archive; what its local header and its entry in the directory say can be told apart. */
export interface ZipFile {
  name: string | Uint8Array;
  data?: Uint8Array;
  /** Bit 3, and sizes of 0 in the local header, as PyTorch writes them; true. */
  sizesFollow?: boolean;
  /** Method and flags of both headers, or of one. */
  method?: number;
  flags?: number;
  local?: { name?: string; method?: number; flags?: number; sizes?: readonly [number, number]; extra?: Uint8Array };
  listed?: {
    name?: string;
    method?: number;
    flags?: number;
    header?: number;
    size?: number;
    packed?: number;
    extra?: Uint8Array;
    disk?: number;
  };
}

/** What stands around the files. */
export interface ZipParts {
  prefix?: Uint8Array;
  /** Bytes between the files and the directory. */
  gap?: number;
  comment?: string;
  /** zip64 end record; true, as PyTorch writes it. */
  zip64?: boolean;
  count?: number;
  start?: number;
  bytes?: number;
  wide?: { count?: number | bigint; bytes?: number | bigint; start?: number | bigint; record?: number | bigint };
  disk?: number;
  /** Files of this part of the archive. */
  here?: number;
}

/** Data begins at multiples of this. */
const ALIGNMENT = 64;

/** A zip archive of stored files. */
export function zipBytes(files: readonly ZipFile[], parts: ZipParts = {}): Uint8Array {
  const out = new ByteBuilder();
  out.bytes(parts.prefix ?? new Uint8Array(0));
  const at = files.map((file) => putLocal(out, file));
  out.bytes(new Uint8Array(parts.gap ?? 0));
  putDirectory(out, files.map((file, i) => ({ file, header: at[i], size: file.data?.length ?? 0 })), parts);
  return out.take();
}

/** Local header and data of one file. @returns position of the header */
export function putLocal(out: ByteBuilder, file: ZipFile): number {
  const { data = new Uint8Array(0), sizesFollow = true, local = {} } = file;
  const header = out.length;
  const name = typeof file.name === 'string' || local.name !== undefined
    ? utf8(local.name ?? `${file.name}`)
    : file.name;
  const sizes = local.sizes ?? (sizesFollow ? [0, 0] : [data.length, data.length]);
  const before = header + 30 + name.length + 4;
  const extra = local.extra ?? paddingExtra(Math.ceil(before / ALIGNMENT) * ALIGNMENT - before);
  out.u32(0x04034b50);
  out.u16(0);
  out.u16(local.flags ?? file.flags ?? (sizesFollow ? 0x808 : 0x800));
  out.u16(local.method ?? file.method ?? 0);
  out.u32(0);
  out.u32(0);
  out.u32(sizes[0]);
  out.u32(sizes[1]);
  out.u16(name.length);
  out.u16(extra.length);
  out.bytes(name);
  out.bytes(extra);
  out.bytes(data);
  if (sizesFollow) out.bytes(new Uint8Array(16));
  return header;
}

function paddingExtra(bytes: number): Uint8Array {
  const out = new ByteBuilder();
  out.u16(0x4246);
  out.u16(bytes);
  out.bytes(new Uint8Array(bytes).fill(0x5a));
  return out.take();
}

/** Directory and end records. Places and sizes beyond 4 GiB get zip64 fields. */
export function putDirectory(
  out: ByteBuilder,
  files: ReadonlyArray<{ file: ZipFile; header: number; size: number }>,
  parts: ZipParts = {},
  base: number = 0,
): void {
  const start = base + out.length;
  for (const { file, header, size } of files) putListed(out, file, header, size);
  const bytes = base + out.length - start;
  const end = base + out.length;
  const { disk = 0, wide = {}, comment = '' } = parts;
  if (parts.zip64 ?? true) {
    out.u32(0x06064b50);
    out.u64(44);
    out.u16(0x031e);
    out.u16(45);
    out.u32(disk);
    out.u32(disk);
    out.u64(parts.here ?? wide.count ?? files.length);
    out.u64(wide.count ?? files.length);
    out.u64(wide.bytes ?? bytes);
    out.u64(wide.start ?? start);
    out.u32(0x07064b50);
    out.u32(0);
    out.u64(wide.record ?? end);
    out.u32(1);
  }
  out.u32(0x06054b50);
  out.u16(disk);
  out.u16(disk);
  out.u16(parts.here ?? parts.count ?? Math.min(files.length, 0xffff));
  out.u16(parts.count ?? Math.min(files.length, 0xffff));
  out.u32(parts.bytes ?? bytes);
  out.u32(parts.start ?? Math.min(start, 0xffffffff));
  out.u16(utf8(comment).length);
  out.bytes(utf8(comment));
}

function putListed(out: ByteBuilder, file: ZipFile, header: number, dataBytes: number): void {
  const { listed = {}, sizesFollow = true } = file;
  const name = typeof file.name === 'string' || listed.name !== undefined
    ? utf8(listed.name ?? `${file.name}`)
    : file.name;
  const size = listed.size ?? dataBytes;
  const packed = listed.packed ?? size;
  const place = listed.header ?? header;
  const wide = [size, packed, place].filter((value) => value >= 0xffffffff);
  const extra = new ByteBuilder();
  if (wide.length > 0) {
    extra.u16(1);
    extra.u16(wide.length * 8);
    for (const value of wide) extra.u64(value);
  }
  const field = listed.extra ?? extra.take();
  out.u32(0x02014b50);
  out.u32(0);
  out.u16(listed.flags ?? file.flags ?? (sizesFollow ? 0x808 : 0x800));
  out.u16(listed.method ?? file.method ?? 0);
  out.u32(0);
  out.u32(0);
  out.u32(Math.min(packed, 0xffffffff));
  out.u32(Math.min(size, 0xffffffff));
  out.u16(name.length);
  out.u16(field.length);
  out.u16(0);
  out.u16(listed.disk ?? 0);
  out.u16(0);
  out.u32(0);
  out.u32(Math.min(place, 0xffffffff));
  out.bytes(name);
  out.bytes(field);
}

/** A value that `pickleBytes` writes: plain JavaScript, and these. Objects are dictionaries, arrays lists. */
export type Picklable =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Picklable[]
  | { readonly [key: string]: Picklable }
  | ReadonlyMap<Picklable, Picklable>
  | PickleCode;

/** Instructions that leave one value on the stack. */
export class PickleCode {
  readonly bytes: Uint8Array;
  constructor(...parts: ReadonlyArray<number | string | Uint8Array>) {
    const out = new ByteBuilder();
    for (const part of parts) {
      if (typeof part === 'number') out.u8(part);
      else out.bytes(typeof part === 'string' ? utf8(part) : part);
    }
    this.bytes = out.take();
  }
}

/** A pickle. Protocols from 4 on have frames. */
export function pickleBytes(value: Picklable, protocol: number = 2): Uint8Array {
  const body = new PickleCode(code(value), '.').bytes;
  if (protocol < 4) return new PickleCode(0x80, protocol, body).bytes;
  const length = new ByteBuilder();
  length.u64(body.length);
  return new PickleCode(0x80, protocol, 0x95, length.take(), body).bytes;
}

/** Instructions for a value. */
export function code(value: Picklable): Uint8Array {
  if (value instanceof PickleCode) return value.bytes;
  if (value === null) return utf8('N');
  if (typeof value === 'boolean') return new PickleCode(value ? 0x88 : 0x89).bytes;
  const out = new ByteBuilder();
  if (typeof value === 'number') {
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) {
      out.u8(0x4a);
      out.u32(value);
      return out.take();
    }
    if (Number.isInteger(value)) return code(BigInt(value));
    const bits = new DataView(new ArrayBuffer(8));
    bits.setFloat64(0, value);
    return new PickleCode('G', new Uint8Array(bits.buffer)).bytes;
  }
  if (typeof value === 'bigint') {
    const bytes: number[] = [];
    for (let left = BigInt.asUintN(136, value), i = 0; i < 17; i++, left >>= 8n) bytes.push(Number(left & 255n));
    return new PickleCode(0x8a, 17, new Uint8Array(bytes)).bytes;
  }
  if (typeof value === 'string') {
    out.u8(0x58);
    out.u32(utf8(value).length);
    out.bytes(utf8(value));
    return out.take();
  }
  if (Array.isArray(value)) return new PickleCode('](', ...value.map(code), 'e').bytes;
  const entries: Iterable<readonly [Picklable, Picklable]> = value instanceof Map ? value : Object.entries(value);
  return new PickleCode('}(', ...[...entries].flatMap(([key, item]) => [code(key), code(item)]), 'u').bytes;
}

export function tuple(...items: Picklable[]): PickleCode {
  return new PickleCode('(', ...items.map(code), 't');
}

export function pickleGlobal(module: string, name: string): PickleCode {
  return new PickleCode(`c${module}\n${name}\n`);
}

export function call(callee: PickleCode, ...args: Picklable[]): PickleCode {
  return new PickleCode(callee.bytes, tuple(...args).bytes, 'R');
}

/** A tensor in a checkpoint; row-major, alone in its storage, unless a field says otherwise. */
export interface TorchTensor {
  shape: readonly number[];
  /** Name of the storage class; `FloatStorage`. */
  storage?: string;
  /** File of the storage. */
  key?: Picklable;
  offset?: Picklable;
  stride?: readonly Picklable[];
  /** Elements of the storage as the pickle has them. */
  elements?: Picklable;
  size?: Picklable;
  /** Type of the elements, of a storage that has none. */
  dtype?: string;
  /** What a storage is a part of, in old files. */
  view?: Picklable;
  /** Arguments behind the others. */
  more?: readonly Picklable[];
}

/** The call that makes a tensor. */
export function torchTensor(tensor: TorchTensor): PickleCode {
  const { shape, storage = 'FloatStorage', key = '0', offset = 0, more = [] } = tensor;
  const stride = tensor.stride ?? shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const { elements = shape.reduce((a, b) => a * b, 1), size = tuple(...shape) } = tensor;
  const { dtype, view } = tensor;
  const kind = pickleGlobal(storage === 'UntypedStorage' ? 'torch.storage' : 'torch', storage);
  const id = tuple('storage', kind, key, 'cpu', elements, ...(view === undefined ? [] : [view]));
  const reference = new PickleCode(id.bytes, 'Q');
  const hooks = call(pickleGlobal('collections', 'OrderedDict'));
  const rebuild = pickleGlobal('torch._utils', dtype === undefined ? '_rebuild_tensor_v2' : '_rebuild_tensor_v3');
  const typed = dtype === undefined ? [] : [pickleGlobal('torch', dtype)];
  return call(rebuild, reference, offset, size, tuple(...stride), false, hooks, ...typed, ...more);
}

/** A checkpoint: the value of its pickle (or the pickle), and the bytes of its storages by file name. */
export function torchBytes(
  root: Picklable | Uint8Array,
  storages: Readonly<Record<string, Uint8Array>> = {},
  files: readonly ZipFile[] = [],
  parts: ZipParts = {},
): Uint8Array {
  const pickle = root instanceof Uint8Array ? root : pickleBytes(root);
  const all: ZipFile[] = [
    { name: 'model/data.pkl', data: pickle },
    ...Object.entries(storages).map(([key, data]) => ({ name: `model/data/${key}`, data })),
    { name: 'model/version', data: utf8('3\n') },
    ...files,
  ];
  return zipBytes(all, parts);
}

/** What a checkpoint of the format before version 1.6 begins with, if nothing else is asked for. */
export interface LegacyParts {
  magic?: Picklable;
  version?: Picklable;
  system?: Picklable;
  /** Names of the storages as they are listed. */
  keys?: Picklable;
  /** Elements as each storage has them. */
  counts?: Readonly<Record<string, number | bigint>>;
  protocol?: number;
}

const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;

/** A checkpoint of that format: pickles, then for each storage its elements and bytes. @param width bytes of an element */
export function legacyTorchBytes(
  root: Picklable,
  storages: Readonly<Record<string, Uint8Array>>,
  parts: LegacyParts = {},
  width: number = 4,
): Uint8Array {
  const { magic = LEGACY_MAGIC, version = 1001, keys = Object.keys(storages), counts = {}, protocol } = parts;
  const { system = { protocol_version: 1001, little_endian: true, type_sizes: { int: 4 } } } = parts;
  const out = new ByteBuilder();
  for (const value of [magic, version, system, root, keys]) out.bytes(pickleBytes(value, protocol));
  for (const [key, data] of Object.entries(storages)) {
    out.u64(counts[key] ?? data.length / width);
    out.bytes(data);
  }
  return out.take();
}
