/**
 * A folder of a run in memory, which can run full.
 * @module
 */
import type { RunFolder } from '../../src/distill/folder.ts';
import { joined } from '../../src/distill/safetensors-write.ts';
import { IoError } from '../../src/errors.ts';

export interface MemoryFolder extends RunFolder {
  readonly files: Map<string, Uint8Array>;
  /** While true, nothing can be written: `No space left on device`. */
  full: boolean;
}

export function memoryFolder(): MemoryFolder {
  const files = new Map<string, Uint8Array>();
  const refuse = (name: string): void => {
    if (folder.full) throw new IoError('IO', `${name} cannot be written: Error: ENOSPC: no space left on device`);
  };
  const folder: MemoryFolder = {
    path: 'memory',
    files,
    full: false,
    async read(name) {
      return files.get(name)?.slice() ?? null;
    },
    async replace(name, parts, previous) {
      refuse(name);
      const old = files.get(name);
      if (previous !== undefined && old) files.set(previous, old);
      files.set(name, joined(parts));
    },
    async append(name, text) {
      refuse(name);
      files.set(name, joined([files.get(name) ?? new Uint8Array(0), new TextEncoder().encode(text)]));
    },
  };
  return folder;
}
