/**
 * Runs one set of kernel tests on every build that this host can run, and then compares the builds bit for bit.
 *
 * Every block handed to a kernel lies between guard bytes, which are checked after each call, and may be placed so that
 * it ends where the memory ends: reading one byte too many traps there.
 * @module
 */
import { suite, type Test } from 'uvu';
import * as assert from 'uvu/assert';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { type Build, hasRelaxedSimd } from '../../src/wasm/features.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import type { Kernels } from '../../src/wasm/kernels.ts';

/** The builds that run here. Node 20 has no relaxed SIMD without a flag. */
export const builds: readonly Build[] = hasRelaxedSimd() ? ['base', 'relaxed'] : ['base'];

/** Lengths around every block and lane count in use. */
export const LENGTHS: readonly number[] = [0, 1, 15, 16, 17, 63, 64, 65, 255, 256, 257, 4099];

const GUARD = 64;
const GUARD_BYTE = 0xa5;
const PAGES = 64;
const BASE = 1 << 17;

type Typed = Float32Array | Float64Array | Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array;

/** Guarded blocks in the memory of one build, and a running digest of everything read back. */
export class Guarded {
  readonly memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: PAGES });
  digest = 0x811c9dc5;
  #head = BASE;
  #blocks: { at: number; bytes: number }[] = [];

  /** Forgets all blocks. */
  reset(): void {
    this.#head = BASE;
    this.#blocks = [];
  }

  /** A zeroed block on 64 bytes; `shift` moves it off that alignment. Guards begin at its very first and last byte. */
  alloc(bytes: number, shift = 0): number {
    const at = Math.ceil((this.#head + GUARD) / 64) * 64 + shift;
    this.#head = at + bytes + GUARD;
    if (this.#head > this.memory.buffer.byteLength - (1 << 20)) throw new Error('test memory is full; call reset()');
    return this.#guard(at, bytes);
  }

  /** A copy of `data` in a guarded block. */
  put(data: Typed, shift = 0): number {
    const at = this.alloc(data.byteLength, shift);
    this.#u8(at, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return at;
  }

  /** A copy of `data` that ends with the memory: what is read behind it traps. */
  putAtEnd(data: Typed): number {
    const at = this.memory.buffer.byteLength - data.byteLength;
    this.#u8(at, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return at;
  }

  #guard(at: number, bytes: number): number {
    this.#u8(at - GUARD, GUARD).fill(GUARD_BYTE);
    this.#u8(at, bytes).fill(0);
    this.#u8(at + bytes, GUARD).fill(GUARD_BYTE);
    this.#blocks.push({ at, bytes });
    return at;
  }

  #u8(at: number, n: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, n);
  }

  /** Throws when a byte outside the blocks was written. */
  check(what: string): void {
    for (const { at, bytes } of this.#blocks) {
      for (const from of [at - GUARD, at + bytes]) {
        const touched = this.#u8(from, GUARD).findIndex((byte) => byte !== GUARD_BYTE);
        if (touched >= 0) {
          throw new Error(`${what} wrote at byte ${from + touched - at} of a block of ${bytes} bytes`);
        }
      }
    }
  }

  /** Adds a number to the digest. */
  note(value: number): void {
    for (let k = 0; k < 32; k += 8) this.digest = Math.imul(this.digest ^ ((value >> k) & 255), 0x01000193);
  }

  /** A copy of `bytes` bytes from `at`; it goes into the digest. */
  bytes(at: number, bytes: number): Uint8Array {
    const copy = this.#u8(at, bytes).slice();
    for (const byte of copy) this.digest = Math.imul(this.digest ^ byte, 0x01000193);
    return copy;
  }
  f32(at: number, n: number): Float32Array {
    return new Float32Array(this.bytes(at, n * 4).buffer);
  }
  f64(at: number, n: number): Float64Array {
    return new Float64Array(this.bytes(at, n * 8).buffer);
  }
  u32(at: number, n: number): Uint32Array {
    return new Uint32Array(this.bytes(at, n * 4).buffer);
  }
  i32(at: number, n: number): Int32Array {
    return new Int32Array(this.bytes(at, n * 4).buffer);
  }
  u16(at: number, n: number): Uint16Array {
    return new Uint16Array(this.bytes(at, n * 2).buffer);
  }
  i8(at: number, n: number): Int8Array {
    return new Int8Array(this.bytes(at, n).buffer);
  }
}

/** What a kernel test gets. */
export interface KernelEnv {
  readonly build: Build;
  /** The exports; the guards are checked after every call, and a number that comes back goes into the digest. */
  readonly k: Kernels;
  readonly arena: Guarded;
}

