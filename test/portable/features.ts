/**
 * The first check: WebAssembly here is what the documentation promises for this runtime.
 * @module
 */
import { type Build, hasRelaxedSimd, hasSimd } from '../../src/wasm/features.ts';
import type { Check } from './env.ts';

/** The builds that this runtime can run. */
export function builds(): Build[] {
  return hasRelaxedSimd() ? ['base', 'relaxed'] : ['base'];
}

export const features: Check = {
  name: 'WebAssembly has 128-bit SIMD, and relaxed SIMD exactly where the relaxed build is run',
  async run(env) {
    const shared = typeof SharedArrayBuffer === 'function';
    const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated;
    env.log(`relaxed SIMD: ${hasRelaxedSimd()}, SharedArrayBuffer: ${shared}, cross-origin isolated: ${isolated}`);
    if (!hasSimd()) throw new Error('no 128-bit SIMD: the engine cannot run here');
    if (hasRelaxedSimd() !== env.builds.includes('relaxed')) {
      throw new Error('the relaxed build is not run where it can');
    }
  },
};
