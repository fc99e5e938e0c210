/**
 * Small models over executors of several threads, whose threads can be told to fail.
 * @module
 */
import process from 'node:process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { resolveSource } from '../../src/bytes/resolve.ts';
import type { ByteSource } from '../../src/bytes/source.ts';
import { openContainer } from '../../src/container/open.ts';
import type { Decoder } from '../../src/forward/decoder.ts';
import { gemma3Decoder } from '../../src/architectures/gemma3/decoder.ts';
import { gemma3Weights } from '../../src/architectures/gemma3/weights.ts';
import { llamaDecoder } from '../../src/architectures/llama/decoder.ts';
import { llamaWeights } from '../../src/architectures/llama/weights.ts';
import { symbolicLightDecoder } from '../../src/architectures/symboliclight/decoder.ts';
import { symbolicLightWeights } from '../../src/architectures/symboliclight/weights.ts';
import { type Executor, solo, STEP_WORDS } from '../../src/threads/executor.ts';
import { PoolExecutor } from '../../src/threads/pool.ts';
import { nodeThread, type StartThread, startThread } from '../../src/threads/port.ts';
import { script } from '../../src/threads/script.generated.ts';
import { describe } from '../describe.ts';
import type { KvType } from '../../src/description/plan.ts';
import { Session, type SessionOptions } from '../../src/session/session.ts';
import { Arena } from '../../src/wasm/arena.ts';
import { builtin } from '../../src/wasm/builtin.ts';
import type { Build } from '../../src/wasm/features.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { WeightLoader } from '../../src/wasm/weights.ts';
import { checkout } from '../house/checkout.ts';

/** The script of a thread as a file, which hosts need that run none that is text. */
export const WORKER: URL = pathToFileURL(join(checkout(), 'dist', 'thread.js'));

/** What a thread can be told to do wrong; 64 and more: when it starts, otherwise in the next step. */
export const FAULTS = { throw: 1, trap: 2, exit: 3, hang: 4, delay: 5 } as const;
export const AT_START = 64;
/** Said by a thread that came back from hanging. */
export const HUNG = 'hung until its time was over';
/** The word of a step that orders a fault: 256 · thread + fault. */
export const FAULT_WORD: number = STEP_WORDS - 1;

/** Threads that run faulty-thread.ts. */
export const faulty: StartThread = (hear, gone) => {
  const worker = new Worker(new URL('./faulty-thread.js', import.meta.url));
  return nodeThread(worker, hear, gone);
};

export interface CrewChoices {
  readonly threads: number;
  /** As on a server; false as in a window, where every thread is a worker. */
  readonly waits?: boolean;
  readonly build?: Build;
  readonly kv?: KvType;
  /** Sessions of one pass; default 1. */
  readonly slots?: number;
  /** Positions of a session; default 256. */
  readonly context?: number;
  readonly start?: StartThread;
  /** Told to the threads before they start. */
  readonly fault?: number;
}

export interface Crewed {
  readonly vocab: number;
  readonly arena: Arena;
  readonly decoder: Decoder;
  readonly executor: Executor;
  /** What the executor gave notice of. */
  readonly notices: string[];
  session(options?: SessionOptions): Session;
  /** Orders a fault of one thread. */
  order(thread: number, fault: number): void;
}

/** Loads a model for a executor; of one thread, on this thread. */
export async function threaded(source: ByteSource | Uint8Array, choices: CrewChoices): Promise<Crewed> {
  const { threads, waits = true, build, kv = 'f16', context = 256, slots, start = startThread(script), fault = 0 } =
    choices;
  const bytes = await resolveSource(source);
  const container = await openContainer(bytes);
  const d = describe(container);
  const notices: string[] = [];
  const several = threads > 1 || !waits;
  const memory = new WebAssembly.Memory({ initial: 1, ...(several && { maximum: 4096, shared: true }) });
  const modules = await builtin(build).modules(several);
  const notice = (message: string): void => void notices.push(message);
  const pool = several ? new PoolExecutor({ threads, memory, modules, waits, start, notice }) : null;
  const executor = pool ?? solo();
  executor.words[FAULT_WORD] = fault;
  const arena = new Arena(memory);
  const kernels = instantiate(modules, memory);
  const loader = new WeightLoader(kernels, arena, bytes, container);
  let decoder: Decoder;
  if (d.kind === 'llama') {
    const { weights } = llamaWeights(d, loader);
    await loader.fill();
    decoder = llamaDecoder(kernels, arena, d, weights, { context, kv, slots }, executor);
  } else if (d.kind === 'gemma3') {
    const weights = gemma3Weights(d, loader);
    await loader.fill();
    decoder = gemma3Decoder(kernels, arena, d, weights, { context, kv, slots }, executor);
  } else if (d.kind === 'symboliclight') {
    const { weights, finish } = symbolicLightWeights(d, loader);
    await loader.fill();
    finish(kernels, arena);
    decoder = symbolicLightDecoder(kernels, arena, d, weights, { slots }, executor);
  } else throw new Error('a model that generates is needed');
  await pool?.ready();
  return {
    vocab: d.vocab,
    arena,
    decoder,
    executor,
    notices,
    session: (options) => new Session(decoder, arena, options),
    order: (thread, kind) => Atomics.store(executor.words, FAULT_WORD, 256 * thread + kind),
  };
}

/** Logits behind every id: a batch, then the rest one by one. */
export async function allLogits(m: Crewed, ids: readonly number[], batch: number): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  const see = (at: number): void => void rows.push(m.arena.f32(at, m.vocab).slice());
  const session = m.session();
  await session.read(ids.slice(0, batch), {}, 0, see);
  for (const id of ids.slice(batch)) await session.read([id], {}, 0, see);
  session.dispose();
  return rows;
}

/** Whether this is Bun, which cannot end a thread that never returns. */
export const onBun: boolean = process.versions.bun !== undefined;
