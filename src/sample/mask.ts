/**
 * Masks: which tokens may come next, one bit for each id.
 * @module
 */
import { OptionError } from '../errors.ts';
import { shown } from '../options.ts';

/** What a mask is made for. */
export interface MaskContext {
  /** Ids that were generated so far; the prompt is not among them. Valid during the call. */
  readonly ids: readonly number[];
  /** Rows of the model: a mask has one bit for each, at least ⌈vocab / 32⌉ words. */
  readonly vocab: number;
  /** Which of `n` completions it is; 0 where there is one. */
  readonly index: number;
}

/**
 * Says which tokens may come next: bit `id & 31` of word `id >>> 5` is 1 for those that may. Null means all may. End tokens
 * are allowed by their bits as all others are. Called once for every token, before it is drawn; the array may be used anew.
 */
export type MaskHook = (context: MaskContext) => Uint32Array | null;

/** Words of a mask. */
export const maskWords = (vocab: number): number => Math.ceil(vocab / 32);

/** @throws {OptionError} `OPTION` for what is no mask of that many ids */
export function checkMask(mask: unknown, vocab: number): Uint32Array | null {
  if (mask === null) return null;
  const words = maskWords(vocab);
  if (mask instanceof Uint32Array && mask.length >= words) return mask;
  const found = mask instanceof Uint32Array ? `${mask.length} words` : shown(mask);
  throw new OptionError('OPTION', `mask answered ${found}, expected null or a Uint32Array of at least ${words} words`, {
    option: 'mask',
  });
}

/** Puts −∞ in the place of all x[first + id] whose bit is 0, or that the mask is too short for. */
export function applyMask(x: Float32Array, first: number, mask: Uint32Array, vocab: number): void {
  const words = maskWords(vocab);
  for (let word = 0; word < words; word++) {
    const bits = word < mask.length ? mask[word] : 0;
    if (bits === 0xffffffff) continue;
    const at = first + 32 * word;
    const n = Math.min(32, vocab - 32 * word);
    if (bits === 0) x.fill(-Infinity, at, at + n);
    else for (let bit = 0; bit < n; bit++) if ((bits & (1 << bit)) === 0) x[at + bit] = -Infinity;
  }
}
