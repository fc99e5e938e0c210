/**
 * SymbolicLight checkpoints as they are released: what `torch.save` writes, with the buffers of the public code among
 * the parameters. The bytes of the weights are made when they are read, so that the largest takes no memory.
 * @module
 */
import type { ByteSource } from '../src/bytes/source.ts';
import type { SpikingShape } from '../src/architectures/symboliclight/random.ts';
import { SYMBOLICLIGHT_KEYS, symbolicLightShapes } from '../src/architectures/symboliclight/description.ts';
import { ByteBuilder } from './builders.ts';
import { pickleBytes, type PickleCode, putDirectory, putLocal, torchTensor, type ZipFile } from './builders-torch.ts';

/** Bytes of the archive that repeat a tile. */
interface Stretch {
  readonly at: number;
  readonly bytes: number;
  readonly tile: Uint8Array;
}

/** Sizes and names of one released checkpoint. */
export interface Released {
  readonly source: ByteSource;
  /** Entries of the state dict. */
  readonly entries: number;
}

/** What `putLocal` puts behind the data of a file. */
const DESCRIPTOR_BYTES = 16;
/** Floats of a tile, a prime number: rows of any width differ. */
const TILE_FLOATS = 4093;

/**
 * A checkpoint with random weights.
 * @param prefix put before every name, as wrappers do
 * @param key under which the state dict stands
 */
export function released(d: SpikingShape, prefix: string = '', key: string = 'model'): Released {
  const shapes = new Map(symbolicLightShapes(d));
  for (let i = 0; i < d.layers; i++) {
    shapes.set(`blocks.${i}.tcam.sparse_attn.rope.inv_freq`, [d.headDim / 2]);
    if (d.variant === '0.8b') {
      shapes.set(`blocks.${i}.tcam.sparse_attn._cached_mask`, [d.trainedContext, d.trainedContext]);
    }
  }
  const head = new ByteBuilder();
  const stretches: Stretch[] = [];
  const listed: { file: ZipFile; header: number; size: number }[] = [];
  const runs: { at: number; bytes: Uint8Array }[] = [];
  let end = 0;
  const put = (name: string, data: Uint8Array | number, tile?: Uint8Array): void => {
    const out = new ByteBuilder();
    const file = typeof data === 'number' ? { name } : { name, data };
    putLocal(out, file);
    const bytes = typeof data === 'number' ? data : data.length;
    listed.push({ file, header: end, size: bytes });
    runs.push({ at: end, bytes: out.take() });
    end += out.length;
    if (tile) {
      stretches.push({ at: end - DESCRIPTOR_BYTES, bytes, tile }); // in front of the descriptor
      end += bytes;
    }
  };
  const tensors = new Map<string, PickleCode>();
  [...shapes].forEach(([name, shape], i) => {
    const mask = name.endsWith('_cached_mask');
    tensors.set(prefix + name, torchTensor({ shape, key: String(i), storage: mask ? 'BoolStorage' : 'FloatStorage' }));
  });
  put('archive/data.pkl', pickleBytes({ config: configOf(d), [key]: tensors, global_step: 186000 }));
  [...shapes].forEach(([name, shape], i) => {
    const elements = shape.reduce((a, b) => a * b, 1);
    const mask = name.endsWith('_cached_mask');
    const mean = name.endsWith('norm.weight') ? 1 : 0;
    put(`archive/data/${i}`, elements * (mask ? 1 : 4), mask ? Uint8Array.of(1) : floats(mean, shape[1] ?? 16));
  });
  putDirectory(head, listed, {}, end);
  runs.push({ at: end, bytes: head.take() });
  return { source: new Pieces(end + head.length, runs, stretches), entries: shapes.size };
}

function configOf(d: SpikingShape): Record<string, number | boolean | string> {
  const window = d.variant === '0.8b' ? 512 : 256;
  const numbers = { ...d, threshold: 1, leak: 0.95, theta: 10000, window, anchors: 4 };
  const named = Object.entries(SYMBOLICLIGHT_KEYS) as [
    keyof typeof SYMBOLICLIGHT_KEYS,
    readonly [string, string],
  ][];
  const config = Object.fromEntries(named.map(([key, [name]]) => [name, numbers[key]]));
  return { ...config, frontend_mode: 'text', dropout: 0.1 };
}

function floats(mean: number, cols: number): Uint8Array {
  const tile = new Float32Array(TILE_FLOATS);
  let state = cols;
  for (let i = 0; i < TILE_FLOATS; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    tile[i] = mean + (state / 2 ** 31 - 1) / Math.sqrt(cols);
  }
  return new Uint8Array(tile.buffer);
}

/** Bytes in a few places, and tiles between them. */
class Pieces implements ByteSource {
  readonly name = 'released.pt';
  readonly size: number;
  readonly #runs: readonly { at: number; bytes: Uint8Array }[];
  readonly #stretches: readonly Stretch[];

  constructor(size: number, runs: readonly { at: number; bytes: Uint8Array }[], stretches: readonly Stretch[]) {
    this.size = size;
    this.#runs = runs;
    this.#stretches = stretches;
  }

  read(into: Uint8Array, offset: number): Promise<number> {
    const n = Math.max(0, Math.min(into.length, this.size - offset));
    into.fill(0, 0, n);
    for (const { at, bytes } of this.#runs) {
      const from = Math.max(offset, at);
      const to = Math.min(offset + n, at + bytes.length);
      if (from < to) into.set(bytes.subarray(from - at, to - at), from - offset);
    }
    for (const { at, bytes, tile } of this.#stretches) {
      const to = Math.min(offset + n, at + bytes);
      for (let from = Math.max(offset, at); from < to;) {
        const start = (from - at) % tile.length;
        const count = Math.min(tile.length - start, to - from);
        into.set(tile.subarray(start, start + count), from - offset);
        from += count;
      }
    }
    return Promise.resolve(n);
  }
}
