// Runs the portable checks where this module is loaded: in a window or in a worker.
import { defaultModel } from '/dist/default-model.js';
import * as ternspike from '/dist/index.js';
import { builds, main } from '/portable/portable.js';

async function fixture(path) {
  const response = await fetch(`/shared/${path}`);
  return response.ok ? new Uint8Array(await response.arrayBuffer()) : null;
}

/** In a worker of Firefox models have one thread, see src/threads/host.ts. */
const several = globalThis.crossOriginIsolated && typeof SharedArrayBuffer === 'function' &&
  (typeof document === 'object' || !/Gecko\/\d/.test(navigator.userAgent));

export function runChecks(runtime, strict) {
  return main({
    runtime,
    open: (source, options) => ternspike.open(source, options),
    fixture,
    defaultModel,
    builds: builds(),
    threads: several ? [1, 2] : [1],
    strict,
  });
}
