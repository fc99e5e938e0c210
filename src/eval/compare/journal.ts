/**
 * What a long comparison keeps while it runs: each finished part, by name and number, so that a run that was cut off continues
 * after the last of them.
 * @module
 */

/** Keeps values that JSON can hold. */
export interface Journal {
  /** A part that is finished already, else undefined. */
  get(part: string, index: number): unknown;
  /** Resolves when the part is safe. */
  put(part: string, index: number, value: unknown): void | Promise<void>;
}

/** Where a comparison is. */
export interface CompareProgress {
  readonly phase: 'account' | 'score' | 'samples' | 'speed';
  readonly done: number;
  readonly total: number;
  /** The headline figure so far, in words. */
  readonly note: string;
  /** The same as numbers, and what they are. */
  readonly figure?: string;
  readonly values?: { readonly a: number; readonly b: number };
}

/** What every part of a comparison is given. */
export interface Work {
  readonly journal?: Journal;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CompareProgress) => void | Promise<void>;
}

/** The part as it was kept, or computed and kept now. */
export async function step<T>(work: Work, part: string, index: number, make: () => Promise<T> | T): Promise<T> {
  work.signal?.throwIfAborted();
  const kept = work.journal?.get(part, index);
  if (kept !== undefined) return kept as T;
  const value = await make();
  await work.journal?.put(part, index, value);
  return value;
}
