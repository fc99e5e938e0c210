/**
 * Floats that no kernel multiplies, as floats that one does: F64 is rounded to F32, the four kinds of eight bits are exact in F16. They
 * are converted as they are read, run by run.
 * @module
 */
import { type ByteSource, readFully } from '../bytes/source.ts';
import { DENSE_BYTES } from './dense-types.ts';
import { elementsOf } from './ggml-types.ts';
import { quote } from './gguf-types.ts';
import { joinSources } from './parts.ts';
import type { Container, OtherFloat, TensorInfo } from './tensor.ts';

/** Elements that are converted at a time. */
const RUN = 1 << 16;

const isOther = (info: TensorInfo): info is TensorInfo & { readonly type: OtherFloat } =>
  info.type === 'F64' || info.type.startsWith('F8_');

/** The container with such tensors as F32 and F16. @param source what its offsets count in */
export function asCommonFloats<C extends Container>(container: C, source: ByteSource): C {
  const made: ByteSource[] = [];
  const tensors = new Map(container.tensors);
  let end = source.size;
  for (const info of tensors.values()) {
    if (!isOther(info)) continue;
    const type = info.type === 'F64' ? 'F32' : 'F16';
    const bytes = converted(source, info, type);
    tensors.set(info.name, Object.freeze({ ...info, type, stored: info.type, offset: end, byteLength: bytes.size }));
    made.push(bytes);
    end += bytes.size;
  }
  return { ...container, tensors, source: joinSources([source, ...made], source.name) };
}

function converted(
  source: ByteSource,
  info: TensorInfo & { readonly type: OtherFloat },
  type: 'F32' | 'F16',
): ByteSource {
  const [from, to] = [DENSE_BYTES[info.type], DENSE_BYTES[type]];
  const elements = elementsOf(info.shape);
  const halves = info.type === 'F64' ? undefined : halvesOf(info.type);
  return {
    size: elements * to,
    name: source.name,
    async read(into, offset, signal) {
      const first = Math.floor(offset / to);
      const count = Math.min(RUN, Math.ceil((offset + into.length) / to) - first, elements - first);
      if (count <= 0) return 0;
      const raw = new Uint8Array(count * from);
      await readFully(source, raw, info.offset + first * from, `tensor ${quote(info.name)}`, signal);
      const [view, out] = [new DataView(raw.buffer), new DataView(new ArrayBuffer(count * to))];
      for (let i = 0; i < count; i++) {
        if (halves) out.setUint16(2 * i, halves[raw[i]], true);
        else out.setFloat32(4 * i, view.getFloat64(8 * i, true), true);
      }
      const bytes = new Uint8Array(out.buffer).subarray(offset - first * to).subarray(0, into.length);
      into.set(bytes);
      return bytes.length;
    },
  };
}

const NAN = 0x7e00;

/** The F16 bits of each of the 256 values of an eight-bit float. */
function halvesOf(type: Exclude<OtherFloat, 'F64'>): Uint16Array {
  const mantissaBits = type.startsWith('F8_E4') ? 3 : 2;
  const unsigned = type.endsWith('FNUZ');
  // the kinds without a negative zero have a bias of one more, and NaN in the place of -0
  const bias = (mantissaBits === 3 ? 7 : 15) + (unsigned ? 1 : 0);
  return Uint16Array.from({ length: 256 }, (_, code) => {
    const sign = (code & 0x80) << 8;
    const exponent = (code & 0x7f) >> mantissaBits;
    const mantissa = code & ((1 << mantissaBits) - 1);
    if (unsigned && code === 0x80) return NAN;
    if (type === 'F8_E4M3' && (code & 0x7f) === 0x7f) return sign | NAN;
    if (type === 'F8_E5M2' && exponent === 31) return sign | (mantissa === 0 ? 0x7c00 : NAN);
    const value = exponent === 0
      ? mantissa * 2 ** (1 - bias - mantissaBits)
      : ((1 << mantissaBits) + mantissa) * 2 ** (exponent - bias - mantissaBits);
    return sign | halfBits(value);
  });
}

/** F16 bits of a value that is one exactly, and not negative. */
function halfBits(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(value));
  return exponent < -14 ? value * 2 ** 24 : ((exponent + 15) << 10) | (value * 2 ** (10 - exponent) - 1024);
}
