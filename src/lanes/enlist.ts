/**
 * Decides how many lanes a model runs on, and makes the memory they share. Loaded only where more than one may be wanted.
 * @module
 */
import type { MemoryPlan } from '../model/plan.ts';
import type { Provided } from '../wasm/builtin.ts';
import type { KernelModules } from '../wasm/instantiate.ts';
import { BYTES_PER_LANE } from './crew.ts';
import { cores, mayWait, obstacle, sharedMemory } from './host.ts';
import { TeamCrew } from './team.ts';
import { startThread } from './thread.ts';

/** Most lanes unless told: the memory of common machines feeds no more, and each thread takes some megabytes. */
const DEFAULT_LANES = 8;

export interface EnlistOptions {
  /** Lanes that were asked for; undefined: what serves best. */
  readonly threads: number | undefined;
  readonly weightsBytes: number;
  readonly kernels: Provided;
  /** Where lane.js lies, if not where it is expected. */
  readonly laneUrl?: string | URL;
  /** The plan for a number of lanes. @throws {MemoryError} `MEMORY_LIMIT` */
  planned(lanes: number): MemoryPlan;
  /** Most bytes of the memory. */
  readonly limit: number;
  /** Told once if there will be one lane although more were wanted. */
  notice(message: string): void;
}

/** Several lanes that wait for their model, and the memory it is to be loaded into. */
export interface Enlisted {
  readonly crew: TeamCrew;
  readonly memory: WebAssembly.Memory;
  readonly modules: KernelModules;
  readonly plan: MemoryPlan;
}

/** Starts threads for a model; null where it runs on one lane. @throws {MemoryError} as `planned` for the number asked for */
export async function enlist(options: EnlistOptions): Promise<Enlisted | null> {
  const { threads, kernels, planned, limit, notice } = options;
  const worthwhile = Math.max(1, Math.floor(options.weightsBytes / BYTES_PER_LANE));
  const lanes = threads ?? Math.min(cores(), DEFAULT_LANES, worthwhile);
  if (lanes === 1) return null;
  const why = kernels.shareable ? obstacle() : 'kernels that were handed in are for one thread';
  if (why !== null) {
    notice(`${why}; running on one thread instead of ${lanes}`);
    return null;
  }
  let plan: MemoryPlan;
  try {
    plan = planned(lanes);
  } catch (error) {
    if (threads !== undefined) throw error;
    return null; // it fits with the buffers of one lane
  }
  const memory = sharedMemory(plan.totalBytes, plan.stateBytes, limit);
  if (!memory) {
    notice(`this host refuses ${plan.totalBytes} bytes of shared memory; running on one thread instead of ${lanes}`);
    return null;
  }
  const modules = await kernels.modules(true);
  const start = startThread(options.laneUrl);
  return { crew: new TeamCrew({ lanes, memory, modules, waits: mayWait(), start, notice }), memory, modules, plan };
}
