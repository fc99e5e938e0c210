/**
 * Fills a matrix of packed BitNet checkpoints: its bytes hold four rows each, a quarter of all rows apart, and one scale beside
 * it serves all of it.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import type { TensorInfo } from '../container/tensor.ts';
import { packedScale, ROW_GROUP } from '../description/layout.ts';
import { ModelFileError } from '../errors.ts';
import type { Matrix } from './matrix.ts';
import type { TensorReader } from './tensor-reader.ts';
import { refuseBlock, refuseNotFinite } from './unpack-rows.ts';

/** @throws {ModelFileError} `TENSOR_SHAPE`, `TENSOR_TYPE`, `TERNARY_CODE`, `WEIGHT_NOT_FINITE` */
export async function fillQuarters(from: TensorReader, info: TensorInfo, m: Matrix): Promise<void> {
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
  await from.eachGroup(info, quarter, cols, ROW_GROUP, (at, row, count) => {
    for (let q = 0; q < 4; q++) {
      for (let r = 0; r < count; r++) {
        const bad = from.k.unpack_u2_rows(at + r * cols, from.codes + r * stride, cols, 2 * q);
        if (bad !== -1) refuseBlock(info, q * quarter + row + r, 1, -2);
      }
      const data = m.data + (q * quarter + row) * m.units * 16;
      from.k.pack_trit2(from.codes, stride, count, cols, m.units, data);
    }
  });
  from.arena.f32(m.scales, rows).fill(await scaleOf(from, info));
}

/** What codes are multiplied by. */
async function scaleOf(from: TensorReader, info: TensorInfo): Promise<number> {
  const beside = packedScale(from.container, info);
  const mark = from.arena.mark();
  const at = from.arena.alloc(64, `scale of "${info.name}"`);
  await from.vector(beside.info, at);
  const [scale] = from.arena.f32(at, 1);
  from.arena.release(mark);
  const value = Math.fround(beside.divides ? 1 / scale : scale);
  if (!Number.isFinite(value)) refuseNotFinite(info, 'its scale');
  return value;
}
