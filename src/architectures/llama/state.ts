/**
 * Everything a step of a llama-shaped decoder writes: a session's cached keys and values, and the buffers all sessions
 * of a model share. Allocated before the first token; a step allocates nothing.
 * @module
 */
import { alignUp } from '../../bytes/align.ts';
import type { LlamaDescription } from './description.ts';
import { attentionBytes } from '../../description/layout.ts';
import { type Allocator, type KvType, PREFILL_BATCH, vectorBytes } from '../../description/plan.ts';
import type { Arena, Ptr } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import { type Activations, allocateActivations, strideOf } from '../../forward/matmul.ts';

/** A thread's own buffers. */
export interface ThreadBuffers extends Activations {
  /** Normalised activations of the batch: inputs of q k v gate up, of Wo, of Wdown. One buffer for each width, so that
   *  the zeros behind a row are never overwritten. (batch, width), (batch, heads · headDim), (batch, hidden) f32 */
  readonly x: Ptr;
  readonly att: Ptr;
  readonly hidden: Ptr;
  /** Scratch of the attention: scores of eight queries, and a block of keys. */
  readonly scores: Ptr;
}

/** Buffers of one step; (batch, n) f32 unless said otherwise, rows padded with zeros. */
export interface LlamaBuffers {
  readonly x: Ptr; // residual stream     (batch, width)
  readonly q: Ptr; // queries             (batch, heads · headDim)
  readonly k: Ptr; // keys                (batch, kvHeads · headDim)
  readonly v: Ptr; // values              (batch, kvHeads · headDim)
  readonly att: Ptr; // attention output  (batch, heads · headDim)
  readonly gate: Ptr; // feed-forward     (batch, hidden)
  readonly up: Ptr; //                    (batch, hidden)
  readonly projected: Ptr; // before it is added to x   (batch, width)
  readonly logits: Ptr; // (slots, vocab)
  readonly ropeFreqs: Ptr; // (ropeDims / 2) f64
  readonly ropeTable: Ptr; // (batch, ropeDims)
  readonly threads: readonly ThreadBuffers[];
}

/** Bytes of one session of `context` positions. */
export function llamaStateBytes(d: LlamaDescription, context: number, kv: KvType): number {
  return 2 * d.layers * alignUp(d.kvHeads * d.headDim * context * (kv === 'f16' ? 2 : 4), 64);
}

/** Places the shared buffers. @throws {MemoryError} */
export function llamaBuffers(
  d: LlamaDescription,
  arena: Allocator,
  context: number,
  slots: number,
  threads: number,
): LlamaBuffers {
  const batch = (n: number, what: string): Ptr => arena.alloc(PREFILL_BATCH * vectorBytes(n), what);
  const q = d.heads * d.headDim;
  const kv = d.kvHeads * d.headDim;
  const widest = Math.max(d.width, d.hidden, q);
  return {
    x: batch(d.width, 'residual stream'),
    q: batch(q, 'queries'),
    k: batch(kv, 'keys'),
    v: batch(kv, 'values'),
    att: batch(q, 'attention output'),
    gate: batch(d.hidden, 'gate'),
    up: batch(d.hidden, 'up'),
    projected: batch(d.width, 'projection'),
    logits: arena.alloc(slots * vectorBytes(d.vocab), 'logits'),
    ropeFreqs: arena.alloc(vectorBytes(d.rope.dims), 'rotary frequencies'),
    ropeTable: batch(d.rope.dims, 'rotary table'),
    threads: Array.from({ length: threads }, () => ({
      x: batch(d.width, 'activations'),
      att: batch(q, 'activations'),
      hidden: batch(d.hidden, 'activations'),
      ...allocateActivations(arena, widest),
      scores: arena.alloc(attentionBytes(d.headDim, context), 'scores'),
    })),
  };
}

/**
 * Keys and values of one session.
 *
 *   layer 0: head 0: position 0 │ 1 │ … │ context − 1 ‖ head 1: … ‖ layer 1: …       one position: headDim f16 or f32
 */
export class LlamaState {
  readonly kv: KvType;
  readonly context: number;
  readonly #d: LlamaDescription;
  readonly #keys: Ptr;
  readonly #values: Ptr;
  readonly #row: number;
  readonly #layer: number;

  constructor(d: LlamaDescription, base: Ptr, context: number, kv: KvType) {
    const bytes = llamaStateBytes(d, context, kv);
    this.#d = d;
    this.kv = kv;
    this.context = context;
    this.#keys = base;
    this.#values = base + bytes / 2;
    this.#row = d.headDim * (kv === 'f16' ? 2 : 4);
    this.#layer = bytes / 2 / d.layers;
  }

  keyAt(layer: number, head: number, pos: number): Ptr {
    return this.#keys + layer * this.#layer + (head * this.context + pos) * this.#row;
  }

  valueAt(layer: number, head: number, pos: number): Ptr {
    return this.#values + layer * this.#layer + (head * this.context + pos) * this.#row;
  }

  /** Copies the first `length` positions of another state of the same model. */
  copyFrom(other: LlamaState, length: number, arena: Arena): void {
    const bytes = arena.u8(0, arena.used);
    for (let l = 0; l < this.#d.layers; l++) {
      for (let h = 0; h < this.#d.kvHeads; h++) {
        bytes.copyWithin(this.keyAt(l, h, 0), other.keyAt(l, h, 0), other.keyAt(l, h, length));
        bytes.copyWithin(this.valueAt(l, h, 0), other.valueAt(l, h, 0), other.valueAt(l, h, length));
      }
    }
  }

  /** The places of the first `length` positions, one run for each layer and head: keys, then values. */
  *runs(length: number): Generator<{ at: Ptr; bytes: number }> {
    for (let l = 0; l < this.#d.layers; l++) {
      for (let h = 0; h < this.#d.kvHeads; h++) {
        yield { at: this.keyAt(l, h, 0), bytes: length * this.#row };
        yield { at: this.valueAt(l, h, 0), bytes: length * this.#row };
      }
    }
  }

  /**
   * Drops positions keep … keep + drop − 1 and closes the gap. Keys that move are rotated back by `drop` positions, so
   * that all distances are again those the model knows.
   */
  slide(keep: number, drop: number, length: number, arena: Arena, k: Kernels, b: LlamaBuffers): void {
    const { layers, kvHeads, headDim, rope } = this.#d;
    const half = rope.dims / 2;
    const halved = rope.pairing === 'halved' ? 1 : 0;
    const row = b.threads[0].x; // free between steps
    k.rope_table_f32(b.ropeFreqs, half, -drop, 1, 1, b.ropeTable); // keys have their magnitude already
    const bytes = arena.u8(0, arena.used);
    for (let l = 0; l < layers; l++) {
      for (let h = 0; h < kvHeads; h++) {
        bytes.copyWithin(this.keyAt(l, h, keep), this.keyAt(l, h, keep + drop), this.keyAt(l, h, length));
        bytes.copyWithin(this.valueAt(l, h, keep), this.valueAt(l, h, keep + drop), this.valueAt(l, h, length));
        for (let pos = keep; pos < length - drop; pos++) {
          const key = this.keyAt(l, h, pos);
          if (this.kv === 'f16') k.f16_to_f32(key, row, headDim);
          else k.copy_f32(key, row, headDim);
          k.rope_apply_f32(row, 1, headDim, b.ropeTable, half, halved);
          if (this.kv === 'f16') k.f32_to_f16(row, key, headDim);
          else k.copy_f32(row, key, headDim);
        }
      }
    }
    bytes.fill(0, row, row + strideOf(headDim) * 4);
  }
}
