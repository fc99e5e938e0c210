/**
 * Gradients of several batches at once: one batch a thread. A batch's gradients do not depend on the thread that finds them and
 * are added in the order of the batches, so that results are the same bits for any number of threads.
 * @module
 */
import { DistillError } from '../errors.ts';
import { type BatchReport, type GradientOptions, Gradients } from './gradients.ts';
import { loadJax } from './jax.ts';
import type { Slot } from './student.ts';
import type { Batch, LossWeights } from './types.ts';

/** What is asked of a thread. Buffers are shared. */
export type ThreadRequest =
  | { readonly type: 'start'; readonly options: GradientOptions }
  | {
    readonly type: 'gradients';
    readonly slots: readonly Slot[];
    readonly weights: Float32Array;
    readonly batch: Batch;
    readonly losses: LossWeights;
    readonly out: Float32Array;
  };

/** What it answers: a report, nothing where it has started, or what went wrong. */
export type ThreadAnswer = { readonly report?: BatchReport; readonly error?: string };

/** One batch at a time. */
interface Thread {
  gradients(
    slots: readonly Slot[],
    weights: Float32Array,
    batch: Batch,
    losses: LossWeights,
    out: Float32Array,
  ): Promise<BatchReport>;
  dispose(): void;
}

/** The part of `node:worker_threads` in use; Node, Bun and Deno have it. */
interface WorkerThreads {
  Worker: new (url: URL) => {
    postMessage(message: ThreadRequest): void;
    once(event: 'message', take: (answer: ThreadAnswer) => void): void;
    once(event: 'error', take: (error: Error) => void): void;
    removeAllListeners(event: 'message' | 'error'): void;
    unref(): void;
    terminate(): Promise<number>;
  };
}

/** Threads that share the work of a step. */
export class GradientPool {
  readonly #threads: readonly Thread[];
  /** Of the calling thread; forward passes run here. */
  readonly local: Gradients;

  private constructor(threads: readonly Thread[], local: Gradients) {
    this.#threads = threads;
    this.local = local;
  }

  /**
   * @param threads 1 works on the calling thread; more start as many workers
   * @param entry module of a worker: `gradient-worker.ts`, compiled
   * @throws {DistillError} `TRAINER` where jax-js or threads are missing
   */
  static async start(threads: number, entry: URL, options: GradientOptions): Promise<GradientPool> {
    const local = new Gradients(await loadJax(), options);
    if (threads === 1) return new GradientPool([local], local);
    const workers: Thread[] = [];
    try {
      for (let i = 0; i < threads; i++) workers.push(await startWorker(entry, options));
    } catch (cause) {
      for (const worker of workers) worker.dispose();
      local.dispose();
      throw cause;
    }
    return new GradientPool(workers, local);
  }

  /** Gradients of batch i → `out[i]`, all batches at once as far as there are threads. */
  async gradients(
    slots: readonly Slot[],
    weights: Float32Array,
    batches: readonly Batch[],
    losses: LossWeights,
    out: readonly Float32Array[],
  ): Promise<BatchReport[]> {
    const reports = new Array<BatchReport>(batches.length);
    let next = 0;
    await Promise.all(this.#threads.map(async (thread) => {
      while (next < batches.length) {
        const i = next++;
        reports[i] = await thread.gradients(slots, weights, batches[i], losses, out[i]);
      }
    }));
    return reports;
  }

  dispose(): void {
    for (const thread of this.#threads) thread.dispose();
    this.local.dispose();
  }
}

async function startWorker(entry: URL, options: GradientOptions): Promise<Thread> {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const threads = process?.getBuiltinModule?.('node:worker_threads') as WorkerThreads | undefined;
  if (!threads) throw new DistillError('TRAINER', 'this runtime has no node:worker_threads; train with one thread');
  const worker = new threads.Worker(entry);
  worker.unref();
  const ask = (request: ThreadRequest): Promise<ThreadAnswer> => {
    const answer = new Promise<ThreadAnswer>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    }).finally(() => {
      // named: without a name Node takes its own listeners away too, and no further answer arrives
      worker.removeAllListeners('message');
      worker.removeAllListeners('error');
    });
    worker.postMessage(request);
    // an unreferenced worker would let the process end while it is waited for
    const alive = setInterval(() => {}, 1 << 30);
    return answer.finally(() => clearInterval(alive)).then((given) => {
      if (given.error !== undefined) throw new DistillError('TRAINER', `a training thread failed: ${given.error}`);
      return given;
    });
  };
  await ask({ type: 'start', options });
  return {
    async gradients(slots, weights, batch, losses, out) {
      return (await ask({ type: 'gradients', slots, weights, batch, losses, out })).report as BatchReport;
    },
    dispose() {
      void worker.terminate();
    },
  };
}