/** Every kernel, followed by a look at the guards. */
function guarded(kernels: Kernels, arena: Guarded): Kernels {
  const wrapped = Object.entries(kernels).map(([name, kernel]) => [
    name,
    typeof kernel !== 'function' ? kernel : (...args: number[]): number | undefined => {
      const result = (kernel as (...args: number[]) => number | undefined)(...args);
      arena.check(name);
      if (typeof result === 'number') arena.note(result);
      return result;
    },
  ]);
  return Object.fromEntries(wrapped) as Kernels;
}

/**
 * Registers and runs `define` for every build, then compares what the builds returned.
 * @param define adds its tests to `test`; each begins with an empty arena
 */
export async function kernelSuite(name: string, define: (env: KernelEnv, test: Test) => void): Promise<void> {
  const digests = new Map<Build, number>();
  // all modules first: once a suite is running, awaiting would let it finish alone
  for (const { module, build } of await Promise.all(builds.map((build) => builtinModule(build)))) {
    const arena = new Guarded();
    const test = suite(`${name} (${build})`);
    test.before.each(() => arena.reset());
    define({ build, k: guarded(instantiate(module, arena.memory), arena), arena }, test);
    test.after(() => {
      digests.set(build, arena.digest);
      if (process.env.TERNSPIKE_VERBOSE) console.log(`${name} ${build}: ${(arena.digest >>> 0).toString(16)}`);
    });
    test.run();
  }
  const same = suite(`${name}: builds`);
  if (builds.length < 2) {
    console.log(`  skipped: ${name}: this host has no relaxed SIMD, so there is one build to test`);
    same.skip('both builds give the same bits (skipped: no relaxed SIMD here)', () => {});
  } else {
    same('both builds give the same bits', () => {
      assert.is(digests.size, builds.length);
      assert.is(new Set(digests.values()).size, 1);
    });
  }
  same.run();
}

/** A seeded sequence of numbers in 0 ≤ u < 1 for tests (not the engine's own generator). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** n normal deviates. */
export function normals(n: number, seed: number, scale = 1): Float32Array {
  const u = random(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - u())) * Math.cos(2 * Math.PI * u());
  return Float32Array.from({ length: n }, () => scale * normal());
}

/** n random bytes. */
export function noise(n: number, seed: number): Uint8Array {
  const u = random(seed);
  return Uint8Array.from({ length: n }, () => Math.floor(u() * 256));
}

const LARGEST = 3.4028234663852886e38;
/** Values that break careless kernels; finite ones first. */
export const SPECIALS: readonly number[] = [0, -0, 1e-45, -1e-45, 1.17549435e-38, -1.1e-38, 1, -1, LARGEST, -LARGEST];
export const NOT_FINITE: readonly number[] = [Infinity, -Infinity, NaN];

/** Inputs of length n that the suites sweep: random, extremes, alternating, finite specials. */
export function patterns(n: number): { name: string; x: Float32Array }[] {
  return [
    { name: 'random', x: normals(n, n + 1) },
    { name: 'large', x: normals(n, n + 2, 30) },
    { name: 'all largest', x: new Float32Array(n).fill(LARGEST) },
    { name: 'all lowest', x: new Float32Array(n).fill(-LARGEST) },
    { name: 'alternating', x: Float32Array.from({ length: n }, (_, i) => (i % 2 ? -1.5 : 1.5)) },
    { name: 'specials', x: Float32Array.from({ length: n }, (_, i) => SPECIALS[i % SPECIALS.length]) },
    { name: 'zeros', x: new Float32Array(n) },
  ];
}

/** Distance from the truth in units of its last place in f32; 0 where both are NaN or the same infinity. */
export function ulps(actual: number, truth: number): number {
  if (Object.is(actual, truth) || actual === truth) return 0;
  const near = Math.fround(truth);
  if (!Number.isFinite(near) || !Number.isFinite(actual)) return Object.is(actual, near) ? 0 : Infinity;
  let exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(truth) || 1e-45)));
  if (2 ** exponent > Math.abs(truth)) exponent = Math.max(-126, exponent - 1);
  return Math.abs(actual - truth) / 2 ** (exponent - 23);
}

/** Fails with index and values where two f32 sequences differ in a bit (any NaN equals any NaN). */
export function sameBits(actual: ArrayLike<number>, expected: ArrayLike<number>, what = ''): void {
  assert.is(actual.length, expected.length, what);
  for (let i = 0; i < actual.length; i++) {
    if (!Object.is(actual[i], expected[i])) {
      assert.unreachable(`${what} [${i}] is ${actual[i]}, expected ${expected[i]}`);
    }
  }
}
