/**
 * The kernels that travel inside the bundle, compiled once per process and build. Hosts that forbid compiling use
 * `ternspike/edge`, which never loads this file.
 * @module
 */
import { fromBase64 } from '../bytes/base64.ts';
import { MemoryError, TernspikeError } from '../errors.ts';
import { type Build, hasRelaxedSimd, hasSimd } from './features.ts';
import type { KernelModules } from './instantiate.ts';
import { withSharedMemory } from './shared.ts';

/** The kernels of this host, found but not yet compiled. */
export interface Provided {
  readonly build: Build | 'custom';
  /** Whether there is a variant for several threads. */
  readonly shareable: boolean;
  /** Compiled kernels, over a memory of one thread or a shared one. */
  modules(shared: boolean): Promise<KernelModules>;
}

/** The kernels that travel inside the bundle: `base.wasm` first. */
interface Builtin extends Provided {
  readonly build: Build;
  modules(shared: boolean): Promise<readonly WebAssembly.Module[]>;
}

const compiled = new Map<string, Promise<readonly WebAssembly.Module[]>>();

/**
 * The best build for this host, or the one asked for.
 * @throws {TernspikeError} `WASM_UNSUPPORTED` without SIMD128, or when `relaxed` is asked for and not there
 */
export function builtin(wanted?: Build): Builtin {
  if (!hasSimd()) {
    throw new TernspikeError(
      'WASM_UNSUPPORTED',
      'this host has no WebAssembly SIMD; it needs Chrome 91, Firefox 89, Safari 16.4, Node 16.4 or later',
    );
  }
  const build = wanted ?? (hasRelaxedSimd() ? 'relaxed' : 'base');
  if (build === 'relaxed' && !hasRelaxedSimd()) {
    throw new TernspikeError(
      'WASM_UNSUPPORTED',
      'this host has no relaxed SIMD; omit the option build to use the base build',
    );
  }
  return {
    build,
    shareable: true,
    modules(shared) {
      const key = `${build} ${shared}`;
      let modules = compiled.get(key);
      if (!modules) {
        modules = compile(build, shared);
        compiled.set(key, modules);
        modules.catch(() => compiled.delete(key));
      }
      return modules;
    },
  };
}

/** The compiled kernels of `builtin`, for one thread. @throws as `builtin` */
export async function builtinModule(wanted?: Build): Promise<{ module: readonly WebAssembly.Module[]; build: Build }> {
  const { build, modules } = builtin(wanted);
  return { module: await modules(false), build };
}

async function compile(build: Build, shared: boolean): Promise<readonly WebAssembly.Module[]> {
  const kernels = await import('./kernels.generated.ts');
  // text in bundles; the page's build has them as files, which are a third smaller
  const parts: (string | BufferSource)[] = build === 'base' ? [kernels.base] : [kernels.base, kernels.relaxed];
  try {
    return await Promise.all(parts.map((part) => {
      const bytes = typeof part === 'string' ? fromBase64(part) : part as Uint8Array<ArrayBuffer>;
      return WebAssembly.compile(shared ? withSharedMemory(bytes) : bytes);
    }));
  } catch (cause) {
    throw refusedToCompile(cause);
  }
}

/** These kernels compile wherever their features are there: a host that refuses them forbids it, or has no memory left. */
function refusedToCompile(cause: unknown): TernspikeError {
  const said = String(cause);
  if (/memory/i.test(said) && !/policy/i.test(said)) {
    return new MemoryError('MEMORY', `the host has no memory to compile the kernels: ${said}`, { cause });
  }
  return new TernspikeError(
    'WASM_FORBIDDEN',
    "this host forbids compiling WebAssembly; a page allows it by 'wasm-unsafe-eval' in the script-src directive of its " +
      `content security policy, and an edge worker imports the kernels compiled, through ternspike/edge (${said})`,
    { cause },
  );
}
