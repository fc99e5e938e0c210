/**
 * Everything a step of a Gemma 3 decoder writes: a session's cached keys and values, and the buffers all sessions of a
 * model share. Allocated before the first token; a step allocates nothing.
 * @module
 */
import { alignUp } from '../../bytes/align.ts';
import { attentionBytes } from '../../description/layout.ts';
import { type Allocator, type KvType, PREFILL_BATCH, vectorBytes } from '../../description/plan.ts';
import { type Activations, allocateActivations } from '../../forward/matmul.ts';
import type { Run } from '../../forward/sessions.ts';
import type { Ptr } from '../../wasm/arena.ts';
import type { Gemma3Description } from './description.ts';

/** A thread's own buffers. */
export interface ThreadBuffers extends Activations {
  /** Normalised activations of the batch: (batch, width) f32. */
  readonly x: Ptr;
  /** Scratch of the attention: scores of eight queries, and a block of keys. */
  readonly scores: Ptr;
}

/** Frequencies of a rotary embedding, and its table for a batch. */
export interface Rotary {
  readonly freqs: Ptr; // (dims / 2) f64
  readonly table: Ptr; // (batch, dims)
}

/** Buffers of one step; (batch, n) f32 unless said otherwise, rows padded with zeros. */
export interface Gemma3Buffers {
  readonly x: Ptr; // residual stream     (batch, width)
  readonly q: Ptr; // queries             (batch, heads · headDim)
  readonly k: Ptr; // keys                (batch, kvHeads · headDim)
  readonly v: Ptr; // values              (batch, kvHeads · headDim)
  readonly att: Ptr; // attention output  (batch, heads · headDim)
  readonly gate: Ptr; // feed-forward     (batch, hidden)
  readonly up: Ptr; //                    (batch, hidden)
  readonly projected: Ptr; // before it is normalised and added to x   (batch, width)
  readonly logits: Ptr; // (slots, vocab)
  readonly rope: Rotary; // of global layers
  readonly localRope: Rotary; // of local layers
  readonly threads: readonly ThreadBuffers[];
}

/** Places the shared buffers. @throws {MemoryError} */
export function gemma3Buffers(
  d: Gemma3Description,
  arena: Allocator,
  context: number,
  slots: number,
  threads: number,
): Gemma3Buffers {
  const batch = (n: number, what: string): Ptr => arena.alloc(PREFILL_BATCH * vectorBytes(n), what);
  const q = d.heads * d.headDim;
  const kv = d.kvHeads * d.headDim;
  const widest = Math.max(d.width, d.hidden, q);
  const rotary = ({ dims }: Gemma3Description['rope']): Rotary => ({
    freqs: arena.alloc(vectorBytes(dims), 'rotary frequencies'),
    table: batch(dims, 'rotary table'),
  });
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
    rope: rotary(d.rope),
    localRope: rotary(d.localRope),
    threads: Array.from({ length: threads }, () => ({
      x: batch(d.width, 'activations'),
      ...allocateActivations(arena, widest),
      scores: arena.alloc(attentionBytes(d.headDim, context), 'scores'),
    })),
  };
}

/** Places of a ring: what a local layer sees, and a batch that is written before any of it attends. */
function ringOf(d: Gemma3Description): number {
  return d.window + PREFILL_BATCH;
}

/** The largest context whose sessions keep all positions in every layer, so that they can go back. */
export function keepsUpTo(d: Gemma3Description): number {
  return d.local.includes(true) ? 2 * ringOf(d) : Infinity;
}

/** Rows of one head of a layer. */
function rowsOf(d: Gemma3Description, layer: number, context: number): number {
  return d.local[layer] ? Math.min(context, 2 * ringOf(d)) : context;
}

/** Bytes of the keys, or of the values, of a layer. */
function halfBytes(d: Gemma3Description, layer: number, context: number, kv: KvType): number {
  return alignUp(d.kvHeads * d.headDim * rowsOf(d, layer, context) * (kv === 'f16' ? 2 : 4), 64);
}

/** Bytes of one session of `context` positions. */
export function gemma3StateBytes(d: Gemma3Description, context: number, kv: KvType): number {
  let bytes = 0;
  for (let l = 0; l < d.layers; l++) bytes += 2 * halfBytes(d, l, context, kv);
  return bytes;
}

/**
 * Keys and values of one session.
 *
 *   layer 0: keys of head 0: row 0 │ 1 │ … ‖ head 1: … ‖ values ‖ layer 1: …               one row: headDim f16 or f32
 *   global   row = position
 *   local    position p in row p mod ring, and from p = ring on in row ring + p mod ring too: every window lies in one piece.
 *            Where a context has no more rows than that, row = position
 */
export class Gemma3State {
  readonly kv: KvType;
  readonly #d: Gemma3Description;
  readonly #row: number;
  readonly #ring: number;
  readonly #rows: readonly number[];
  readonly #keys: readonly Ptr[];
  readonly #values: readonly Ptr[];

  constructor(d: Gemma3Description, base: Ptr, context: number, kv: KvType) {
    this.#d = d;
    this.kv = kv;
    this.#row = d.headDim * (kv === 'f16' ? 2 : 4);
    this.#ring = context <= keepsUpTo(d) ? context : ringOf(d);
    this.#rows = d.local.map((_, l) => rowsOf(d, l, context));
    const keys: Ptr[] = [];
    const values: Ptr[] = [];
    let at = base;
    for (let l = 0; l < d.layers; l++) {
      const half = halfBytes(d, l, context, kv);
      keys.push(at);
      values.push(at + half);
      at += 2 * half;
    }
    this.#keys = keys;
    this.#values = values;
  }

  keyAt(layer: number, head: number, row: number): Ptr {
    return this.#keys[layer] + (head * this.#rows[layer] + row) * this.#row;
  }

  valueAt(layer: number, head: number, row: number): Ptr {
    return this.#values[layer] + (head * this.#rows[layer] + row) * this.#row;
  }

  /** The first row of a position; from there on the positions behind it lie side by side, as far as a window reaches. */
  rowOf(layer: number, pos: number): number {
    return this.#d.local[layer] ? pos % this.#ring : pos;
  }

  /** The other row of a position, −1 where it has one only. */
  secondRowOf(layer: number, pos: number): number {
    return this.#d.local[layer] && pos >= this.#ring ? this.#ring + (pos % this.#ring) : -1;
  }

  /** What the first `length` positions have filled, one run for each layer and head: keys, then values. */
  *runs(length: number): Generator<Run> {
    for (let l = 0; l < this.#d.layers; l++) {
      const bytes = Math.min(length, this.#rows[l]) * this.#row;
      for (let h = 0; h < this.#d.kvHeads; h++) {
        yield { at: this.keyAt(l, h, 0), bytes };
        yield { at: this.valueAt(l, h, 0), bytes };
      }
    }
  }
}
