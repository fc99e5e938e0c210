/**
 * A store in memory, for hosts that have no other: models are gone with the page or the worker.
 * @module
 */
import { type Part, type Parts, PartStore } from './part-store.ts';
import type { ModelStore } from './store.ts';

/**
 * A store in memory.
 * @example await pull('hf:org/repo:Q4_K_M', { store: memoryStore() });
 */
export function memoryStore(): ModelStore {
  return new PartStore(new MemoryParts());
}

class MemoryParts implements Parts {
  readonly name: string = 'memory';
  readonly #files: Map<string, Uint8Array> = new Map();
  readonly #locks: Map<string, Promise<unknown>> = new Map();

  read(path: string): Promise<Part | null> {
    const bytes = this.#files.get(path);
    return Promise.resolve(
      bytes ? { size: bytes.length, slice: (start, end) => Promise.resolve(bytes.subarray(start, end)) } : null,
    );
  }

  write(path: string, bytes: Uint8Array): Promise<void> {
    this.#files.set(path, bytes);
    return Promise.resolve();
  }

  remove(path: string): Promise<void> {
    for (const name of this.#files.keys()) if (name === path || name.startsWith(`${path}/`)) this.#files.delete(name);
    return Promise.resolve();
  }

  names(folder?: string): Promise<string[]> {
    const names = [...this.#files.keys()].map((path) => path.split('/'));
    return Promise.resolve([
      ...new Set(names.flatMap(([first, file]) => folder === undefined ? [first] : first === folder ? [file] : [])),
    ]);
  }

  free(): Promise<number | null> {
    return Promise.resolve(null);
  }

  async locked<T>(name: string, wait: boolean, work: () => Promise<T>): Promise<T | null> {
    while (this.#locks.has(name)) {
      if (!wait) return null;
      await this.#locks.get(name);
    }
    let over = (): void => {};
    this.#locks.set(name, new Promise<void>((resolve) => void (over = resolve)));
    try {
      return await work();
    } finally {
      this.#locks.delete(name);
      over();
    }
  }
}
