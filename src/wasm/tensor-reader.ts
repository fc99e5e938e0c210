/**
 * Reads the tensors of one container a stretch at a time. No more of the file is held than one staging buffer.
 * @module
 */
import { Pace } from '../bytes/pace.ts';
import { type ByteSource, readFully } from '../bytes/source.ts';
import type { Container, TensorInfo } from '../container/tensor.ts';
import { loaderScratch, STAGING_BYTES } from '../description/plan.ts';
import type { Arena, Ptr } from './arena.ts';
import type { Kernels } from './kernels.ts';
import type { LoadOptions } from './load-options.ts';
import type { Columns, Matrix } from './matrix.ts';
import { refuseNotFinite } from './unpack-rows.ts';

/** The f32 scale of an I2_S tensor and what fills its block up: after the codes, which take a quarter of a byte each. */
const I2_S_TAIL_BYTES = 32;

/** What a tensor is read and unpacked with, while the weights are loaded. */
export class TensorReader {
  readonly k: Kernels;
  readonly arena: Arena;
  readonly container: Container;
  /** Unpacked rows: one code a byte, or floats. */
  readonly codes: Ptr;
  /** Their scales. */
  readonly scales: Ptr;
  readonly #source: ByteSource;
  readonly #options: LoadOptions;
  readonly #total: number;
  readonly #pace: Pace;
  #loaded = 0;
  /** Two halves: one is packed while the other is read. */
  readonly #staging: Ptr;
  readonly #half: number;

  /** Allocates the buffers; the caller releases them. @throws {MemoryError} */
  constructor(k: Kernels, arena: Arena, source: ByteSource, container: Container, options: LoadOptions) {
    this.k = k;
    this.arena = arena;
    this.container = container;
    this.#source = source;
    this.#options = options;
    this.#pace = new Pace(options.signal);
    this.#total = [...container.tensors.values()].reduce((sum, info) => sum + info.byteLength, 0);
    const scratch = loaderScratch(container);
    this.#half = scratch.staging / 2;
    this.#staging = arena.alloc(scratch.staging, 'staging buffer');
    this.codes = arena.alloc(scratch.codes, 'code buffer');
    this.scales = arena.alloc(scratch.scales, 'scale buffer');
  }

  async #read(info: TensorInfo, at: Ptr, bytes: number, from: number): Promise<void> {
    const { signal, onProgress } = this.#options;
    await this.#pace.breathe();
    await readFully(this.#source, this.arena.u8(at, bytes), info.offset + from, `tensor "${info.name}"`, signal);
    this.#loaded += bytes;
    onProgress?.({ loaded: this.#loaded, total: this.#total });
  }

  /** Reads a vector of floats to `at`, as f32. @throws {ModelFileError} `WEIGHT_NOT_FINITE` */
  async vector(info: TensorInfo, at: Ptr): Promise<void> {
    const n = info.shape[0] ?? 1; // a scalar has no dimension
    if (info.type === 'F32') {
      await this.#read(info, at, n * 4, 0);
    } else {
      await this.#read(info, this.#staging, n * 2, 0);
      if (info.type === 'F16') this.k.f16_to_f32(this.#staging, at, n);
      else this.k.bf16_to_f32(this.#staging, at, n);
    }
    const bad = this.k.not_finite_f32(at, n);
    if (bad >= 0) refuseNotFinite(info, `element ${bad}`);
  }

  /** Calls `use` for every few rows as they come in; the next part of the file is read meanwhile. */
  async eachGroup(
    info: TensorInfo,
    rows: number,
    rowBytes: number,
    group: number,
    use: (at: Ptr, row: number, count: number) => void,
  ): Promise<void> {
    const step = Math.max(group, Math.floor(STAGING_BYTES / rowBytes / group) * group);
    const read = (row: number, at: Ptr): Promise<void> =>
      this.#read(info, at, Math.min(step, rows - row) * rowBytes, row * rowBytes);
    let [at, other] = [this.#staging, this.#staging + this.#half];
    let ready = read(0, at);
    for (let row = 0; row < rows; row += step) {
      await ready;
      const next = row + step < rows ? read(row + step, other) : Promise.resolve();
      try {
        const end = Math.min(row + step, rows);
        for (let r = row; r < end; r += group) use(at + (r - row) * rowBytes, r, Math.min(group, end - r));
      } catch (error) {
        await next.catch(() => {}); // it writes into memory that is given back now
        throw error;
      }
      ready = next;
      [at, other] = [other, at];
    }
  }

  /** The n f16 scales that were unpacked, as f32; they take the place of the blocks at `at`, which are longer. */
  widened(n: number, at: Ptr): Float32Array {
    this.k.f16_to_f32(this.scales, at, n);
    return this.arena.f32(at, n);
  }

  /** One scale for the whole tensor, read as the file has it and never recomputed. */
  async i2sScale(info: TensorInfo, m: Matrix | Columns): Promise<void> {
    await this.#read(info, this.#staging, I2_S_TAIL_BYTES, (m.rows * m.cols) / 4);
    const scale = this.arena.f32(this.#staging, 1)[0];
    if (!Number.isFinite(scale)) refuseNotFinite(info, 'its scale');
    this.arena.f32(m.scales, m.rows).fill(scale);
  }
}
