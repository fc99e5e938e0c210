/**
 * A bounds-checked cursor that walks forward over a source, little-endian.
 *
 * Bytes come into a window of a growing size; `ensure(n)` is the only method that waits. After it, n bytes can be taken
 * synchronously, so a parser awaits once per window and not once per value:
 *
 *     if (!reader.has(8)) await reader.ensure(8, 'the length of a string');
 *     const length = reader.u64();
 *
 * Nothing is allocated for bytes that the source does not have.
 * @module
 */
import { type ErrorCode, IoError, ModelFileError } from '../errors.ts';
import { type ByteSource, readFully } from './source.ts';

/** How much a reader may read, and how. */
export interface ReaderOptions {
  /** First byte. */
  start?: number;
  /** Bytes that may be passed in all; infinite unless told. */
  limitBytes?: number;
  /** Code of the error at that limit. */
  limitCode?: ErrorCode;
  /** Size of the first window; each next one is twice as large, up to 4 MiB. */
  windowBytes?: number;
  signal?: AbortSignal;
}

const FIRST_WINDOW_BYTES = 256 << 10;
const LAST_WINDOW_BYTES = 4 << 20;
/** Up to this length ASCII is put together by hand, which beats a call of the decoder. */
const SHORT_BYTES = 12;

const STRICT: TextDecoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });
const LENIENT: TextDecoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: false });

export class Reader {
  readonly #source: ByteSource;
  readonly #end: number;
  readonly #limitCode: ErrorCode;
  readonly #limitBytes: number;
  readonly #signal: AbortSignal | undefined;
  /** Valid bytes of the window; the view covers exactly these. */
  #window: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#window.buffer);
  /** Position of the window's first byte in the source. */
  #windowStart: number;
  /** Next byte, counted from the window's first. */
  #at = 0;
  #nextWindowBytes: number;

  constructor(source: ByteSource, options: ReaderOptions = {}) {
    this.#source = source;
    this.#windowStart = options.start ?? 0;
    this.#limitBytes = options.limitBytes ?? Infinity;
    this.#limitCode = options.limitCode ?? 'SOURCE';
    this.#end = Math.min(source.size, this.#windowStart + this.#limitBytes);
    this.#nextWindowBytes = options.windowBytes ?? FIRST_WINDOW_BYTES;
    this.#signal = options.signal;
  }

  /** Position of the next byte in the source. */
  get position(): number {
    return this.#windowStart + this.#at;
  }

  /** Bytes from here to the end of the source: a bound for declared counts, never the size of an allocation. */
  get left(): number {
    return this.#source.size - this.position;
  }

  /** Whether `bytes` can be taken without waiting. */
  has(bytes: number): boolean {
    return bytes <= this.#window.length - this.#at;
  }

  /** Bytes that can be taken without waiting. */
  get ready(): number {
    return this.#window.length - this.#at;
  }

  /**
   * Brings the next `bytes` into the window.
   * @param what is being read, for the error
   * @throws {IoError} `TRUNCATED` when the source has fewer bytes left; what reading throws
   * @throws {ModelFileError} the limit's code when they lie beyond the limit
   */
  async ensure(bytes: number, what: string): Promise<void> {
    if (this.has(bytes)) return;
    const from = this.position;
    if (!(from + bytes <= this.#source.size)) {
      throw new IoError(
        'TRUNCATED',
        `${this.#source.name}: ${what} needs ${bytes} bytes at ${from}, the source has ${this.#source.size} in all; ` +
          'is the download complete?',
      );
    }
    if (!(from + bytes <= this.#end)) {
      throw new ModelFileError(
        this.#limitCode,
        `${this.#source.name}: ${what} at byte ${from} exceeds the limit of ${this.#limitBytes} bytes`,
      );
    }
    const kept = this.#window.subarray(this.#at);
    const size = Math.min(Math.max(bytes, this.#nextWindowBytes), this.#end - from);
    const window = new Uint8Array(size);
    window.set(kept);
    await readFully(this.#source, window.subarray(kept.length), from + kept.length, what, this.#signal);
    this.#window = window;
    this.#view = new DataView(window.buffer);
    this.#windowStart = from;
    this.#at = 0;
    this.#nextWindowBytes = Math.min(this.#nextWindowBytes * 2, LAST_WINDOW_BYTES);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  i8(): number {
    return this.#view.getInt8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  i16(): number {
    return this.#view.getInt16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }
  f32(): number {
    return this.#view.getFloat32(this.#take(4), true);
  }
  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** A number up to 2^53 − 1, a bigint beyond: never a rounded value. */
  u64(): number | bigint {
    const at = this.#take(8);
    const high = this.#view.getUint32(at + 4, true);
    if (high < 0x200000) return high * 0x100000000 + this.#view.getUint32(at, true);
    return this.#view.getBigUint64(at, true);
  }

  /** A number from −(2^53 − 1) to 2^53 − 1, a bigint beyond. */
  i64(): number | bigint {
    const value = this.#view.getBigInt64(this.#take(8), true);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  /** A copy of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#window.slice(at, at + length);
  }

  /**
   * Text of `length` bytes. A byte order mark is kept, as it is part of the text.
   * @param strict null for bytes that are not UTF-8; otherwise such bytes become U+FFFD
   */
  utf8(length: number, strict: false): string;
  utf8(length: number, strict: true): string | null;
  utf8(length: number, strict: boolean): string | null {
    const at = this.#take(length);
    const end = at + length;
    if (length <= SHORT_BYTES) {
      const window = this.#window;
      let text = '';
      let i = at;
      for (; i < end && window[i] < 0x80; i++) text += String.fromCharCode(window[i]);
      if (i === end) return text;
    }
    const bytes = this.#window.subarray(at, end);
    if (!strict) return LENIENT.decode(bytes);
    try {
      return STRICT.decode(bytes);
    } catch {
      return null;
    }
  }

  /** Moves on and says where the taken bytes begin. Bytes that were not ensured are refused, never invented. */
  #take(bytes: number): number {
    const at = this.#at;
    if (!(bytes <= this.#window.length - at)) {
      throw new IoError('TRUNCATED', `${this.#source.name}: ${bytes} bytes at ${this.position} are not in the window`);
    }
    this.#at = at + bytes;
    return at;
  }
}
