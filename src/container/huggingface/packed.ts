/**
 * Packed ternary matrices of transformers (`quantization_config` of method `bitnet`): four codes in a byte along the first
 * axis, so that row r of the bytes holds rows r, r + n/4, r + n/2 and r + 3n/4 of the matrix in bits 1–0, 3–2, 5–4, 7–6.
 * They are read as I2_S, which holds the same codes row by row and one scale behind them.
 * @module
 */
import type { Made } from '../../bytes/join.ts';
import { type ByteSource, readFully } from '../../bytes/source.ts';
import { ModelFileError } from '../../errors.ts';
import { quote } from '../gguf-types.ts';
import type { TensorInfo } from '../tensor.ts';
import { floatsOf } from './floats.ts';

/** Columns of a run of I2_S, in 32 bytes. */
const RUN = 128;
/** Behind the codes: the scale, and what fills its block up. */
const TAIL_BYTES = 32;

/**
 * @param info the packed bytes @param scale the tensor with their one scale
 * @param inverse whether weights are divided by the scale
 * @returns the matrix as I2_S, its shape, and its bytes when they are asked for
 * @throws {ModelFileError} `TENSOR_TYPE`, `TENSOR_BLOCK`
 */
export function unpacked(
  source: ByteSource,
  info: TensorInfo,
  scale: TensorInfo | undefined,
  inverse: boolean,
): { shape: readonly [number, number]; made: Made } {
  const label = `${source.name}: tensor ${quote(info.name)}`;
  if (info.shape.length !== 2) {
    throw new ModelFileError('TENSOR_TYPE', `${label} is U8 of ${info.shape.length} dimensions, packed weights have 2`);
  }
  const [quarter, cols] = info.shape;
  if (cols % RUN !== 0) {
    throw new ModelFileError('TENSOR_BLOCK', `${label} has packed rows of ${cols}, expected a multiple of ${RUN}`);
  }
  if (scale === undefined || scale.shape.reduce((a, b) => a * b, 1) !== 1) {
    const found = scale === undefined ? 'missing' : `of shape ${scale.shape.join(' × ')}`;
    throw new ModelFileError('TENSOR_TYPE', `${label} is packed and needs one weight_scale beside it, which is ${found}`);
  }
  const make = async (signal?: AbortSignal): Promise<Uint8Array> => {
    const packed = new Uint8Array(info.byteLength);
    await readFully(source, packed, info.offset, `tensor ${quote(info.name)}`, signal);
    const out = new Uint8Array(info.byteLength + TAIL_BYTES);
    for (let row = 0; row < 4 * quarter; row++) {
      const from = (row % quarter) * cols;
      repackRow(packed.subarray(from, from + cols), 2 * Math.floor(row / quarter), out, (row * cols) / 4);
    }
    const [stored] = await floatsOf(source, scale, signal);
    new DataView(out.buffer).setFloat32(info.byteLength, inverse ? 1 / stored : stored, true);
    return out;
  };
  return { shape: [4 * quarter, cols], made: { size: info.byteLength + TAIL_BYTES, make } };
}

/** One row: its two bits of every byte, in the order of I2_S. */
function repackRow(bytes: Uint8Array, shift: number, out: Uint8Array, at: number): void {
  for (let run = 0; run < bytes.length; run += RUN) {
    for (let k = run; k < run + RUN / 4; k++) {
      out[at++] = (((bytes[k] >> shift) & 3) << 6) | (((bytes[k + 32] >> shift) & 3) << 4) |
        (((bytes[k + 64] >> shift) & 3) << 2) | ((bytes[k + 96] >> shift) & 3);
    }
  }
}
