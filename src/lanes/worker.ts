/**
 * The life of a lane that is not the caller's own thread: it is told once what it works on, makes the same model over the
 * same memory, and then follows the leader until the team is dismissed.
 * @module
 */
import { instantiate, type KernelModules } from '../wasm/instantiate.ts';
import type { Kernels } from '../wasm/kernels.ts';
import { fail, TeamLane } from './control.ts';
import type { Program } from './lane.ts';
import { leave, ownerPort } from './thread.ts';

/** What a lane is told; all of it can be sent to a thread. */
export interface Orders {
  readonly memory: WebAssembly.Memory;
  readonly modules: KernelModules;
  /** See control.ts. */
  readonly control: Int32Array;
  /** See `Crew.words`. */
  readonly words: Int32Array;
  readonly index: number;
  readonly spins: boolean;
  /** Lane 0 tells the owner of every step that is over: the owner may not wait for it. */
  readonly reports: boolean;
  /** What the decoder gave to `Crew.bind`. */
  readonly recipe: object;
}

/** What a lane says. */
export type Report = 'ready' | 'done' | { readonly fault: string };

/** Makes a lane's program from what the decoder gave to `Crew.bind`. */
export type MakeProgram = (
  recipe: object,
  means: Pick<Orders, 'memory' | 'words' | 'index'> & { readonly kernels: Kernels },
) => Program;

/** Waits for orders and carries them out. The whole of a worker's script. */
export function serve(make: MakeProgram): void {
  const port = ownerPort();
  const say = (report: Report): void => port.postMessage(report);
  port.onmessage = ({ data }): void => {
    port.onmessage = null;
    const { memory, modules, control, words, index, spins, reports, recipe } = data as Orders;
    try {
      const program = make(recipe, { kernels: instantiate(modules, memory), memory, words, index });
      const lane = new TeamLane(control, index, spins);
      say('ready');
      while (lane.follow()) {
        program(lane);
        lane.barrier();
        if (reports && index === 0) say('done');
      }
    } catch (error) {
      const fault = `lane ${index}: ${String(error)}`;
      fail(control, fault);
      say({ fault });
    }
    leave();
  };
}
