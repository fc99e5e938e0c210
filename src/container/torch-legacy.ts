/**
 * PyTorch checkpoints as they were before version 1.6, and as `_use_new_zipfile_serialization=False` still writes them: pickles one
 * after the other, then the storages.
 *
 *     pickle of a magic number │ of 1001 │ of {'little_endian': True, …} │ of the value │ of [key, …]
 *     for each key: u64 elements, bytes
 * @module
 */
import { type ByteSource, readFully } from '../bytes/source.ts';
import { type ErrorCode, ModelFileError } from '../errors.ts';
import { MAX_PICKLE_BYTES, MAX_PICKLE_ITEMS } from '../limits.ts';
import { quote } from './gguf-types.ts';
import { type Unpickled, unpickleNext } from './pickle.ts';
import type { PickleValue } from './pickle-values.ts';
import { isAllowed, type Storage, storageOf, type Storages } from './torch-state.ts';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;
/** The pickles are looked for in the first bytes, and in more where they do not fit. */
const FIRST_BYTES = 1 << 18;
/** Headers of storages that are read side by side: over a network each takes as long as a journey. */
const AT_ONCE = 8;

/** The value of a checkpoint and where its storages are. @throws {ModelFileError} `TORCH_LEGACY`, `BYTE_ORDER`, `PICKLE_…`, `STORAGE_RANGE` */
export async function readLegacy(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<{ root: PickleValue; storages: Storages }> {
  const refuse = (code: ErrorCode, why: string): never => {
    throw new ModelFileError(code, `${source.name}: ${why}`);
  };
  const [magic, protocol, system, root, keys] = await pickles(source, signal);
  if (magic.value !== MAGIC || protocol.value !== PROTOCOL) {
    refuse('TORCH_LEGACY', 'a Python pickle, not a PyTorch checkpoint; save a state dict with torch.save');
  }
  if (!(system.value instanceof Map) || system.value.get('little_endian') !== true) {
    refuse('BYTE_ORDER', 'the checkpoint does not state that it is little-endian; only little-endian ones can be read');
  }
  const known = new Map<string, Storage>();
  for (const { id } of root.references) {
    const storage = storageOf(id);
    if (storage === null) return refuse('STORAGE_RANGE', 'a storage has no known type, no name or no size');
    const before = known.get(storage.key);
    if (before && (before.bytes !== storage.bytes || before.type !== storage.type)) {
      refuse('STORAGE_RANGE', `storage ${quote(storage.key)} occurs with two types or sizes`);
    }
    known.set(storage.key, storage);
  }
  const list = keys.value;
  if (!Array.isArray(list) || list.length > MAX_PICKLE_ITEMS || new Set(list).size !== list.length) {
    return refuse('PICKLE_CORRUPT', 'the names of the storages are not a list of distinct names');
  }
  const places = new Map<string, number>();
  let at = root.end + keys.end;
  for (const key of list) {
    const storage = typeof key === 'string' ? known.get(key) : undefined;
    if (!storage) return refuse('STORAGE_RANGE', `storage ${quote(String(key))} is listed but never used`);
    places.set(storage.key, at + 8);
    at += 8 + storage.bytes;
    if (at > source.size) {
      refuse('STORAGE_RANGE', `storage ${quote(storage.key)} ends at ${at}, the file at ${source.size}`);
    }
  }
  if (at !== source.size) refuse('STORAGE_RANGE', `${source.size - at} bytes follow the last storage`);
  await checkSizes(source, [...places].map(([key, place]) => [known.get(key) as Storage, place]), signal);
  return {
    root: root.value,
    storages: (key) => {
      const offset = places.get(key);
      return offset === undefined ? null : { offset, byteLength: (known.get(key) as Storage).bytes };
    },
  };
}

/** The five pickles; the ends of the last two count from the beginning of the file and from the one before. */
async function pickles(source: ByteSource, signal?: AbortSignal): Promise<readonly Unpickled[]> {
  for (let size = FIRST_BYTES;; size *= 8) {
    const bytes = new Uint8Array(Math.min(size, source.size, MAX_PICKLE_BYTES));
    await readFully(source, bytes, 0, 'the pickles of the checkpoint', signal);
    try {
      const read: Unpickled[] = [];
      let at = 0;
      for (const what of ['magic number', 'version', 'system', 'value', 'storages']) {
        const next = unpickleNext(bytes.subarray(at), `${source.name}: ${what}`, isAllowed);
        at += next.end;
        read.push(what === 'value' ? { ...next, end: at } : next);
        if (what === 'magic number' && next.value !== MAGIC) return [next, next, next, next, next];
      }
      return read;
    } catch (error) {
      // whatever is wrong before the end of what was read is wrong with more of it, too
      const more = bytes.length < Math.min(source.size, MAX_PICKLE_BYTES);
      if (!more || !(error instanceof ModelFileError) || error.code !== 'PICKLE_CORRUPT') throw error;
    }
  }
}

/** Every storage begins with the number of its elements. */
async function checkSizes(
  source: ByteSource,
  all: readonly (readonly [Storage, number])[],
  signal?: AbortSignal,
): Promise<void> {
  const check = async ([storage, place]: readonly [Storage, number]): Promise<void> => {
    const header = new Uint8Array(8);
    await readFully(source, header, place - 8, `storage ${quote(storage.key)}`, signal);
    const stated = new DataView(header.buffer).getBigUint64(0, true);
    if (stated === BigInt(storage.elements)) return;
    throw new ModelFileError(
      'STORAGE_RANGE',
      `${source.name}: storage ${quote(storage.key)} has ${stated} elements, the pickle says ${storage.elements}`,
    );
  };
  for (let i = 0; i < all.length; i += AT_ONCE) await Promise.all(all.slice(i, i + AT_ONCE).map(check));
}
