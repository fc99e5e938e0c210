/**
 * Streams tensors from a byte source into wasm memory, in the layouts of the kernels. No more of the file is held at a
 * time than one staging buffer; what is found to be no number is refused with the tensor and the row.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import { Pace } from '../bytes/pace.ts';
import { type ByteSource, readFully } from '../bytes/source.ts';
import type { TensorInfo } from '../container/tensor.ts';
import { DescriptionError, ModelFileError } from '../errors.ts';
import { columnSize } from '../description/columns.ts';
import { isCodes, packedSize, ROW_GROUP, rowScaledSize, rowScales, scaleName } from '../description/layout.ts';
import { loaderScratch, STAGING_BYTES, vectorBytes } from '../description/plan.ts';
import type { Container } from '../container/tensor.ts';
import type { Arena, Ptr } from './arena.ts';
import { codeColumns, int8Columns, type RowRun, scaleColumns, sharedScale } from './column-pack.ts';
import type { Kernels } from './kernels.ts';
import type { LoadOptions } from './load-options.ts';
import type { Columns, Matrix } from './matrix.ts';
import { joinScales, widenRows } from './row-pack.ts';
import { I2_S_RUN, refuseBlock, refuseNotFinite, unpackRows } from './unpack-rows.ts';

export type { ActivationType, LoadOptions, LoadProgress } from './load-options.ts';
export type { Columns, Matrix } from './matrix.ts';

/** The f32 scale of an I2_S tensor and what fills its block up: behind the codes, which take a quarter of a byte each. */
const I2_S_TAIL_BYTES = 32;

/** Loads the tensors of one container. Reserve first, then fill: addresses are fixed before the first byte is read. */
export class WeightLoader {
  readonly #k: Kernels;
  readonly #arena: Arena;
  readonly #source: ByteSource;
  readonly #container: Container;
  readonly #options: LoadOptions;
  readonly #jobs: { readonly from: number; run(): Promise<void> }[] = [];
  readonly #sharing: Matrix[][] = [];
  readonly #total: number;
  readonly #pace: Pace;
  #loaded = 0;
  #end: Ptr = 0;
  /** Two halves: one is packed while the other is read. */
  #staging: Ptr = 0;
  #half = 0;
  #codes: Ptr = 0;
  #scales: Ptr = 0;

  constructor(kernels: Kernels, arena: Arena, source: ByteSource, container: Container, options: LoadOptions = {}) {
    this.#k = kernels;
    this.#arena = arena;
    this.#source = source;
    this.#container = container;
    this.#options = options;
    this.#pace = new Pace(options.signal);
    this.#total = [...container.tensors.values()].reduce((sum, info) => sum + info.byteLength, 0);
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
    this.#job(info, () => this.#fillMatrix(info, matrix, first));
    if (scales && !first) this.#job(scales, () => this.#fillVector(scales, matrix.scales));
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
    this.#job(info, () => this.#fillColumns(info, columns));
    if (scales) this.#job(scales, () => this.#fillVector(scales, columns.scales));
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
    this.#job(info, () => this.#fillVector(info, at));
    return at;
  }

  /** Where the last weight ends, once everything was reserved: they lie in one piece. */
  get weightsEnd(): Ptr {
    return this.#end;
  }

