/**
 * What this host's WebAssembly can do, probed by validating minimal modules.
 * @module
 */

/** Which build of the kernels: `base` needs SIMD128, `relaxed` also relaxed SIMD. Both give the same bits. */
export type Build = 'base' | 'relaxed';

// (module (func (result v128) i32.const 0 i8x16.splat))
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];
// (module (func (result v128) i32.const 0 i8x16.splat i32.const 0 i8x16.splat i16x8.relaxed_dot_i8x16_i7x16_s))
const RELAXED = [
  0,
  97,
  115,
  109,
  1,
  0,
  0,
  0,
  1,
  5,
  1,
  96,
  0,
  1,
  123,
  3,
  2,
  1,
  0,
  10,
  15,
  1,
  13,
  0,
  65,
  0,
  253,
  15,
  65,
  0,
  253,
  15,
  253,
  146,
  2,
  11,
]; // deno-fmt-ignore

/** Whether 128-bit SIMD is there; without it nothing here can run. */
export function hasSimd(): boolean {
  return WebAssembly.validate(new Uint8Array(SIMD));
}

/** Whether the relaxed dot product is there (Chromium 114, Firefox 146, Node 22, Deno, Bun; not Safari). */
export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(new Uint8Array(RELAXED));
}
