/**
 * A session as bytes: what the model has read, so that it goes on elsewhere as if it had never stopped.
 *
 *   0  "TSPKSNAP"         16  digest of the model, 8 bytes     32  bytes of the payload, u64
 *   8  version 1, u32     24  positions held, u32              40  XXH32 of bytes 0 … 39 and the payload, u32
 *  12  0 f16, 1 f32, u32  28  positions of that session, u32   44  0, u32                          48  payload
 *
 * Little-endian. The payload is the architecture's: keys and values of the positions held, or a whole recurrent state.
 * Sampler, options of the session and the tail of a text stream are not in it. Another version is refused.
 *
 * The checksum finds damage, not malice: whoever can write a snapshot can put words into the model's memory, as whoever
 * writes the prompt can. Whatever it holds, no address and no size is taken from it unchecked.
 * @module
 */
import { MemoryError, OptionError, SessionError } from '../errors.ts';
import type { Decoder, DecoderState } from '../forward/decoder.ts';
import { xxh32 } from '../bytes/xxh32.ts';

const MAGIC = 'TSPKSNAP';
const VERSION = 1;
/** What stands in front of the payload. */
export const HEADER_BYTES: number = 48;
const KV_TYPES = ['f16', 'f32'] as const;

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** The checksum of a snapshot, as it should stand at byte 40. */
function checksum(bytes: Uint8Array): number {
  return xxh32(bytes.subarray(HEADER_BYTES), xxh32(bytes.subarray(0, 40)));
}

/**
 * @param digest eight bytes that name the model
 * @throws {MemoryError} `MEMORY` where the host has no room for the bytes
 */
export function writeSnapshot(decoder: Decoder, state: DecoderState, digest: Uint8Array): Uint8Array {
  const payload = decoder.stateBytes(state.length);
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(HEADER_BYTES + payload);
  } catch (cause) {
    throw new MemoryError('MEMORY', `snapshot: ${HEADER_BYTES + payload} bytes were refused`, { cause });
  }
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < MAGIC.length; i++) bytes[i] = MAGIC.charCodeAt(i);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, KV_TYPES.indexOf(decoder.kv), true);
  bytes.set(digest, 16);
  view.setUint32(24, state.length, true);
  view.setUint32(28, state.context, true);
  view.setBigUint64(32, BigInt(payload), true);
  decoder.writeState(state, bytes.subarray(HEADER_BYTES));
  view.setUint32(40, checksum(bytes), true);
  return bytes;
}

/** The header, of which only the beginning is checked. @throws {SessionError} `SNAPSHOT` for what is no snapshot of ours */
function header(bytes: Uint8Array): DataView {
  if (bytes.length < HEADER_BYTES) {
    throw refused(`it has ${bytes.length} bytes, its header alone takes ${HEADER_BYTES}`);
  }
  if (String.fromCharCode(...bytes.subarray(0, MAGIC.length)) !== MAGIC) {
    throw refused(`it does not begin with ${MAGIC}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(8, true);
  if (version !== VERSION) throw refused(`it is of version ${version}, this engine reads version ${VERSION}`);
  return view;
}

/**
 * Positions that a snapshot says to hold, from its first `HEADER_BYTES` bytes, so that a context can be chosen. Only
 * `readSnapshot` knows whether it is true.
 * @throws {SessionError} `SNAPSHOT` for what is no snapshot of ours
 */
export function snapshotPositions(head: Uint8Array): number {
  return header(head).getUint32(24, true);
}

/**
 * Checks everything, and only then changes `state`.
 * @throws {SessionError} `SNAPSHOT` for bytes that are cut, altered or no snapshot; `SNAPSHOT_MODEL` for one of another
 *   model, quantisation or type of keys and values; `CONTEXT_OVERFLOW` for one that holds more positions than `state` can
 * @throws {OptionError} `OPTION` for anything but a Uint8Array
 */
export function readSnapshot(decoder: Decoder, state: DecoderState, digest: Uint8Array, bytes: Uint8Array): void {
  if (!(bytes instanceof Uint8Array)) {
    throw new OptionError('OPTION', `snapshot is ${bytes === null ? 'null' : typeof bytes}, expected a Uint8Array`);
  }
  const view = header(bytes);
  const payload = view.getBigUint64(32, true);
  if (payload !== BigInt(bytes.length - HEADER_BYTES)) {
    throw refused(`it states ${payload} bytes after its header, there are ${bytes.length - HEADER_BYTES}`);
  }
  const [stored, sum] = [view.getUint32(40, true), checksum(bytes)];
  if (stored !== sum) throw refused(`its checksum is ${sum.toString(16)}, it states ${stored.toString(16)}`);

  const theirs = bytes.subarray(16, 24);
  if (hex(theirs) !== hex(digest)) {
    throw new SessionError(
      'SNAPSHOT_MODEL',
      `the snapshot belongs to model ${hex(theirs)}, this one is ${hex(digest)}; open the file it was taken from`,
    );
  }
  const kv = view.getUint32(12, true);
  if (kv >= KV_TYPES.length) throw refused(`its keys and values are of type ${kv}, expected 0 or 1`);
  if (KV_TYPES[kv] !== decoder.kv) {
    throw new SessionError(
      'SNAPSHOT_MODEL',
      `the snapshot keeps keys and values as ${KV_TYPES[kv]}, this model as ${decoder.kv}; ` +
        `open it with { kv: "${KV_TYPES[kv]}" }`,
    );
  }
  const [length, context] = [view.getUint32(24, true), view.getUint32(28, true)];
  if (length > context) throw refused(`it states ${length} positions in a context of ${context}`);
  if (view.getUint32(44, true) !== 0) throw refused('bytes 44 … 47 are not 0');
  if (length > state.context) {
    throw new SessionError(
      'CONTEXT_OVERFLOW',
      `the snapshot has ${length} positions of a context of ${context}; this session has room for ${state.context}: ` +
        'open with a larger contextLength',
      { mentions: ['contextLength'] },
    );
  }
  const expected = decoder.stateBytes(length);
  if (BigInt(expected) !== payload) throw refused(`${length} positions take ${expected} bytes, it has ${payload}`);
  decoder.readState(state, bytes.subarray(HEADER_BYTES), length);
}

function refused(reason: string): SessionError {
  return new SessionError('SNAPSHOT', `this is not a complete snapshot: ${reason}; the session is unchanged`);
}
