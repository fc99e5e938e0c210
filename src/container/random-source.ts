/**
 * The bytes of a random model: a header, and tensors that repeat a tile of random blocks. Their scales are chosen so that
 * activations keep a natural size.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import type { ByteSource } from '../bytes/source.ts';
import { tensorBytes, TYPE_LAYOUTS, type TypeLayout } from './ggml-types.ts';
import { DEFAULT_ALIGNMENT } from './gguf-types.ts';
import type { GgufTensor } from './gguf-write.ts';
import type { TensorType } from './tensor.ts';
import { type GgufEntry, writeGguf } from './gguf-write.ts';

/** A tensor of random elements. */
export interface RandomTensor extends GgufTensor {
  readonly mean: number;
  /** Half the width of the elements' range; default one over the root of the row. */
  readonly spread?: number;
  /** All blocks have the same scale, as matrices that take spikes must. */
  readonly oneScale?: boolean;
}

/** Bytes of a tile, rounded down to whole blocks. */
const TILE_BYTES = 1 << 16;

/** A tensor and where it lies. */
interface Placed extends RandomTensor {
  readonly offset: number;
  readonly byteLength: number;
}

/** Header bytes, then tiles. */
export class RandomSource implements ByteSource {
  readonly name = 'random model';
  readonly size: number;
  readonly #header: Uint8Array;
  readonly #tensors: readonly Placed[];
  readonly #tiles = new Map<string, Uint8Array>();

  constructor(header: Uint8Array, tensors: readonly RandomTensor[]) {
    this.#header = header;
    let end = header.length;
    this.#tensors = tensors.map((tensor) => {
      const offset = alignUp(end, DEFAULT_ALIGNMENT);
      const byteLength = tensorBytes(tensor.type, tensor.shape);
      end = offset + byteLength;
      return { ...tensor, offset, byteLength };
    });
    this.size = end;
  }

  read(into: Uint8Array, offset: number): Promise<number> {
    const n = Math.min(into.length, this.size - offset);
    into.fill(0, 0, Math.max(0, n)); // padding between tensors
    if (offset < this.#header.length) into.set(this.#header.subarray(offset, offset + n));
    for (const tensor of this.#tensors) {
      const from = Math.max(offset, tensor.offset);
      const to = Math.min(offset + n, tensor.offset + tensor.byteLength);
      if (from >= to) continue;
      const tile = this.#tile(tensor);
      for (let at = from; at < to;) {
        const start = (at - tensor.offset) % tile.length;
        const count = Math.min(tile.length - start, to - at);
        into.set(tile.subarray(start, start + count), at - offset);
        at += count;
      }
    }
    return Promise.resolve(Math.max(0, n));
  }

  #tile({ type, shape, mean, spread, oneScale = false }: Placed): Uint8Array {
    const size = spread ?? 1 / Math.sqrt(shape[shape.length - 1]);
    const key = `${type} ${mean} ${size} ${oneScale}`;
    let tile = this.#tiles.get(key);
    if (!tile) {
      tile = randomTile(type, mean, size, oneScale);
      this.#tiles.set(key, tile);
    }
    return tile;
  }
}

/** Whole blocks of `type` with weights around `mean`, of about `size`. */
function randomTile(type: TensorType, mean: number, size: number, oneScale: boolean): Uint8Array {
  const { blockBytes } = TYPE_LAYOUTS[type];
  // an odd number of blocks, so that rows of any usual width begin at different places of the tile
  const blocks = Math.floor(TILE_BYTES / blockBytes / 2) * 2 - 1;
  const tile = new Uint8Array(blocks * blockBytes);
  const view = new DataView(tile.buffer);
  let state = 0x2545f491;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
  for (let b = 0; b < blocks; b++) {
    const at = b * blockBytes;
    const float = mean + (next() / 2 ** 23 - 1) * size;
    if (type === 'F32') view.setFloat32(at, float, true);
    else if (type === 'BF16') view.setUint16(at, floatBits(float) >>> 16, true);
    else if (type === 'F16') view.setUint16(at, halfBits(float), true);
    else if (type === 'I8') tile[at] = randomByte(type, next);
    else quantisedBlock(type, tile, view, at, size, oneScale, next);
  }
  return tile;
}

function quantisedBlock(
  type: TensorType,
  tile: Uint8Array,
  view: DataView,
  at: number,
  size: number,
  oneScale: boolean,
  next: () => number,
): void {
  const { blockBytes, blockElements, grouping } = TYPE_LAYOUTS[type];
  if (TYPE_LAYOUTS[type].rows === 'u4') {
    return groupedBlock({ blockElements, blockBytes, grouping }, tile, view, at, size, next);
  }
  const scaleFirst = type === 'Q8_0' || type === 'Q2_0' || type === 'Q1_0';
  const codes = at + (scaleFirst ? 2 : 0);
  for (let i = 0; i < blockBytes - 2; i++) tile[codes + i] = randomByte(type, next);
  const largest = type === 'Q8_0' ? 127 : 1;
  // a few different scales, so that blocks are told apart, where they may differ
  view.setUint16(
    scaleFirst ? at : at + blockBytes - 2,
    halfBits((size / largest) * (oneScale ? 1 : 1 + (next() % 4) / 8)),
    true,
  );
}

/** Q4_0 and Q4_K: random nibbles, and in groups scales and minima in the middle of their range. */
function groupedBlock(
  { blockElements, blockBytes, grouping }: Pick<TypeLayout, 'blockElements' | 'blockBytes' | 'grouping'>,
  tile: Uint8Array,
  view: DataView,
  at: number,
  size: number,
  next: () => number,
): void {
  for (let i = 0; i < blockBytes; i++) tile[at + i] = next() & 255;
  const groups = (grouping & 1) === 1;
  // weights reach d · scale · 8 to either side; the mean of a 6-bit scale is 32, and so is that of a minimum
  const d = (size / 8 / (groups ? 32 : 1)) * (1 + (next() % 4) / 8);
  view.setUint16(at, halfBits(d), true);
  if (blockElements === 256) view.setUint16(at + 2, halfBits(7.5 * d), true);
}

function randomByte(type: TensorType, next: () => number): number {
  if (type === 'Q8_0' || type === 'I8') return (next() % 255) - 127;
  if (type === 'Q1_0') return next() & 255;
  if (type === 'TQ1_0') return Math.floor(((next() % 243) * 256 + 242) / 243);
  return (next() % 3) | ((next() % 3) << 2) | ((next() % 3) << 4) | ((next() % 3) << 6);
}

function floatBits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0];
}

/** f16 bits of a normal number, cut off rather than rounded. */
function halfBits(value: number): number {
  const bits = floatBits(value);
  const exponent = ((bits >>> 23) & 255) - 112;
  const sign = (bits >>> 16) & 0x8000;
  return exponent <= 0 ? sign : sign | (exponent << 10) | ((bits >>> 13) & 1023);
}

/** A GGUF file that is never written: its header, and random weights where they are read. */
export async function randomSource(
  parts: { readonly metadata: Map<string, GgufEntry>; readonly tensors: readonly RandomTensor[] },
): Promise<ByteSource> {
  let header = new Uint8Array(0);
  await writeGguf({ write: async (bytes) => void (header = bytes.slice()) }, { ...parts, tensors: [...parts.tensors] });
  return new RandomSource(header, [...parts.tensors]);
}
