/**
 * The threads of a trainer. They share out the batches of a step, and then its tensors. What a batch or a tensor comes to does
 * not depend on the thread, and gradients are added in the order of the batches: the same bits for any number of threads.
 * @module
 */
import { DistillError } from '../errors.ts';
import type { Slot } from './slots.ts';
import type { BatchReport } from './student.ts';
import type { TrainingArrays, Update } from './update.ts';
import { Work, type WorkAnswer, type WorkRequest } from './work.ts';

/** A thread: answers one request at a time. */
interface Thread {
  ask(request: WorkRequest): Promise<WorkAnswer>;
  dispose(): void;
}

/** The part of `node:worker_threads` in use; Node, Bun and Deno have it. */
interface WorkerThreads {
  Worker: new (url: URL) => {
    postMessage(message: WorkRequest): void;
    once(event: 'message', take: (answer: WorkAnswer) => void): void;
    once(event: 'error', take: (error: Error) => void): void;
    removeAllListeners(event: 'message' | 'error'): void;
    unref(): void;
    terminate(): Promise<number>;
  };
}

/** What a thread is told first. */
type Start = Extract<WorkRequest, { readonly type: 'start' }>;

/** Threads that share the work of a step. */
export class WorkPool {
  readonly #threads: readonly Thread[];

  private constructor(threads: readonly Thread[]) {
    this.#threads = threads;
  }

  /**
   * @param threads 1 works on the calling thread; more start as many workers
   * @param entry module of a worker: `gradient-worker.ts`, compiled
   * @param begin what every thread is told first
   * @throws {DistillError} `TRAINER` where threads, or what the student needs, are missing
   */
  static async start(threads: number, entry: URL, begin: Start): Promise<WorkPool> {
    if (threads === 1) {
      const local = new Work();
      await local.perform(begin);
      return new WorkPool([{ ask: (request) => local.perform(request), dispose: () => local.dispose() }]);
    }
    const workers: Thread[] = [];
    try {
      for (let i = 0; i < threads; i++) workers.push(await startWorker(entry, begin));
    } catch (cause) {
      for (const worker of workers) worker.dispose();
      throw cause;
    }
    return new WorkPool(workers);
  }

  /** Gradients of batch i → `arrays.gradients[i]`, all batches at once as far as there are threads. */
  gradients(
    slots: readonly Slot[],
    arrays: TrainingArrays,
    batches: readonly unknown[],
    losses: unknown,
  ): Promise<BatchReport[]> {
    return this.#each(batches, async (thread, batch, index) => {
      const answer = await thread.ask({ type: 'gradients', slots, arrays, index, batch, losses });
      return answer.report as BatchReport;
    });
  }

  /** Forward passes alone, in the order of the batches. */
  forward(slots: readonly Slot[], arrays: TrainingArrays, batches: readonly unknown[]): Promise<unknown[]> {
    return this.#each(batches, async (thread, batch) => {
      return (await thread.ask({ type: 'forward', slots, arrays, batch })).forward;
    });
  }

  /** Every batch goes to the first thread that is free. */
  async #each<T>(
    batches: readonly unknown[],
    ask: (thread: Thread, batch: unknown, index: number) => Promise<T>,
  ): Promise<T[]> {
    const answers = new Array<T>(batches.length);
    let next = 0;
    await Promise.all(this.#threads.map(async (thread) => {
      while (next < batches.length) {
        const index = next++;
        answers[index] = await ask(thread, batches[index], index);
      }
    }));
    return answers;
  }

  /** Mean of the first `count` gradients, in the place of the first. @returns the norm of all together */
  async average(slots: readonly Slot[], arrays: TrainingArrays, count: number): Promise<number> {
    const squares = new Map<Slot, number>();
    await Promise.all(
      this.#shares(slots).map(async (share, i) => {
        const answer = await this.#threads[i].ask({ type: 'average', slots: share, arrays, count });
        share.forEach((slot, n) => squares.set(slot, (answer.squares as readonly number[])[n]));
      }),
    );
    return Math.sqrt(slots.reduce((sum, slot) => sum + (squares.get(slot) as number), 0));
  }

  /** Moves all weights, and rounds them. */
  async update(slots: readonly Slot[], arrays: TrainingArrays, update: Update): Promise<void> {
    await Promise.all(
      this.#shares(slots).map((share, i) => this.#threads[i].ask({ type: 'update', slots: share, arrays, update })),
    );
  }

  dispose(): void {
    for (const thread of this.#threads) thread.dispose();
  }

  /** Slots of each thread, of about the same size together. */
  #shares(slots: readonly Slot[]): Slot[][] {
    const shares = this.#threads.map((): Slot[] => []);
    const sizes = shares.map(() => 0);
    for (const slot of [...slots].sort((a, b) => b.size - a.size)) {
      const least = sizes.indexOf(Math.min(...sizes));
      shares[least].push(slot);
      sizes[least] += slot.size;
    }
    return shares;
  }
}

async function startWorker(entry: URL, begin: Start): Promise<Thread> {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const threads = process?.getBuiltinModule?.('node:worker_threads') as WorkerThreads | undefined;
  if (!threads) throw new DistillError('TRAINER', 'this runtime has no node:worker_threads; train with one thread');
  const worker = new threads.Worker(entry);
  worker.unref();
  const ask = (request: WorkRequest): Promise<WorkAnswer> => {
    const answer = new Promise<WorkAnswer>((resolve, reject) => {
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
  const dispose = (): void => void worker.terminate();
  try {
    await ask(begin);
  } catch (cause) {
    dispose();
    throw cause;
  }
  return { ask, dispose };
}
