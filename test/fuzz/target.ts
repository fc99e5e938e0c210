/**
 * What is fuzzed: how an input is made, and what happens to it.
 * @module
 */
import type { Chance } from './chance.ts';

export interface Target {
  readonly name: string;
  /** An input, near to a good one. */
  make(c: Chance): Uint8Array | Promise<Uint8Array>;
  /** Uses it as a program would. Errors of ours are answers; anything else that is thrown is a finding. */
  use(input: Uint8Array): void | Promise<void>;
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

/** What a fault of the engine is called, where its own answer contradicts another. */
export function expected(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}
