/**
 * Tensors of a file as runs of weights: read, decoded, encoded and measured in the few megabytes of one memory.
 * @module
 */
import { type ByteSource, readFully } from '../bytes/source.ts';
import { elementsOf, TYPE_LAYOUTS, weightType } from '../container/ggml-types.ts';
import { quote } from '../container/gguf-types.ts';
import type { Container, TensorInfo } from '../container/tensor.ts';
import { MemoryError, ModelFileError } from '../errors.ts';
import { packedScale, rowScales } from '../description/layout.ts';
import { Arena } from '../wasm/arena.ts';
import { BlockCodec, type EncodedType, type Encoding } from './codec.ts';
import { instantiate, type KernelModules } from '../wasm/instantiate.ts';
import { ErrorSums } from './quantise.ts';

/** Most elements at a time: a multiple of every block. */
export const RUN: number = 1 << 18;
const PAGE = 65536;

/** By how much weights moved, absolute. */
export interface Errors {
  readonly maxError: number;
  readonly rmsError: number;
}

/** How a tensor is stored: I8 has a scale for every row, U2_ROWS codes of four quarters of so many elements. */
type Stored =
  | Encoding
  | { readonly type: 'U2_ROWS'; readonly scale: number; readonly quarter: number }
  | { readonly type: 'I8'; readonly scales: Float32Array; readonly cols: number };

/** Takes what one run became, and the bytes of the source it came from. */
export type Take = (bytes: Uint8Array, read: number) => Promise<void>;

/** Buffers of one conversion, in a memory of their own. */
export class Runs {
  readonly #container: Container;
  readonly #source: ByteSource;
  readonly #signal: AbortSignal | undefined;
  readonly #arena: Arena;
  readonly #codec: BlockCodec;
  readonly #in: number;
  readonly #weights: number;
  readonly #out: number;
  readonly #back: number;

  constructor(modules: KernelModules, container: Container, source: ByteSource, signal: AbortSignal | undefined) {
    this.#container = container;
    this.#source = source;
    this.#signal = signal;
    this.#arena = new Arena(newMemory(4 * 4 * RUN));
    this.#codec = new BlockCodec(instantiate(modules, this.#arena.memory), this.#arena, RUN);
    this.#in = this.#arena.alloc(4 * RUN, 'stored weights');
    this.#weights = this.#arena.alloc(4 * RUN, 'weights');
    this.#out = this.#arena.alloc(4 * RUN, 'encoded weights');
    this.#back = this.#arena.alloc(4 * RUN, 'decoded weights');
  }

