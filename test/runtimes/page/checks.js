// Runs the portable checks where this module is loaded: in a window or in a worker.
import { defaultModel } from '/dist/default-model.js';
import * as ternspike from '/dist/index.js';
import { builds, main } from '/portable/portable.js';

async function fixture(path) {
  const response = await fetch(`/shared/${path}`);
  return response.ok ? new Uint8Array(await response.arrayBuffer()) : null;
}

export function runChecks(runtime, strict) {
  return main({
    runtime,
    open: (source, options) => ternspike.open(source, options),
    fixture,
    defaultModel,
    builds: builds(),
    threads: globalThis.crossOriginIsolated && typeof SharedArrayBuffer === 'function' ? [1, 2] : [1],
    strict,
  });
}
