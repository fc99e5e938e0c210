/**
 * What a Gemma 3 model adds to the common decoder: its buffers, its forward pass, and the layout of its cache.
 * @module
 */
import type { KvType } from '../../description/plan.ts';
import { SessionError } from '../../errors.ts';
import { strideOf } from '../../forward/matmul.ts';
import { type DecoderBody, SessionDecoder } from '../../forward/sessions.ts';
import { SOLO } from '../../threads/context.ts';
import { type Executor, solo } from '../../threads/executor.ts';
import type { Arena } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import type { Gemma3Description } from './description.ts';
import { forward, gemma3Program } from './forward.ts';
import { gemma3Buffers, Gemma3State, gemma3StateBytes, keepsUpTo } from './state.ts';
import type { Gemma3Weights } from './weights.ts';

/**
 * Sessions of contexts that need no ring can go back; others have lost what they would go back to. Neither can slide: a
 * position that is kept at the beginning is no longer in the windows of local layers.
 * @param executor runs the steps; default this thread alone @throws {MemoryError}
 */
export function gemma3Decoder(
  k: Kernels,
  arena: Arena,
  d: Gemma3Description,
  w: Gemma3Weights,
  { context, kv, slots = 1 }: { readonly context: number; readonly kv: KvType; readonly slots?: number },
  executor: Executor = solo(),
): SessionDecoder {
  const b = gemma3Buffers(d, arena, context, slots, executor.size);
  for (const [{ theta, dims, linear }, { freqs }] of [[d.rope, b.rope], [d.localRope, b.localRope]] as const) {
    k.rope_freqs_f64(theta, dims, linear, 0, freqs);
  }
  const recipe = { kind: 'gemma3', d, w, b, context, kv } as const;
  executor.bind(gemma3Program(k, recipe, executor.words), recipe);
  const streamStride = strideOf(d.width) * 4;
  const body: DecoderBody = {
    vocab: d.vocab,
    context,
    kv,
    layers: d.layers,
    layerName: 'layer',
    endsEarly: false,
    recurrent: context > keepsUpTo(d),
    rewindsUpTo: keepsUpTo(d),
    sessionBytes: gemma3StateBytes(d, context, kv),
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
    runs: (base, length) => new Gemma3State(d, base, context, kv).runs(length),
    pass(step, afterLayer) {
      const segments = step.segments((base) => new Gemma3State(d, base, context, kv));
      forward({ k, d, w, b }, segments, step.ids, step.n, SOLO, afterLayer);
    },
    slide() {
      throw new SessionError(
        'CONTEXT_OVERFLOW',
        `the context of ${context} positions is full, and sessions of this architecture cannot slide; open the model with a ` +
          'larger contextLength',
        { mentions: ['contextLength'] },
      );
    },
  };
  return new SessionDecoder(k, arena, body, executor);
}
