/**
 * Where bytes come from. One short contract; the implementations stand beside it.
 *
 * It does not promise that a read is complete: `read` may deliver fewer bytes than asked for, as files, sockets and
 * ranges do. `readFully` asks again until the range is full, and refuses a source that ends early.
 * @module
 */
import { IoError, TernspikeError } from '../errors.ts';
import { shown } from '../options.ts';

/** Random access to a finite run of bytes that does not change while it is open. */
export interface ByteSource {
  /** Bytes in all. */
  readonly size: number;
  /** What errors call this source: a path, a URL, `memory`. */
  readonly name: string;
  /**
   * Copies bytes from `offset` on into `into`, up to `into.length`, and returns how many (0 only at the end).
   * `into` may be a view over wasm memory, which is not grown while a read is under way.
   */
  read(into: Uint8Array, offset: number, signal?: AbortSignal): Promise<number>;
  /**
   * The bytes of a small file of this name that lies in the same folder, such as the `config.json` of a checkpoint; null
   * where there is none. Absent where a source has no place.
   * @throws {IoError} `IO` for more than `most` bytes, and as `read`
   */
  beside?(name: string, most: number, signal?: AbortSignal): Promise<Uint8Array | null>;
  /** Another file of the same folder; null where there is none of this name. The caller closes it. @throws as opening it */
  sibling?(name: string, signal?: AbortSignal): Promise<ByteSource | null>;
  /** Gives back handles. Harmless when called twice. */
  close?(): Promise<void>;
}

/** Files that hold the weights of a model of several files, the first that is there. */
export const WEIGHT_FILES: readonly string[] = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
];

/** `beside` of a source that has `sibling`. */
export function besideBy(sibling: NonNullable<ByteSource['sibling']>): NonNullable<ByteSource['beside']> {
  return async (name, most, signal) => {
    const found = await sibling(name, signal);
    return found && await readWhole(found, most, signal);
  };
}

/** All of a small file, which is closed then. @throws {IoError} `IO` for more than `most` bytes, and as `readFully` */
export async function readWhole(source: ByteSource, most: number, signal?: AbortSignal): Promise<Uint8Array> {
  try {
    if (source.size > most) {
      throw new IoError('IO', `${source.name} has ${source.size} bytes, at most ${most} are read`);
    }
    const bytes = new Uint8Array(source.size);
    await readFully(source, bytes, 0, 'the file', signal);
    return bytes;
  } finally {
    await source.close?.();
  }
}

/**
 * Fills `into` with the bytes at `offset`.
 * @param what named in the error when the source ends early, for example `tensor "blk.0.attn_q.weight"`
 * @throws {IoError} `TRUNCATED` when the source ends before `into` is full; `IO` when it fails, with the cause; `SOURCE` when it
 *  answers more than it was asked for, or no number of bytes
 */
export async function readFully(
  source: ByteSource,
  into: Uint8Array,
  offset: number,
  what: string,
  signal?: AbortSignal,
): Promise<void> {
  let done = 0;
  while (done < into.length) {
    signal?.throwIfAborted();
    let got: number;
    try {
      got = await source.read(done === 0 ? into : into.subarray(done), offset + done, signal);
    } catch (cause) {
      if (signal?.aborted || cause instanceof TernspikeError) throw cause;
      throw new IoError('IO', `${source.name}: reading ${what} at byte ${offset + done} failed: ${String(cause)}`, {
        cause,
      });
    }
    // one that answers nonsense would be asked for ever, or its bytes be taken for read
    if (!(Number.isInteger(got) && got >= 0 && got <= into.length - done)) {
      throw new IoError(
        'SOURCE',
        `${source.name}: asked for ${into.length - done} bytes at byte ${offset + done}, read answered ${
          shown(got)
        }; ` +
          'it has to answer how many it delivered',
      );
    }
    if (got === 0) {
      throw new IoError(
        'TRUNCATED',
        `${source.name}: ${what} needs bytes ${offset}..${offset + into.length}, the source ends at ${
          offset + done
        }; ` +
          'is the download complete?',
      );
    }
    done += got;
  }
}
