/**
 * What a host offers to several threads: processors, shared memory, threads, and whether this thread may wait.
 * @module
 */
import { MAX_THREADS } from '../limits.ts';
import { hostModule } from './port.ts';

/** Processors as the host counts them, 1 where it does not say. Two of them may share a core. */
export function cores(): number {
  // not Node's os first: Deno asks for a permission there
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: unknown } };
  const n = navigator?.hardwareConcurrency ??
    hostModule<{ availableParallelism?(): number }>('node:os')?.availableParallelism?.();
  return typeof n === 'number' && n >= 1 ? Math.min(Math.floor(n), MAX_THREADS) : 1;
}

/**
 * Whether this is a worker of Firefox. Where models come and go there, one of them hangs for good: seen in about every
 * third run of the portable checks in 153, in an isolated worker only and never in a window.
 */
function geckoWorker(): boolean {
  const { document, navigator } = globalThis as { document?: unknown; navigator?: { userAgent?: string } };
  return document === undefined && /Gecko\/\d/.test(navigator?.userAgent ?? ''); // others say "like Gecko"
}

/** Why several threads cannot run here, in words for a user; null where they can. */
export function obstacle(): string | null {
  const { SharedArrayBuffer, crossOriginIsolated, Worker } = globalThis as Partial<typeof globalThis>;
  if (crossOriginIsolated === false) {
    return 'this page is not cross-origin isolated (it needs the headers Cross-Origin-Opener-Policy: same-origin and ' +
      'Cross-Origin-Embedder-Policy: require-corp)';
  }
  if (typeof SharedArrayBuffer !== 'function') return 'this host has no shared memory';
  if (geckoWorker()) {
    return 'in Firefox, threads started by a worker sometimes stall; open the model in the page';
  }
  if (typeof Worker === 'function' || hostModule('node:worker_threads')) return null;
  return 'this host has no worker threads';
}

/** Whether this thread may wait for others; that of a window may not. */
export function mayWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0); // it is 0, so nothing is waited for
    return true;
  } catch {
    return false;
  }
}

/** Room behind the plan of a model in a browser: so many sessions, and so many bytes at least. */
const MORE_SESSIONS = 4;
const MORE_BYTES = 64 << 20;
const PAGE = 65536;

/**
 * A memory that threads share. It has to say how large it may become: on servers all that is allowed, which costs
 * addresses alone; in browsers room for some sessions more than planned, because phones set the maximum aside, or only
 * what was planned where that is refused.
 * @param needed bytes of the plan @param session bytes of one session @param limit most bytes
 * @returns null where the host refuses
 */
export function sharedMemory(needed: number, session: number, limit: number): WebAssembly.Memory | null {
  const roomy = needed + Math.max(MORE_SESSIONS * session, MORE_BYTES);
  for (const bytes of hostModule('node:os') ? [limit] : [Math.min(roomy, limit), needed]) {
    try {
      return new WebAssembly.Memory({ initial: 1, maximum: Math.ceil(bytes / PAGE), shared: true });
    } catch {
      // the next one is smaller
    }
  }
  return null;
}
