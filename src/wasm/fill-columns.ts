/**
 * Fills a matrix that spikes read by columns.
 * @module
 */
import type { TensorInfo } from '../container/tensor.ts';
import { ROW_GROUP } from '../description/layout.ts';
import type { Ptr } from './arena.ts';
import { codeColumns, int8Columns, type RowRun, scaleColumns, sharedScale } from './column-pack.ts';
import type { Columns } from './matrix.ts';
import type { TensorReader } from './tensor-reader.ts';
import { refuseNotFinite, unpackRows } from './unpack-rows.ts';

/** Reads a few rows at a time and writes them across the columns. */
export async function fillColumns(from: TensorReader, info: TensorInfo, m: Columns): Promise<void> {
  const { rows, cols } = m;
  const rowBytes = info.type === 'I2_S' ? cols / 4 : info.byteLength / rows;
  const bytes = m.layout === 'f32col' || (m.layout === 'i8col' && info.type !== 'I8');
  const group = bytes ? ROW_GROUP : 2 * ROW_GROUP;
  const shared = m.span < cols ? new Float32Array(rows) : null;
  await from.eachGroup(info, rows, rowBytes, group, (at, row, count) => {
    const run = { row, count, cols };
    if (m.layout === 'f32col') floatColumns(from, info, m, at, run);
    else codesToColumns(from, info, m, at, run, shared);
  });
  if (info.type === 'I2_S') await from.i2sScale(info, m);
  if (shared?.some(Number.isNaN) !== false) return;
  from.arena.f32(m.scales, rows).set(shared);
  m.span = cols;
}

/** @param shared takes the one scale of each row, NaN where there are several */
function codesToColumns(
  from: TensorReader,
  info: TensorInfo,
  m: Columns,
  at: Ptr,
  run: RowRun,
  shared: Float32Array | null,
): void {
  const { row, count, cols } = run;
  let codes = at;
  if (info.type !== 'I8') {
    const blocks = unpackRows(from.k, info, cols, at, row, count, from.codes, from.scales);
    codes = from.codes;
    if (info.type !== 'I2_S') {
      const scales = from.widened(count * blocks, at);
      const zero = m.layout === 'bit1col' ? null : m.layout === 'i8col' ? 0 : 1;
      for (let r = 0; shared && r < count; r++) {
        const own = from.arena.u8(codes + r * cols, cols);
        shared[row + r] = sharedScale(scales.subarray(r * blocks, (r + 1) * blocks), own, zero);
      }
      scaleColumns(scales, run, from.arena.f32(m.scales, m.scaleBytes / 4), m.paddedRows);
    }
  }
  if (m.layout === 'i8col') {
    int8Columns(from.arena.i8(codes, count * cols), run, from.arena.i8(m.data, m.dataBytes), m.paddedRows);
  } else {
    const bits = m.layout === 'bit1col' ? 1 : 2;
    codeColumns(from.arena.u8(codes, count * cols), run, bits, from.arena.u8(m.data, m.dataBytes), m.paddedRows);
  }
}

function floatColumns(from: TensorReader, info: TensorInfo, m: Columns, at: Ptr, { row, count, cols }: RowRun): void {
  let values = at;
  if (info.type !== 'F32') {
    values = from.codes;
    if (info.type === 'F16') from.k.f16_to_f32(at, values, count * cols);
    else from.k.bf16_to_f32(at, values, count * cols);
  }
  const bad = from.k.not_finite_f32(values, count * cols);
  if (bad >= 0) refuseNotFinite(info, `row ${row + Math.floor(bad / cols)}, column ${bad % cols}`);
  from.k.transpose_f32(values, count, cols, m.data + row * 4, m.paddedRows);
}
