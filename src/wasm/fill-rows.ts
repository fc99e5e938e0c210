/**
 * Fills a matrix that forward passes read by rows, in the layout of its kernel.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import type { TensorInfo } from '../container/tensor.ts';
import { ROW_GROUP } from '../description/layout.ts';
import { ModelFileError } from '../errors.ts';
import type { Ptr } from './arena.ts';
import type { RowRun } from './column-pack.ts';
import { fillQuarters } from './fill-quarters.ts';
import type { Matrix } from './matrix.ts';
import { joinScales, widenRows } from './row-pack.ts';
import type { TensorReader } from './tensor-reader.ts';
import { I2_S_RUN, refuseNotFinite, unpackRows } from './unpack-rows.ts';

/**
 * @param scales one f32 for each row, in a tensor of their own
 * @throws {IoError} {ModelFileError} {AbortError}
 */
export async function fillMatrix(
  from: TensorReader,
  info: TensorInfo,
  m: Matrix,
  scales: TensorInfo | null,
): Promise<void> {
  if (info.type === 'U2_ROWS') return fillQuarters(from, info, m);
  const { rows: all, cols } = m;
  const rowBytes = info.type === 'I2_S' ? cols / 4 : info.byteLength / all;
  if (scales) await from.vector(scales, m.scales);
  await from.eachGroup(info, all, rowBytes, ROW_GROUP, (at, row, count) => {
    packGroup(from, info, m, at, row, count, rowBytes, scales !== null);
  });
  if (info.type === 'I2_S') await from.i2sScale(info, m);
}

/** Packs up to four rows that lie at `src` as the file has them. */
function packGroup(
  from: TensorReader,
  info: TensorInfo,
  m: Matrix,
  src: Ptr,
  row: number,
  count: number,
  rowBytes: number,
  scaled: boolean,
): void {
  const k = from.k;
  const { type } = info;
  const units = row * m.units;
  if (type === 'F32' || type === 'F16' || type === 'BF16') return copyRows(from, info, m, src, row, count, rowBytes);
  if (type === 'I8') return k.pack_int8(src, m.cols, count, m.cols, m.units, m.data + units * 32);
  // a row is a whole number of blocks in the file, whatever it is for the model
  const stored = alignUp(m.cols, info.blockElements || I2_S_RUN);
  const blocks = unpackRows(k, info, stored, src, row, count, from.codes, from.scales);
  const run = { row, count, cols: stored };
  if (m.layout === 'f32') {
    const to = from.arena.f32(m.data + units * 4, count * m.units);
    const codes = from.arena.i8(from.codes, count * stored);
    return widenRows(codes, from.widened(count * blocks, src), run, to, m.units, m.cols);
  }
  if (m.scaleKind === 0 && type !== 'I2_S') {
    joinRowScales(from, info, m, run, from.widened(count * blocks, src), scaled);
  }
  if (m.layout === 'u4' || m.layout === 'u8') {
    const bits = m.layout === 'u4' ? 4 : 8;
    k.pack_grouped(bits, from.codes, count, m.units, m.data + units * 4 * bits);
    const own = m.scales + (row / m.paddedRows) * m.scaleBytes;
    return k.pack_parts(bits, from.scales, count, m.grouping, m.units / m.unitsPerScale, own);
  }
  if (m.layout === 'i8') k.pack_int8(from.codes, stored, count, m.cols, m.units, m.data + units * 32);
  else if (m.layout === 'trit2') {
    if (type === 'Q2_0' && !m.threes) m.threes = from.arena.u8(from.codes, count * stored).includes(3);
    k.pack_trit2(from.codes, stored, count, m.cols, m.units, m.data + units * 16);
  } else k.pack_bit1(from.codes, stored, count, m.cols, m.units / 2, m.data + units * 8);
  if (m.scaleKind === 1) {
    const packed = m.units / m.unitsPerScale;
    k.pack_scales(from.scales, blocks, count, blocks, packed, m.scales + row * packed * 2);
  }
}

/** The one f32 scale of each unpacked row, times that beside the matrix where there is one. */
function joinRowScales(
  from: TensorReader,
  info: TensorInfo,
  m: Matrix,
  run: RowRun,
  scales: Float32Array,
  scaled: boolean,
): void {
  const { row, count, cols } = run;
  const to = from.arena.f32(m.scales + row * 4, count);
  if (!scaled) to.fill(1);
  const codes = from.arena.u8(from.codes, count * cols);
  const bad = joinScales(codes, scales, run, m.layout === 'bit1' ? null : 1, to);
  if (bad < 0) return;
  throw new ModelFileError(
    'TENSOR_TYPE',
    `tensor "${info.name}", row ${row + bad}: it takes spikes, and its ${info.type} blocks have several scales; ` +
      'one scale per row is supported here, as convert writes it',
  );
}

/** Rows of floats, as they are stored or, in an f32 matrix, widened. */
function copyRows(
  from: TensorReader,
  info: TensorInfo,
  m: Matrix,
  src: Ptr,
  row: number,
  count: number,
  rowBytes: number,
): void {
  const stride = m.dataBytes / m.paddedRows;
  const bytes = from.arena.u8(0, from.arena.used);
  for (let r = 0; r < count; r++) {
    const stored = src + r * rowBytes;
    const to = m.data + (row + r) * stride;
    let values = to;
    if (m.layout === info.type.toLowerCase()) bytes.copyWithin(to, stored, stored + rowBytes);
    if (info.type !== 'F32') {
      if (m.layout !== 'f32') values = from.codes;
      if (info.type === 'F16') from.k.f16_to_f32(stored, values, m.cols);
      else from.k.bf16_to_f32(stored, values, m.cols);
    }
    const bad = from.k.not_finite_f32(values, m.cols);
    if (bad >= 0) refuseNotFinite(info, `row ${row + r}, column ${bad}`);
  }
}
