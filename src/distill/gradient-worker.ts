/**
 * Body of a training thread: answers requests of `pool.ts`, one at a time.
 * @module
 */
import { Gradients } from './gradients.ts';
import { loadJax } from './jax.ts';
import type { ThreadAnswer, ThreadRequest } from './pool.ts';

interface Port {
  on(event: 'message', take: (request: ThreadRequest) => void): void;
  postMessage(answer: ThreadAnswer): void;
}

const { process } = globalThis as unknown as { process: { getBuiltinModule(name: string): unknown } };
const { parentPort } = process.getBuiltinModule('node:worker_threads') as { parentPort: Port };

let engine: Gradients | undefined;

async function answer(request: ThreadRequest): Promise<ThreadAnswer> {
  if (request.type === 'start') {
    engine = new Gradients(await loadJax(), request.options);
    return {};
  }
  if (!engine) return { error: 'not started' };
  const { slots, weights, batch, losses, out } = request;
  return { report: await engine.gradients(slots, weights, batch, losses, out) };
}

parentPort.on('message', (request) => {
  answer(request).catch((error: unknown) => ({ error: String(error) })).then((given) => parentPort.postMessage(given));
});
