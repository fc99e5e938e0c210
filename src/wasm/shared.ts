/**
 * The kernels for several threads: the same code over a memory that threads share. Only the import differs, by the flags of
 * its limits, so the shared variant is made from the bytes of the other instead of being carried along.
 *
 *   import section   2 │ size │ count │ entries: module name, name, kind, what is imported
 *   a memory         kind 2 │ flags │ minimum │ maximum, if flags & 1        flags: 1 has a maximum, 2 is shared
 * @module
 */
import { TernspikeError } from '../errors.ts';

const HEADER_BYTES = 8;
const IMPORTS = 2;
const MEMORY = 2;
/** Flags of the shared import, and its maximum: all of wasm32, which admits every memory. */
const SHARED = [3];
const MAX_PAGES = 65536;

/**
 * The module with its imported memory declared as shared. The names of imports are read; whatever stands behind the
 * import section is copied.
 * @param module one of our modules: its only import is the memory
 * @throws {TernspikeError} `WASM_MODULE` where it is not
 */
export function withSharedMemory(module: Uint8Array): Uint8Array<ArrayBuffer> {
  let at = HEADER_BYTES;
  const number = (): number => {
    let value = 0;
    for (let shift = 0;; shift += 7) {
      const byte = module[at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (!(byte & 0x80)) return value;
    }
  };
  while (at < module.length) {
    const section = at;
    const id = module[at++];
    const size = number();
    const body = at;
    const end = body + size;
    if (id === IMPORTS) {
      const count = number();
      for (let name = 0; name < 2; name++) at = number() + at;
      const kind = module[at++];
      const flagsAt = at;
      const hasMaximum = module[at++] === 1;
      const minimumAt = at;
      number();
      const minimum = module.subarray(minimumAt, at);
      if (hasMaximum) number();
      if (count !== 1 || kind !== MEMORY || at !== end) break;
      const limits = [...SHARED, ...minimum, ...leb(MAX_PAGES)];
      const imports = [...module.subarray(body, flagsAt), ...limits];
      const head = [...module.subarray(0, section), IMPORTS, ...leb(imports.length), ...imports];
      const out = new Uint8Array(head.length + module.length - end);
      out.set(head);
      out.set(module.subarray(end), head.length);
      return out;
    }
    at = end;
  }
  throw new TernspikeError('WASM_MODULE', 'the kernels module does not import one memory and nothing else');
}

/** An unsigned number as wasm writes it: seven bits a byte, the lowest first. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [value % 0x80 | 0x80, ...leb(Math.floor(value / 0x80))];
}
