/**
 * Decides how many threads a model runs on, and makes the memory they share. Loaded only where more than one may be wanted.
 * @module
 */
import type { MemoryPlan } from '../description/plan.ts';
import type { Provided } from '../wasm/builtin.ts';
import type { KernelModules } from '../wasm/instantiate.ts';
import { BYTES_PER_THREAD } from './executor.ts';
import { cores, mayWait, obstacle, sharedMemory } from './host.ts';
import { PoolExecutor } from './pool.ts';
import { startThread } from './port.ts';

/** Most threads unless told: the memory of common machines feeds no more, and each thread takes some megabytes. */
const DEFAULT_THREADS = 8;

export interface StartOptions {
  /** Threads that were asked for; undefined: what serves best. */
  readonly threads: number | undefined;
  readonly weightsBytes: number;
  readonly kernels: Provided;
  /** Where thread.js lies, if not where it is expected. */
  readonly workerUrl?: string | URL;
  /** The plan for a number of threads. @throws {MemoryError} `MEMORY_LIMIT` */
  planned(threads: number): MemoryPlan;
  /** Most bytes of the memory. */
  readonly limit: number;
  /** Told once if there will be one thread although more were wanted. */
  notice(message: string): void;
}

/** Several threads that wait for their model, and the memory it is to be loaded into. */
export interface StartedThreads {
  readonly executor: PoolExecutor;
  readonly memory: WebAssembly.Memory;
  readonly modules: KernelModules;
  readonly plan: MemoryPlan;
}

/** Starts threads for a model; null where it runs on one thread. @throws {MemoryError} as `planned` for the number asked for */
export async function startThreads(options: StartOptions): Promise<StartedThreads | null> {
  const { threads: wanted, kernels, planned, limit, notice } = options;
  const worthwhile = Math.max(1, Math.floor(options.weightsBytes / BYTES_PER_THREAD));
  const threads = wanted ?? Math.min(cores(), DEFAULT_THREADS, worthwhile);
  if (threads === 1) return null;
  const why = kernels.shareable ? obstacle() : 'kernels that were handed in are for one thread';
  if (why !== null) {
    notice(`${why}; running on one thread instead of ${threads}`);
    return null;
  }
  let plan: MemoryPlan;
  try {
    plan = planned(threads);
  } catch (error) {
    if (wanted !== undefined) throw error;
    return null; // it fits with the buffers of one thread
  }
  const memory = sharedMemory(plan.totalBytes, plan.stateBytes, limit);
  if (!memory) {
    notice(`this host refuses ${plan.totalBytes} bytes of shared memory; running on one thread instead of ${threads}`);
    return null;
  }
  const modules = await kernels.modules(true);
  const { script } = await import('./script.generated.ts');
  const start = startThread(script, options.workerUrl);
  return {
    executor: new PoolExecutor({ threads, memory, modules, waits: mayWait(), start, notice }),
    memory,
    modules,
    plan,
  };
}
