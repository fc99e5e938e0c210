/**
 * What a llama-shaped model adds to the common decoder: its buffers, its forward pass, and the layout of its cache.
 * @module
 */
import type { KvType } from '../../description/plan.ts';
import { strideOf } from '../../forward/matmul.ts';
import { type DecoderBody, SessionDecoder } from '../../forward/sessions.ts';
import { SOLO } from '../../threads/context.ts';
import { type Executor, solo } from '../../threads/executor.ts';
import type { Arena } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import type { LlamaDescription } from './description.ts';
import { forward, llamaProgram } from './forward.ts';
import { ropeFrequencies } from './rope.ts';
import { llamaBuffers, LlamaState, llamaStateBytes } from './state.ts';
import type { LlamaWeights } from './weights.ts';

export interface LlamaDecoderOptions {
  readonly context: number;
  readonly kv: KvType;
  /** Sessions that one pass serves at most; default 1. */
  readonly slots?: number;
}

/** @param executor runs the steps; default this thread alone @throws {MemoryError} */
export function llamaDecoder(
  k: Kernels,
  arena: Arena,
  d: LlamaDescription,
  w: LlamaWeights,
  { context, kv, slots = 1 }: LlamaDecoderOptions,
  executor: Executor = solo(),
): SessionDecoder {
  const b = llamaBuffers(d, arena, context, slots, executor.size);
  const ropeMagnitude = ropeFrequencies(k, arena, d.rope, w.ropeFactors, b.ropeFreqs);
  const recipe = { kind: 'llama', d, w, b, ropeMagnitude, context, kv } as const;
  executor.bind(llamaProgram(k, recipe, executor.words), recipe);
  const streamStride = strideOf(d.width) * 4;
  const body: DecoderBody = {
    vocab: d.vocab,
    context,
    kv,
    layers: d.layers,
    layerName: 'layer',
    endsEarly: false,
    recurrent: false,
    sessionBytes: llamaStateBytes(d, context, kv),
    slots,
    logits: b.logits,
    streamWidth: d.width,
    streamStride,
    streamAt: (t) => b.x + t * streamStride,
    stateAt(t) {
      const [{ x }] = b.threads;
      k.rms_norm_f32(b.x + t * streamStride, w.outputNorm, x, d.width, d.normEps);
      return x;
    },
    runs: (base, length) => new LlamaState(d, base, context, kv).runs(length),
    pass(step, afterLayer) {
      const segments = step.segments((base) => new LlamaState(d, base, context, kv));
      forward({ k, d, w, b, ropeMagnitude }, segments, step.ids, step.n, SOLO, afterLayer);
    },
    slide(base, keep, length) {
      const drop = Math.max(1, Math.floor((length - keep) / 2));
      new LlamaState(d, base, context, kv).slide(keep, drop, length, arena, k, b);
      return drop;
    },
  };
  return new SessionDecoder(k, arena, body, executor);
}
