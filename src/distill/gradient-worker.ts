/**
 * Body of a thread of the trainer: answers the requests of `pool.ts`, one at a time.
 * @module
 */
import { Work, type WorkAnswer, type WorkRequest } from './work.ts';

interface Port {
  on(event: 'message', take: (request: WorkRequest) => void): void;
  postMessage(answer: WorkAnswer): void;
}

const { process } = globalThis as unknown as { process: { getBuiltinModule(name: string): unknown } };
const { parentPort } = process.getBuiltinModule('node:worker_threads') as { parentPort: Port };

const work = new Work();
parentPort.on('message', (request) => {
  work.perform(request).catch((error: unknown): WorkAnswer => ({ error: String(error) }))
    .then((answer) => parentPort.postMessage(answer));
});
