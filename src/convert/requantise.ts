/**
 * Matrices in another type while they are loaded: a byte source whose tensors are what `convert` would have written, encoded a
 * run at a time when they are read. Nothing is kept.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import type { ByteSource } from '../bytes/source.ts';
import { tensorBytes, TYPE_LAYOUTS, weightType } from '../container/ggml-types.ts';
import type { Container, TensorInfo } from '../container/tensor.ts';
import type { KernelModules } from '../wasm/instantiate.ts';
import type { EncodedType } from './codec.ts';
import { type GgufTypes, targetOf } from './gguf.ts';
import { RUN, Runs } from './runs.ts';

const FLOATS: readonly string[] = ['F32', 'F16', 'BF16'];
/** Encoded tensors are aligned to this, behind the last byte of the source. */
const ALIGNMENT = 64;

/** A tensor as it is, and as it is read. */
interface Encoded {
  readonly from: TensorInfo;
  readonly to: TensorInfo & { readonly type: EncodedType };
  read?: (at: number, n: number) => Promise<Uint8Array>;
}

/**
 * The container with matrices in other types, and the source to read them from.
 * @param types `type` is for matrices of floats: others would be rounded a second time; `head` and `embedding` for any
 */
export function requantised<T extends Container>(
  modules: KernelModules,
  source: ByteSource,
  container: T,
  types: GgufTypes,
  signal: AbortSignal | undefined,
): T {
  const tensors = new Map(container.tensors);
  const encoded: Encoded[] = [];
  let end = source.size;
  for (const [name, info] of container.tensors) {
    if (info.shape.length !== 2 || !Object.hasOwn(TYPE_LAYOUTS, info.type)) continue;
    const { type: _, ...tables } = types;
    const { to } = targetOf(info, FLOATS.includes(info.type) ? types : tables) ?? {};
    if (to === undefined || to === info.type) continue;
    const offset = alignUp(end, ALIGNMENT);
    const byteLength = tensorBytes(to, info.shape);
    const { blockElements } = TYPE_LAYOUTS[to];
    const readFrom = info.readFrom ?? info.offset;
    const as = Object.freeze({ name, type: to, shape: info.shape, blockElements, offset, byteLength, readFrom });
    end = offset + byteLength;
    tensors.set(name, as);
    encoded.push({ from: info, to: as });
  }
  if (encoded.length === 0) return container;
  const runs = new Runs(modules, container, source, signal);
  return { ...container, tensors, source: new EncodedSource(source, runs, encoded, end) };
}

class EncodedSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #source: ByteSource;
  readonly #runs: Runs;
  readonly #encoded: readonly Encoded[];
  /** Runs share buffers: one is made at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(source: ByteSource, runs: Runs, encoded: readonly Encoded[], size: number) {
    this.name = source.name;
    this.size = size;
    this.#source = source;
    this.#runs = runs;
    this.#encoded = encoded;
  }

  read(into: Uint8Array, offset: number, signal?: AbortSignal): Promise<number> {
    if (offset < this.#source.size) return this.#source.read(into, offset, signal);
    const next = this.#last.then(() => this.#encode(into, offset));
    this.#last = next.catch(() => {});
    return next;
  }

  async #encode(into: Uint8Array, offset: number): Promise<number> {
    const tensor = this.#encoded.find(({ to }) => offset >= to.offset && offset < to.offset + to.byteLength);
    if (!tensor) return 0;
    const { from, to } = tensor;
    const { blockElements, blockBytes } = TYPE_LAYOUTS[to.type];
    // whole blocks of both types
    const unit = Math.max(blockElements, from.blockElements, TYPE_LAYOUTS[weightType(from)].blockElements);
    const unitBytes = (unit / blockElements) * blockBytes;
    const first = Math.floor((offset - to.offset) / unitBytes);
    const skip = offset - to.offset - first * unitBytes;
    const units = Math.min(
      Math.ceil((skip + into.length) / unitBytes),
      RUN / unit,
      Math.ceil(to.byteLength / unitBytes) - first,
    );
    tensor.read ??= await this.#runs.reader(from, to.type);
    const bytes = await tensor.read(first * unit, units * unit);
    const n = Math.min(into.length, bytes.length - skip);
    into.set(bytes.subarray(skip, skip + n));
    return n;
  }
}
