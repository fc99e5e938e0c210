/**
 * One bump arena over one wasm memory: weights first, then sessions, then scratch.
 *
 * Address 0 is never handed out: it stands for an empty slice. Every block begins on 64 bytes and is zero when it is
 * first handed out; kernels keep the padding behind a vector at zero. Views are asked for on the spot and never stored
 * across an `await` or an allocation, because growing a memory detaches them.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import { MemoryError } from '../errors.ts';
import { MAX_MEMORY_BYTES } from '../limits.ts';

/** An address in wasm memory. */
export type Ptr = number;

const PAGE = 65536;
const ALIGN = 64;
/** Below this lie the modules' own constants (asconfig.json: base from 1 kB, relaxed from 16 kB); the build checks it. */
export const ARENA_BASE: Ptr = 32768;

export class Arena {
  readonly memory: WebAssembly.Memory;
  /** Upper bound of the memory in bytes, at most 4 GiB less one page. */
  readonly limit: number;
  #head: Ptr = ARENA_BASE;
  #top: Ptr = ARENA_BASE;
  #failAfter = Infinity;
  #floats = new Float32Array(0);
  #ints = new Int32Array(0);

  constructor(memory: WebAssembly.Memory, limit: number = MAX_MEMORY_BYTES) {
    this.memory = memory;
    this.limit = Math.min(limit, MAX_MEMORY_BYTES);
  }

  /** Bytes handed out so far, the module's constants included. */
  get used(): number {
    return this.#head;
  }

  /**
   * A zeroed block of `bytes`, aligned to 64.
   * @param what named in the error
   * @throws {MemoryError} `MEMORY_LIMIT` beyond the limit; `MEMORY` when the host refuses to grow. Nothing has moved then.
   */
  alloc(bytes: number, what: string): Ptr {
    if (bytes === 0) return 0;
    if (--this.#failAfter < 0) {
      this.#failAfter = Infinity;
      throw new MemoryError('MEMORY', `${what}: ${bytes} bytes were refused`);
    }
    const at = this.#head;
    const end = at + alignUp(bytes, ALIGN);
    if (!(end <= this.limit)) {
      throw new MemoryError(
        'MEMORY_LIMIT',
        `${what} needs ${bytes} bytes, ${this.limit - at} of ${this.limit} are left; use a smaller model or context`,
      );
    }
    this.reserve(end, what);
    this.#head = end;
    if (at < this.#top) this.u8(at, Math.min(end, this.#top) - at).fill(0); // used before and released since
    this.#top = Math.max(this.#top, end);
    return at;
  }

  /** Grows the memory so that it ends at or after `end`, in one step. @throws {MemoryError} `MEMORY` */
  reserve(end: number, what: string): void {
    const missing = end - this.memory.buffer.byteLength;
    if (missing <= 0) return;
    let cause: unknown;
    try {
      this.memory.grow(Math.ceil(missing / PAGE));
    } catch (error) {
      cause = error;
    }
    if (end <= this.memory.buffer.byteLength) return;
    throw new MemoryError(
      'MEMORY',
      `${what}: the host refused ${missing} more bytes of memory (${this.memory.buffer.byteLength} are in use)`,
      { cause },
    );
  }

  /** The present end; give it to `release` to free everything allocated after it. */
  mark(): Ptr {
    return this.#head;
  }

  release(mark: Ptr): void {
    this.#head = mark;
  }

  /** Makes the n-th allocation from now (0 = the next) fail once; for tests. */
  failAt(n: number): void {
    this.#failAfter = n;
  }

  /** All of the memory, for what is looked at with every token: element `at / 4`. Made anew only when the memory grew. */
  get floats(): Float32Array {
    const { buffer } = this.memory;
    if (this.#floats.buffer !== buffer) this.#floats = new Float32Array(buffer);
    return this.#floats;
  }
  get ints(): Int32Array {
    const { buffer } = this.memory;
    if (this.#ints.buffer !== buffer) this.#ints = new Int32Array(buffer);
    return this.#ints;
  }

  u8(at: Ptr, n: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, n);
  }
  i8(at: Ptr, n: number): Int8Array {
    return new Int8Array(this.memory.buffer, at, n);
  }
  u16(at: Ptr, n: number): Uint16Array {
    return new Uint16Array(this.memory.buffer, at, n);
  }
  i32(at: Ptr, n: number): Int32Array {
    return new Int32Array(this.memory.buffer, at, n);
  }
  u32(at: Ptr, n: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, at, n);
  }
  f32(at: Ptr, n: number): Float32Array {
    return new Float32Array(this.memory.buffer, at, n);
  }
}
