/**
 * Small tensors of floats, read whole: norms and scales that are changed before they are used.
 * @module
 */
import { type ByteSource, readFully } from '../../bytes/source.ts';
import { ModelFileError } from '../../errors.ts';
import { quote } from '../gguf-types.ts';
import type { TensorInfo } from '../tensor.ts';

/** A tensor of F32, F16 or BF16 as f32. @throws {ModelFileError} `TENSOR_TYPE` for another type */
async function floatsOf(source: ByteSource, info: TensorInfo, signal?: AbortSignal): Promise<Float32Array> {
  checkFloats(source, info);
  const bytes = new Uint8Array(info.byteLength);
  await readFully(source, bytes, info.offset, `tensor ${quote(info.name)}`, signal);
  const view = new DataView(bytes.buffer);
  const each = info.type === 'F32' ? 4 : 2;
  const out = new Float32Array(bytes.length / each);
  const bits = new DataView(out.buffer);
  for (let i = 0; i < out.length; i++) {
    if (info.type === 'F32') out[i] = view.getFloat32(4 * i, true);
    else if (info.type === 'F16') out[i] = half(view.getUint16(2 * i, true));
    else bits.setUint32(4 * i, view.getUint16(2 * i, true) * 65536, LITTLE);
  }
  return out;
}

/** A vector whose elements are one more than those of another, read when it is asked for. @throws {ModelFileError} `TENSOR_TYPE` */
export function plusOne(source: ByteSource, info: TensorInfo): ByteSource {
  checkFloats(source, info);
  let made: Promise<Uint8Array> | undefined;
  return {
    size: info.byteLength * (info.type === 'F32' ? 1 : 2),
    name: source.name,
    async read(into, offset, signal) {
      made ??= floatsOf(source, info, signal).then((values) => bytesOf(values.map((x) => x + 1)));
      made.catch(() => (made = undefined)); // an aborted read may be tried again
      const part = (await made).subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
  };
}

/** f32 values as they stand in files. */
export function bytesOf(values: Float32Array): Uint8Array {
  const out = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, i) => out.setFloat32(4 * i, value, true));
  return new Uint8Array(out.buffer);
}

/** The order of bytes of this host, in which typed arrays lie. */
const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function checkFloats(source: ByteSource, { name, type }: TensorInfo): void {
  if (type === 'F32' || type === 'F16' || type === 'BF16') return;
  throw new ModelFileError(
    'TENSOR_TYPE',
    `${source.name}: tensor ${quote(name)} is ${type}, expected F32, F16 or BF16`,
  );
}

function half(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent === 31
    ? fraction === 0 ? Infinity : NaN
    : exponent === 0
    ? fraction * 2 ** -24
    : (1024 + fraction) * 2 ** (exponent - 25);
  return bits >> 15 ? -size : size;
}
