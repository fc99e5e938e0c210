/**
 * The life of a thread that is not the caller's own thread: it is told once what it works on, makes the same model over the
 * same memory, and then follows the leader until the pool is dismissed.
 * @module
 */
import { instantiate, type KernelModules } from '../wasm/instantiate.ts';
import type { Kernels } from '../wasm/kernels.ts';
import { fail, PoolThread } from './control.ts';
import type { Program } from './context.ts';
import { leave, ownerPort } from './port.ts';

/** What a thread is told; all of it can be sent to a thread. */
export interface Orders {
  readonly memory: WebAssembly.Memory;
  readonly modules: KernelModules;
  /** See control.ts. */
  readonly control: Int32Array;
  /** See `Executor.words`. */
  readonly words: Int32Array;
  readonly index: number;
  readonly spins: boolean;
  /** ThreadContext 0 tells the owner of every step that is over: the owner may not wait for it. */
  readonly reports: boolean;
  /** What the decoder gave to `Executor.bind`. */
  readonly recipe: object;
}

/** What a thread says. */
export type Report = 'ready' | 'done' | { readonly fault: string };

/** Makes a thread's program from what the decoder gave to `Executor.bind`. */
export type MakeProgram = (
  recipe: object,
  means: Pick<Orders, 'memory' | 'words' | 'index'> & { readonly kernels: Kernels },
) => Program | Promise<Program>;

/** Waits for orders and carries them out. The whole of a worker's script. */
export function serve(make: MakeProgram): void {
  const port = ownerPort();
  const say = (report: Report): void => port.postMessage(report);
  port.onmessage = async ({ data }): Promise<void> => {
    port.onmessage = null;
    const { memory, modules, control, words, index, spins, reports, recipe } = data as Orders;
    try {
      const program = await make(recipe, { kernels: instantiate(modules, memory), memory, words, index });
      const thread = new PoolThread(control, index, spins);
      say('ready');
      while (thread.follow()) {
        program(thread);
        thread.barrier();
        if (reports && index === 0) say('done');
      }
    } catch (error) {
      const fault = `thread ${index}: ${String(error)}`;
      fail(control, fault);
      say({ fault });
    }
    leave();
  };
}
