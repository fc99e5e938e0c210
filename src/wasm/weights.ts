/**
 * Streams tensors from a byte source into wasm memory, in the layouts of the kernels; NaN and infinity are refused with the tensor
 * and the row.
 * @module
 */
import type { ByteSource } from '../bytes/source.ts';
import type { Container, TensorInfo } from '../container/tensor.ts';
import { DescriptionError } from '../errors.ts';
import { columnSize } from '../description/columns.ts';
import { isCodes, packedSize, rowScaledSize, rowScales, scaleName } from '../description/layout.ts';
import { vectorBytes } from '../description/plan.ts';
import type { Arena, Ptr } from './arena.ts';
import { fillColumns } from './fill-columns.ts';
import { fillMatrix } from './fill-rows.ts';
import type { Kernels } from './kernels.ts';
import type { LoadOptions } from './load-options.ts';
import type { Columns, Matrix } from './matrix.ts';
import { TensorReader } from './tensor-reader.ts';

export type { ActivationType, LoadOptions, LoadProgress } from './load-options.ts';
export type { Columns, Matrix } from './matrix.ts';

/** Loads the tensors of one container. Reserve first, then fill: addresses are fixed before the first byte is read. */
export class WeightLoader {
  readonly #k: Kernels;
  readonly #arena: Arena;
  readonly #source: ByteSource;
  readonly #container: Container;
  readonly #options: LoadOptions;
  readonly #jobs: { readonly from: number; run(from: TensorReader): Promise<void> }[] = [];
  readonly #sharing: Matrix[][] = [];
  #end: Ptr = 0;

  constructor(kernels: Kernels, arena: Arena, source: ByteSource, container: Container, options: LoadOptions = {}) {
    this.#k = kernels;
    this.#arena = arena;
    this.#source = source;
    this.#container = container;
    this.#options = options;
  }

  /**
   * Reserves a matrix; it is valid after `fill`.
   * @param rowScaled with one f32 scale per row, or as f32: codes and I8 times the vector NAME.scale beside them
   * @throws {MemoryError}
   */
  matrix(name: string, rowScaled: boolean = false): Matrix {
    const info = this.info(name);
    const size = rowScaled ? rowScaledSize(info) : packedSize(info);
    const matrix: Matrix = {
      ...size,
      name,
      data: this.#arena.alloc(size.dataBytes, `tensor "${name}"`),
      scales: this.#arena.alloc(size.scaleBytes, `scales of "${name}"`),
      scaleKind: rowScaled || info.blockElements === 0 || info.type === 'I8' ? 0 : 1,
      exact: this.#options.activations === 'f32',
      top: this.#options.activations === 'int16' ? 32767 : 127,
      threes: false,
    };
    const beside = rowScaled && isCodes(info.type) ? this.#container.tensors.get(scaleName(name)) : undefined;
    const scales = beside ?? rowScales(this.#container, info);
    // scales that are multiplied with those of the blocks are wanted first, others are read where they are
    const first = scales && info.type !== 'I8' ? scales : null;
    this.#job(info, (from) => fillMatrix(from, info, matrix, first));
    if (scales && !first) this.#job(scales, (from) => from.vector(scales, matrix.scales));
    return matrix;
  }

  /** Says that these matrices read the same activations, and so take them in one form: where one has a code 3, none uses tables. */
  sharing(...matrices: Matrix[]): readonly Matrix[] {
    this.#sharing.push(matrices);
    return matrices;
  }

  /** Reserves a matrix laid out by columns. @throws {MemoryError} {ModelFileError} `TENSOR_TYPE` */
  columns(name: string): Columns {
    const info = this.info(name);
    const size = columnSize(info);
    const data = this.#arena.alloc(size.dataBytes, `tensor "${name}"`);
    const columns: Columns = { ...size, name, data, scales: this.#arena.alloc(size.scaleBytes, `scales of "${name}"`) };
    const scales = rowScales(this.#container, info);
    this.#job(info, (from) => fillColumns(from, info, columns));
    if (scales) this.#job(scales, (from) => from.vector(scales, columns.scales));
    return columns;
  }

  /** Whether the container has a tensor of this name. */
  has(name: string): boolean {
    return this.#container.tensors.has(name);
  }

  /** Reserves a vector, padded with zeros; 0 when the container has no such tensor. It is F32, F16 or BF16, and f32 here.
   *  @throws {MemoryError} */
  vector(name: string): Ptr {
    if (!this.#container.tensors.has(name)) return 0;
    const info = this.info(name);
    const at = this.#arena.alloc(vectorBytes(info.shape[0] ?? 1), `tensor "${name}"`);
    this.#job(info, (from) => from.vector(info, at));
    return at;
  }

  /** Where the last weight ends, once everything was reserved: they lie in one piece. */
  get weightsEnd(): Ptr {
    return this.#end;
  }

  /** Reads everything that was reserved. @throws {IoError} {ModelFileError} {AbortError} */
  async fill(): Promise<void> {
    const mark = this.#arena.mark();
    this.#end = this.#arena.used;
    try {
      const reader = new TensorReader(this.#k, this.#arena, this.#source, this.#container, this.#options);
      // in the order of the file: a source that streams is then read from its beginning to its end, once
      for (const { run } of this.#jobs.sort((a, b) => a.from - b.from)) await run(reader);
      for (const matrices of this.#sharing) {
        const threes = matrices.some((m) => m.threes);
        for (const m of matrices) m.threes = threes;
      }
    } finally {
      this.#arena.release(mark);
    }
  }

  /** What the file says of a tensor. @throws {DescriptionError} `DESCRIPTION_TENSORS` when it has none of this name */
  info(name: string): TensorInfo {
    const info = this.#container.tensors.get(name);
    if (info) return info;
    throw new DescriptionError('DESCRIPTION_TENSORS', `tensor "${name}" is missing`);
  }

  #job(info: TensorInfo, run: (from: TensorReader) => Promise<void>): void {
    this.#jobs.push({ from: info.readFrom ?? info.offset, run });
  }
}
