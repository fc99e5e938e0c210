/**
 * What a SymbolicLight model adds to the common decoder: its buffers, its forward pass, and the membranes and decaying states
 * that a pass changes for good.
 * @module
 */
import { SessionError } from '../../errors.ts';
import { vectorBytes } from '../../description/plan.ts';
import { strideOf } from '../../forward/matmul.ts';
import { type DecoderBody, SessionDecoder } from '../../forward/sessions.ts';
import { MAX_POSITIONS } from '../../limits.ts';
import { SOLO } from '../../threads/context.ts';
import { type Executor, solo } from '../../threads/executor.ts';
import type { Arena, Ptr } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import type { SymbolicLightDescription } from './description.ts';
import { forward, symbolicLight, symbolicLightProgram } from './forward.ts';
import { neuronsOf, symbolicLightBuffers, SymbolicLightState, symbolicLightStateBytes } from './state.ts';
import type { SymbolicLightWeights } from './weights.ts';

export interface SymbolicLightOptions {
  /** For benchmarks: this share of neurons is silent, drawn at random, whatever their potentials. */
  readonly forcedSparsity?: number;
  /** Sessions that one pass serves at most; default 1. */
  readonly slots?: number;
}

/** @param executor runs the steps; default this thread alone @throws {MemoryError} */
export function symbolicLightDecoder(
  k: Kernels,
  arena: Arena,
  d: SymbolicLightDescription,
  w: SymbolicLightWeights,
  { forcedSparsity, slots = 1 }: SymbolicLightOptions = {},
  executor: Executor = solo(),
): SessionDecoder {
  const b = {
    ...symbolicLightBuffers(d, arena, slots, executor.size),
    spikeCounts: Array.from({ length: slots }, () => new Float64Array(executor.share(8 * (3 * d.layers + 1)))),
  };
  const { saved, ropeFreqs } = b;
  k.rope_freqs_f64(d.rope.theta, d.headDim, 1, 0, ropeFreqs);
  // the public code keeps its frequencies in single precision
  const freqs = new Float64Array(arena.memory.buffer, ropeFreqs, d.headDim / 2);
  freqs.set(Float32Array.from(freqs));
  const vector = vectorBytes(d.width);
  const savedAt = (slot: number, block: number): Ptr => saved + (slot * (1 + d.layers) + 1 + block) * vector;
  const recipe = { kind: 'symboliclight', d, w, b, forcedSparsity } as const;
  const m = symbolicLight(k, recipe, arena.memory, 0);
  executor.bind(symbolicLightProgram(m, executor.words), recipe);
  const body: DecoderBody = {
    vocab: d.vocab,
    context: MAX_POSITIONS,
    kv: 'f32',
    layers: d.layers,
    layerName: 'block',
    endsEarly: true,
    recurrent: true,
    sessionBytes: symbolicLightStateBytes(d),
    slots,
    logits: m.b.logits,
    spikeCounts: m.b.spikeCounts,
    neurons: neuronsOf(d),
    streamWidth: d.width,
    streamAt: (t) => m.own.c + t * strideOf(d.width) * 4,
    runs: (base, length) => new SymbolicLightState(d, base).runs(length),
    pass(step, afterBlock) {
      const segments = step.segments((base) => new SymbolicLightState(d, base));
      forward(m, segments, step.ids, step.n, SOLO, step, afterBlock);
    },
    save(base, slot) {
      const memory = new SymbolicLightState(d, base);
      k.copy_f32(memory.membrane, savedAt(slot, -1), d.width);
      for (let i = 0; i < d.layers; i++) k.copy_f32(memory.decayAt(i), savedAt(slot, i), d.width);
    },
    restore(base, slot) {
      const memory = new SymbolicLightState(d, base);
      k.copy_f32(savedAt(slot, -1), memory.membrane, d.width);
      for (let i = 0; i < d.layers; i++) k.copy_f32(savedAt(slot, i), memory.decayAt(i), d.width);
    },
    slide() {
      // the window slides by itself, and MAX_POSITIONS bounds what was counted
      throw new SessionError('CONTEXT_OVERFLOW', `this session has read ${MAX_POSITIONS} tokens; begin a new one`);
    },
  };
  return new SessionDecoder(k, arena, body, executor);
}