  /** Reads everything that was reserved. @throws {IoError} {ModelFileError} {AbortError} */
  async fill(): Promise<void> {
    const scratch = loaderScratch(this.#container);
    const mark = this.#arena.mark();
    this.#end = this.#arena.used;
    try {
      this.#half = scratch.staging / 2;
      this.#staging = this.#arena.alloc(scratch.staging, 'staging buffer');
      this.#codes = this.#arena.alloc(scratch.codes, 'code buffer');
      this.#scales = this.#arena.alloc(scratch.scales, 'scale buffer');
      // in the order of the file: a source that streams is then read from its beginning to its end, once
      for (const { run } of this.#jobs.sort((a, b) => a.from - b.from)) await run();
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

  #job(info: TensorInfo, run: () => Promise<void>): void {
    this.#jobs.push({ from: info.readFrom ?? info.offset, run });
  }

  async #read(info: TensorInfo, at: Ptr, bytes: number, from: number): Promise<void> {
    const { signal, onProgress } = this.#options;
    await this.#pace.breathe();
    await readFully(this.#source, this.#arena.u8(at, bytes), info.offset + from, `tensor "${info.name}"`, signal);
    this.#loaded += bytes;
    onProgress?.({ loaded: this.#loaded, total: this.#total });
  }

  async #fillVector(info: TensorInfo, at: Ptr): Promise<void> {
    const n = info.shape[0] ?? 1; // a scalar has no dimension
    if (info.type === 'F32') {
      await this.#read(info, at, n * 4, 0);
    } else {
      await this.#read(info, this.#staging, n * 2, 0);
      if (info.type === 'F16') this.#k.f16_to_f32(this.#staging, at, n);
      else this.#k.bf16_to_f32(this.#staging, at, n);
    }
    const bad = this.#k.not_finite_f32(at, n);
    if (bad >= 0) refuseNotFinite(info, `element ${bad}`);
  }

  async #fillMatrix(info: TensorInfo, m: Matrix, scales: TensorInfo | null): Promise<void> {
    if (info.type === 'U2_ROWS') return this.#fillQuarters(info, m);
    const { rows: all, cols } = m;
    const rowBytes = info.type === 'I2_S' ? cols / 4 : info.byteLength / all;
    if (scales) await this.#fillVector(scales, m.scales);
    await this.#eachGroup(info, all, rowBytes, ROW_GROUP, (at, row, count) => {
      this.#packGroup(info, m, at, row, count, rowBytes, scales !== null);
    });
    if (info.type === 'I2_S') await this.#readI2sScale(info, m);
  }

  /** A matrix whose bytes hold four rows each, a quarter of all rows apart, with one scale for all of it. */
  async #fillQuarters(info: TensorInfo, m: Matrix): Promise<void> {
    const { rows, cols } = m;
    const quarter = rows / 4;
    if (quarter % ROW_GROUP !== 0) {
      throw new ModelFileError(
        'TENSOR_SHAPE',
        `tensor "${info.name}" is packed four rows to a byte and has ${rows} rows, expected a multiple of ${
          4 * ROW_GROUP
        }`,
      );
    }
    const stride = alignUp(cols, 16);
    await this.#eachGroup(info, quarter, cols, ROW_GROUP, (at, row, count) => {
      for (let q = 0; q < 4; q++) {
        for (let r = 0; r < count; r++) {
          const bad = this.#k.unpack_u2_rows(at + r * cols, this.#codes + r * stride, cols, 2 * q);
          if (bad !== -1) refuseBlock(info, q * quarter + row + r, 1, -2);
        }
        const data = m.data + (q * quarter + row) * m.units * 16;
        this.#k.pack_trit2(this.#codes, stride, count, cols, m.units, data);
      }
    });
    this.#arena.f32(m.scales, rows).fill(await this.#packedScale(info));
  }

  /** The scale beside a packed matrix: the weights are codes times it, or divided by it, as its quantisation says. */
  async #packedScale(info: TensorInfo): Promise<number> {
    const name = `${info.name}_scale`;
    const beside = this.#container.tensors.get(name);
    if (!beside || beside.shape.length > 1 || (beside.shape[0] ?? 1) !== 1) {
      throw new ModelFileError(
        'TENSOR_TYPE',
        `tensor "${info.name}" is packed and needs one scale in "${name}", which ${
          beside ? 'has several' : 'is missing'
        }`,
      );
    }
    const mark = this.#arena.mark();
    const at = this.#arena.alloc(64, `scale of "${info.name}"`);
    await this.#fillVector(beside, at);
    const [scale] = this.#arena.f32(at, 1);
    this.#arena.release(mark);
    const divides = this.#container.metadata.get('config.quantization_config.linear_class') !== 'autobitlinear';
    const value = Math.fround(divides ? 1 / scale : scale);
    if (!Number.isFinite(value)) refuseNotFinite(info, 'its scale');
    return value;
  }

  /** Calls `use` for every few rows as they come in; the next part of the file is read meanwhile. */
  async #eachGroup(
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

  /** Reads a few rows at a time and writes them across the columns. */
  async #fillColumns(info: TensorInfo, m: Columns): Promise<void> {
    const { rows, cols } = m;
    const rowBytes = info.type === 'I2_S' ? cols / 4 : info.byteLength / rows;
    const bytes = m.layout === 'f32col' || (m.layout === 'i8col' && info.type !== 'I8');
    const group = bytes ? ROW_GROUP : 2 * ROW_GROUP;
    const shared = m.span < cols ? new Float32Array(rows) : null;
    await this.#eachGroup(info, rows, rowBytes, group, (at, row, count) => {
      const run = { row, count, cols };
      if (m.layout === 'f32col') this.#floatColumns(info, m, at, run);
      else this.#codeColumns(info, m, at, run, shared);
    });
    if (info.type === 'I2_S') await this.#readI2sScale(info, m);
    if (shared?.some(Number.isNaN) !== false) return;
    this.#arena.f32(m.scales, rows).set(shared);
    m.span = cols;
  }

  /** @param shared takes the one scale of each row, NaN where there are several */
  #codeColumns(info: TensorInfo, m: Columns, at: Ptr, run: RowRun, shared: Float32Array | null): void {
    const { row, count, cols } = run;
    let from = at;
    if (info.type !== 'I8') {
      const blocks = unpackRows(this.#k, info, cols, from, row, count, this.#codes, this.#scales);
      from = this.#codes;
      if (info.type !== 'I2_S') {
        const scales = this.#widened(count * blocks, at);
        const zero = m.layout === 'bit1col' ? null : m.layout === 'i8col' ? 0 : 1;
        for (let r = 0; shared && r < count; r++) {
          const codes = this.#arena.u8(from + r * cols, cols);
          shared[row + r] = sharedScale(scales.subarray(r * blocks, (r + 1) * blocks), codes, zero);
        }
        scaleColumns(scales, run, this.#arena.f32(m.scales, m.scaleBytes / 4), m.paddedRows);
      }
    }
    if (m.layout === 'i8col') {
      int8Columns(this.#arena.i8(from, count * cols), run, this.#arena.i8(m.data, m.dataBytes), m.paddedRows);
    } else {
      const bits = m.layout === 'bit1col' ? 1 : 2;
      codeColumns(this.#arena.u8(from, count * cols), run, bits, this.#arena.u8(m.data, m.dataBytes), m.paddedRows);
    }
  }

  #floatColumns(info: TensorInfo, m: Columns, at: Ptr, { row, count, cols }: RowRun): void {
    let values = at;
    if (info.type !== 'F32') {
      values = this.#codes;
      if (info.type === 'F16') this.#k.f16_to_f32(at, values, count * cols);
      else this.#k.bf16_to_f32(at, values, count * cols);
    }
    const bad = this.#k.not_finite_f32(values, count * cols);
    if (bad >= 0) refuseNotFinite(info, `row ${row + Math.floor(bad / cols)}, column ${bad % cols}`);
    this.#k.transpose_f32(values, count, cols, m.data + row * 4, m.paddedRows);
  }

  /** The n f16 scales that were unpacked, as f32; they take the place of the blocks at `at`, which are longer. */
  #widened(n: number, at: Ptr): Float32Array {
    this.#k.f16_to_f32(this.#scales, at, n);
    return this.#arena.f32(at, n);
  }

  /** One scale for the whole tensor, read as the file has it and never recomputed. */
  async #readI2sScale(info: TensorInfo, m: Matrix | Columns): Promise<void> {
    await this.#read(info, this.#staging, I2_S_TAIL_BYTES, (m.rows * m.cols) / 4);
    const scale = this.#arena.f32(this.#staging, 1)[0];
    if (!Number.isFinite(scale)) refuseNotFinite(info, 'its scale');
    this.#arena.f32(m.scales, m.rows).fill(scale);
  }

  /** Packs up to four rows that lie at `src` as the file has them. */
  #packGroup(
    info: TensorInfo,
    m: Matrix,
    src: Ptr,
    row: number,
    count: number,
    rowBytes: number,
    scaled: boolean,
  ): void {
    const k = this.#k;
    const { type } = info;
    const units = row * m.units;
    if (type === 'F32' || type === 'F16' || type === 'BF16') return this.#copyRows(info, m, src, row, count, rowBytes);
    if (type === 'I8') return k.pack_int8(src, m.cols, count, m.cols, m.units, m.data + units * 32);
    // a row is a whole number of blocks in the file, whatever it is for the model
    const stored = alignUp(m.cols, info.blockElements || I2_S_RUN);
    const blocks = unpackRows(k, info, stored, src, row, count, this.#codes, this.#scales);
    const run = { row, count, cols: stored };
    if (m.layout === 'f32') {
      const to = this.#arena.f32(m.data + units * 4, count * m.units);
      const codes = this.#arena.i8(this.#codes, count * stored);
      return widenRows(codes, this.#widened(count * blocks, src), run, to, m.units, m.cols);
    }
    if (m.scaleKind === 0 && type !== 'I2_S') {
      this.#joinScales(info, m, run, this.#widened(count * blocks, src), scaled);
    }
    if (m.layout === 'u4' || m.layout === 'u8') {
      const bits = m.layout === 'u4' ? 4 : 8;
      k.pack_grouped(bits, this.#codes, count, m.units, m.data + units * 4 * bits);
      const own = m.scales + (row / m.paddedRows) * m.scaleBytes;
      return k.pack_parts(bits, this.#scales, count, m.grouping, m.units / m.unitsPerScale, own);
    }
    if (m.layout === 'i8') k.pack_int8(this.#codes, stored, count, m.cols, m.units, m.data + units * 32);
    else if (m.layout === 'trit2') {
      if (type === 'Q2_0' && !m.threes) m.threes = this.#arena.u8(this.#codes, count * stored).includes(3);
      k.pack_trit2(this.#codes, stored, count, m.cols, m.units, m.data + units * 16);
    } else k.pack_bit1(this.#codes, stored, count, m.cols, m.units / 2, m.data + units * 8);
    if (m.scaleKind === 1) {
      const packed = m.units / m.unitsPerScale;
      k.pack_scales(this.#scales, blocks, count, blocks, packed, m.scales + row * packed * 2);
    }
  }

  /** The one f32 scale of each unpacked row, times that beside the matrix where there is one. */
  #joinScales(info: TensorInfo, m: Matrix, run: RowRun, scales: Float32Array, scaled: boolean): void {
    const { row, count, cols } = run;
    const to = this.#arena.f32(m.scales + row * 4, count);
    if (!scaled) to.fill(1);
    const codes = this.#arena.u8(this.#codes, count * cols);
    const bad = joinScales(codes, scales, run, m.layout === 'bit1' ? null : 1, to);
    if (bad < 0) return;
    throw new ModelFileError(
      'TENSOR_TYPE',
      `tensor "${info.name}", row ${row + bad}: it takes spikes, and its ${info.type} blocks have several scales; ` +
        'one scale per row is supported here, as convert writes it',
    );
  }

  /** Rows of floats, as they are stored or, in an f32 matrix, widened. */
  #copyRows(info: TensorInfo, m: Matrix, src: Ptr, row: number, count: number, rowBytes: number): void {
    const stride = m.dataBytes / m.paddedRows;
    const bytes = this.#arena.u8(0, this.#arena.used);
    for (let r = 0; r < count; r++) {
      const from = src + r * rowBytes;
      const to = m.data + (row + r) * stride;
      let values = to;
      if (m.layout === info.type.toLowerCase()) bytes.copyWithin(to, from, from + rowBytes);
      if (info.type !== 'F32') {
        if (m.layout !== 'f32') values = this.#codes;
        if (info.type === 'F16') this.#k.f16_to_f32(from, values, m.cols);
        else this.#k.bf16_to_f32(from, values, m.cols);
      }
      const bad = this.#k.not_finite_f32(values, m.cols);
      if (bad >= 0) refuseNotFinite(info, `row ${row + r}, column ${bad}`);
    }
  }
}
