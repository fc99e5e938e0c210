/**
 * The kernels that travel inside the bundle, compiled once per process and build. Hosts that forbid compiling use
 * `ternspike/edge`, which never loads this file.
 * @module
 */
import { OptionError, TernspikeError } from '../errors.ts';
import { type Build, hasRelaxedSimd, hasSimd } from './features.ts';

const compiled = new Map<Build, Promise<readonly WebAssembly.Module[]>>();

/**
 * The best build for this host, or the one asked for.
 * @throws {TernspikeError} `WASM_UNSUPPORTED` without SIMD128, or when `relaxed` is asked for and not there
 */
export async function builtinModule(wanted?: Build): Promise<{ module: readonly WebAssembly.Module[]; build: Build }> {
  if (!hasSimd()) {
    throw new TernspikeError(
      'WASM_UNSUPPORTED',
      'this host has no WebAssembly SIMD; it needs Chrome 91, Firefox 89, Safari 16.4, Node 16.4 or later',
    );
  }
  if (wanted !== undefined && wanted !== 'base' && wanted !== 'relaxed') {
    throw new OptionError('OPTION', `build is ${JSON.stringify(wanted)}, expected "base" or "relaxed"`);
  }
  const build = wanted ?? (hasRelaxedSimd() ? 'relaxed' : 'base');
  if (build === 'relaxed' && !hasRelaxedSimd()) {
    throw new TernspikeError(
      'WASM_UNSUPPORTED',
      'this host has no relaxed SIMD; leave out the build option to use the base build',
    );
  }
  let module = compiled.get(build);
  if (!module) {
    module = compile(build);
    compiled.set(build, module);
    module.catch(() => compiled.delete(build));
  }
  return { module: await module, build };
}

async function compile(build: Build): Promise<readonly WebAssembly.Module[]> {
  const kernels = await import('./kernels.generated.ts');
  const texts = build === 'base' ? [kernels.base] : [kernels.base, kernels.relaxed];
  return await Promise.all(texts.map((text) => {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    return WebAssembly.compile(bytes);
  }));
}
