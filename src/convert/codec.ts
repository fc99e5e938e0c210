/**
 * Runs of file blocks to f32, and back: the one place that knows a type's blocks as numbers rather than as packed rows.
 * Used where models are converted; running them never unpacks.
 * @module
 */
import { TYPE_LAYOUTS } from '../container/ggml-types.ts';
import type { TensorType } from '../container/tensor.ts';
import type { Arena, Ptr } from '../wasm/arena.ts';
import type { Kernels } from '../wasm/kernels.ts';
import { I2_S_RUN, unpackBlocks } from '../wasm/unpack-rows.ts';

/** Types that can be written. */
export type EncodedType = 'F32' | 'F16' | 'Q8_0' | 'Q4_0' | 'TQ2_0' | 'TQ1_0';

/** What a damaged block is: NaN or infinity, or a code that no weight has. */
export interface BadElement {
  readonly kind: 'not-finite' | 'code';
  /** Index of an element of the block, within the run. */
  readonly element: number;
}

/** How elements are stored. `blockElements` is 0 for I2_S, whose one scale is `scale`. I8 has its scales elsewhere. */
export interface Encoding {
  readonly type: Exclude<TensorType, 'I8' | 'U2_ROWS'>;
  readonly blockElements: number;
  readonly scale?: number;
}

/** Decodes and encodes runs of at most `capacity` elements, whole blocks each. */
export class BlockCodec {
  readonly #k: Kernels;
  readonly #arena: Arena;
  readonly #codes: Ptr;
  readonly #scales: Ptr;
  readonly #floats: Ptr;

  constructor(kernels: Kernels, arena: Arena, capacity: number) {
    this.#k = kernels;
    this.#arena = arena;
    this.#codes = arena.alloc(capacity, 'codes');
    this.#scales = arena.alloc(capacity / 4, 'scales');
    this.#floats = arena.alloc(capacity / 8, 'scales');
  }

  /**
   * `out[i] = weight i` of the n elements at `src`.
   * @returns null, or the first element that is no number
   */
  decode({ type, blockElements, scale = 1 }: Encoding, src: Ptr, out: Ptr, n: number): BadElement | null {
    const k = this.#k;
    switch (type) {
      case 'F32':
        k.copy_f32(src, out, n);
        return this.#finite(out, n);
      case 'F16':
        k.f16_to_f32(src, out, n);
        return this.#finite(out, n);
      case 'BF16':
        k.bf16_to_f32(src, out, n);
        return this.#finite(out, n);
      default: {
        const { rows, grouping } = TYPE_LAYOUTS[type];
        const block = blockElements || I2_S_RUN;
        const bad = unpackBlocks(k, { type, blockElements }, src, this.#codes, this.#scales, n / block);
        if (rows === 'u4' || rows === 'u8') {
          if (bad >= 0) return { kind: 'not-finite', element: bad * block };
          k.grouped_to_f32(this.#codes, this.#scales, grouping, n / block, out);
          return null;
        }
        const zero = rows === 'i8' ? 0 : rows === 'bit1' ? 0.5 : 1;
        return this.#scaled(bad, out, n, block, zero, type === 'I2_S' ? scale : undefined);
      }
    }
  }

  /**
   * Writes the n floats at `src` as blocks of `type` to `dst`.
   * @returns −1, or the first element of a block whose scale is beyond f16
   */
  encode(type: EncodedType, src: Ptr, dst: Ptr, n: number): number {
    const k = this.#k;
    const at = (bad: number, block: number): number => (bad < 0 ? -1 : bad * block);
    switch (type) {
      case 'F32':
        k.copy_f32(src, dst, n);
        return -1;
      case 'F16':
        k.f32_to_f16(src, dst, n);
        return -1;
      case 'Q8_0':
        return at(k.encode_q8_0(src, dst, n / 32), 32);
      case 'Q4_0':
        return at(k.encode_q4_0(src, dst, n / 32), 32);
      case 'TQ2_0':
        return at(k.encode_tq2_0(src, dst, n / 256), 256);
      case 'TQ1_0':
        return at(k.encode_tq1_0(src, dst, n / 256), 256);
    }
  }

  #finite(out: Ptr, n: number): BadElement | null {
    const element = this.#k.not_finite_f32(out, n);
    return element < 0 ? null : { kind: 'not-finite', element };
  }

  /** Codes to weights; `bad` is what the unpacker returned, `zero` the code of weight 0 (½ for two codes of ±1). */
  #scaled(bad: number, out: Ptr, n: number, block: number, zero: number, scale?: number): BadElement | null {
    if (bad >= 0) return { kind: 'not-finite', element: bad * block };
    if (bad < -1) return { kind: 'code', element: (-2 - bad) * block };
    const blocks = n / block;
    if (scale === undefined) this.#k.f16_to_f32(this.#scales, this.#floats, blocks);
    else this.#arena.f32(this.#floats, blocks).fill(scale);
    const scales = this.#arena.f32(this.#floats, blocks);
    const codes = zero === 0 ? this.#arena.i8(this.#codes, n) : this.#arena.u8(this.#codes, n);
    const weights = this.#arena.f32(out, n);
    // a small integer times an f32 is exact in f64 and rounded once, on the store
    const step = zero === 0.5 ? 2 : 1;
    for (let b = 0, i = 0; b < blocks; b++) {
      const d = scales[b] * step;
      for (const end = i + block; i < end; i++) weights[i] = d * (codes[i] - zero);
    }
    return null;
  }
}