  /** Every run of a tensor in the type `to`, from first to last; as it is stored where that is null. */
  async convert(info: TensorInfo, to: EncodedType | null, take: Take): Promise<Errors> {
    const elements = elementsOf(info.shape);
    const from = await this.#stored(info, elements);
    const sums = new ErrorSums();
    for (let at = 0; at < elements; at += RUN) {
      const n = Math.min(RUN, elements - at);
      const stored = await this.#decode(info, from, at, n);
      // the same type is copied: encoding again could move a value by a rounding
      if (to === null || to === info.type) await take(stored, stored.length);
      else await take(this.#encode(info, to, at, n, sums), stored.length);
    }
    return sums.errors;
  }

  /** Makes runs of a tensor in the type `to`, from element `at` on; `at` and n are whole blocks. Bytes are valid until the next. */
  async reader(info: TensorInfo, to: EncodedType): Promise<(at: number, n: number) => Promise<Uint8Array>> {
    const from = await this.#stored(info, elementsOf(info.shape));
    return async (at, n) => {
      await this.#decode(info, from, at, n);
      return this.#encode(info, to, at, n, new ErrorSums());
    };
  }

  /**
   * The weights of a tensor, whole rows at a time.
   * @param visit gets the rows one after the other, valid until it settles, the index of the first, and bytes read
   */
  async rows(
    info: TensorInfo,
    visit: (weights: Float32Array, row: number, read: number) => Promise<void> | void,
  ): Promise<void> {
    const [rows, cols] = info.shape;
    const from = await this.#stored(info, rows * cols);
    const step = Math.max(1, Math.floor(RUN / cols));
    for (let row = 0; row < rows; row += step) {
      const n = Math.min(step, rows - row) * cols;
      const { length } = await this.#decode(info, from, row * cols, n);
      await visit(this.#arena.f32(this.#weights, n), row, length);
    }
  }

  /** n floats as blocks of `to`; the scale of a block is what the encoder chooses. The bytes are valid until the next call. */
  blocks(values: Float32Array, to: EncodedType): Uint8Array {
    const { blockElements, blockBytes } = TYPE_LAYOUTS[to];
    this.#arena.f32(this.#back, values.length).set(values);
    this.#codec.encode(to, this.#back, this.#out, values.length);
    return this.#arena.u8(this.#out, (values.length / blockElements) * blockBytes);
  }

  /** Floats of a tensor, from element `at` on, as blocks of `to`. The bytes are valid until the next call. */
  encode(info: TensorInfo, values: Float32Array, to: EncodedType, at: number, sums: ErrorSums): Uint8Array {
    this.#arena.f32(this.#weights, values.length).set(values);
    return this.#encode(info, to, at, values.length, sums);
  }

  /** A number as f16: its bits, and what they stand for. */
  half(x: number): { readonly bits: number; readonly value: number } {
    this.#arena.f32(this.#back, 1)[0] = x;
    this.#codec.encode('F16', this.#back, this.#out, 1);
    this.#codec.decode({ type: 'F16', blockElements: 1 }, this.#out, this.#back, 1);
    const [low, high] = this.#arena.u8(this.#out, 2);
    return { bits: low | (high << 8), value: this.#arena.f32(this.#back, 1)[0] };
  }

  /** The scales of the rows of an I8 matrix. */
  async rowScales(info: TensorInfo): Promise<Float32Array> {
    const vector = rowScales(this.#container, info) as TensorInfo;
    const scales = new Float32Array(info.shape[0]);
    await readFully(
      this.#source,
      new Uint8Array(scales.buffer),
      vector.offset,
      `tensor ${quote(vector.name)}`,
      this.#signal,
    );
    const bad = scales.findIndex((scale) => !Number.isFinite(scale));
    if (bad >= 0) refuseDamaged(vector, bad, 'not-finite');
    return scales;
  }

  async #stored(info: TensorInfo, elements: number): Promise<Stored> {
    const type = weightType(info);
    if (type === 'I8') return { type, scales: await this.rowScales(info), cols: info.shape[1] };
    if (type === 'U2_ROWS') return { type, scale: await this.#packedScale(info), quarter: elements / 4 };
    return { type, blockElements: info.blockElements, scale: await this.#tensorScale(info, elements) };
  }

  /** Reads n elements and decodes them. @returns the bytes as stored */
  async #decode(info: TensorInfo, from: Stored, at: number, n: number): Promise<Uint8Array> {
    this.#signal?.throwIfAborted();
    if (from.type === 'U2_ROWS') return await this.#decodeQuarters(info, from, at, n);
    const stored = this.#arena.u8(this.#in, runBytes(info, n));
    await readFully(this.#source, stored, info.offset + runBytes(info, at), `tensor ${quote(info.name)}`, this.#signal);
    if (from.type === 'I8') {
      const weights = this.#arena.f32(this.#weights, n);
      const codes = this.#arena.i8(this.#in, n);
      for (let i = 0; i < n; i++) weights[i] = from.scales[Math.floor((at + i) / from.cols)] * codes[i];
      return stored;
    }
    const bad = this.#codec.decode(from, this.#in, this.#weights, n);
    if (bad) refuseDamaged(info, at + bad.element, bad.kind);
    return stored;
  }

  /** The same for codes packed four rows to a byte: those of a quarter are in as many bytes, one after the other. */
  async #decodeQuarters(
    info: TensorInfo,
    { scale, quarter }: { readonly scale: number; readonly quarter: number },
    at: number,
    n: number,
  ): Promise<Uint8Array> {
    const bytes = this.#arena.u8(this.#in, n);
    const weights = this.#arena.f32(this.#weights, n);
    for (let done = 0; done < n;) {
      const q = Math.floor((at + done) / quarter);
      const end = Math.min(n, (q + 1) * quarter - at);
      const from = info.offset + at + done - q * quarter;
      await readFully(this.#source, bytes.subarray(done, end), from, `tensor ${quote(info.name)}`, this.#signal);
      for (; done < end; done++) {
        const code = (bytes[done] >> (2 * q)) & 3;
        if (code === 3) refuseDamaged(info, at + done, 'code');
        weights[done] = (code - 1) * scale;
      }
    }
    return bytes.subarray(0, n / 4); // every byte is read once for each quarter
  }

  /** What the codes of a packed matrix are multiplied by. */
  async #packedScale(info: TensorInfo): Promise<number> {
    const beside = packedScale(this.#container, info);
    await this.#decode(beside.info, await this.#stored(beside.info, 1), 0, 1);
    const [scale] = this.#arena.f32(this.#weights, 1);
    const value = Math.fround(beside.divides ? 1 / scale : scale);
    if (!Number.isFinite(value)) refuseDamaged(beside.info, 0, 'not-finite');
    return value;
  }

  /** Encodes the weights of a run and adds up by how much they moved. */
  #encode(
    info: TensorInfo,
    to: EncodedType,
    at: number,
    n: number,
    sums: ErrorSums,
  ): Uint8Array {
    const { blockElements, blockBytes } = TYPE_LAYOUTS[to];
    const bad = this.#codec.encode(to, this.#weights, this.#out, n);
    const lost = bad >= 0 ? bad : this.#codec.decode({ type: to, blockElements }, this.#out, this.#back, n)?.element;
    if (lost !== undefined) refuseRange(info, at + lost, to);
    const weights = this.#arena.f32(this.#weights, n);
    const back = this.#arena.f32(this.#back, n);
    for (let i = 0; i < n; i++) sums.add(Math.abs(weights[i] - back[i]));
    return this.#arena.u8(this.#out, (n / blockElements) * blockBytes);
  }

  /** The one scale of an I2_S tensor, which lies behind its codes. */
  async #tensorScale(info: TensorInfo, elements: number): Promise<number | undefined> {
    if (info.type !== 'I2_S' || elements === 0) return undefined;
    const bytes = new Uint8Array(4);
    await readFully(
      this.#source,
      bytes,
      info.offset + elements / 4,
      `the scale of tensor ${quote(info.name)}`,
      this.#signal,
    );
    const scale = new DataView(bytes.buffer).getFloat32(0, true);
    if (!Number.isFinite(scale)) refuseDamaged(info, 0, 'not-finite');
    return scale;
  }
}

/** Bytes that n elements of a stored tensor take. */
function runBytes(info: TensorInfo, n: number): number {
  if (info.type === 'I2_S') return n / 4;
  if (info.type === 'Q2_0') return (n / info.blockElements) * (2 + info.blockElements / 4);
  const { blockElements, blockBytes } = TYPE_LAYOUTS[weightType(info)];
  return (n / blockElements) * blockBytes;
}

/** Row and column of an element, for a message. */
function place(info: TensorInfo, element: number): string {
  const cols = info.shape[info.shape.length - 1] ?? 1;
  return `tensor ${quote(info.name)}, row ${Math.floor(element / cols)}, column ${element % cols}`;
}

function refuseDamaged(info: TensorInfo, element: number, kind: 'not-finite' | 'code'): never {
  const where = place(info, element);
  if (kind === 'not-finite') {
    throw new ModelFileError('WEIGHT_NOT_FINITE', `${where}: NaN or infinity; the file is damaged`);
  }
  throw new ModelFileError('TERNARY_CODE', `${where}: code 3 is not a ternary weight; the file is damaged`);
}

function refuseRange(info: TensorInfo, element: number, to: EncodedType): never {
  throw new ModelFileError(
    'TENSOR_TYPE',
    `${place(info, element)}: the weights of this block need a scale over 65504, which ${to} cannot hold; use f32`,
  );
}

function newMemory(bytes: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
  } catch (cause) {
    throw new MemoryError('MEMORY', `the host refused a WebAssembly memory of ${bytes} bytes: ${String(cause)}`, {
      cause,
    });
  }
}
