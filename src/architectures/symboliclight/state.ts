/**
 * Everything a step of SymbolicLight writes: the membranes, decaying states, recent keys and values of a session, and the
 * buffers all sessions of a model share. A session's memory does not grow with its text.
 * @module
 */
import { alignUp } from '../../bytes/align.ts';
import type { SymbolicLightDescription } from './description.ts';
import { type Allocator, PREFILL_BATCH, vectorBytes } from '../../description/plan.ts';
import type { Ptr } from '../../wasm/arena.ts';
import { type Activations, allocateActivations, strideOf } from '../../forward/matmul.ts';
import type { ColumnScratch } from '../../forward/spikes.ts';

/** A thread's own buffers. */
export interface ThreadBuffers extends Activations {
  /** Continuous stream. (batch, width) f32 */
  readonly c: Ptr;
  /** Spikes of one token. (the wider of width and hidden, / 8) u8 */
  readonly spikes: Ptr;
  /** Who fired in the stream. (batch, width) i32 */
  readonly lists: Ptr;
  /** Who fired in the feed-forward. (batch, hidden) i32 */
  readonly hiddenLists: Ptr;
  /** Streams whose heads are wanted together; 0 where that is one. (slots, width) f32 */
  readonly heads: Ptr;
  /** Of the prior. (slots, width / 4) f32 */
  readonly bottleneck: Ptr;
  /** Attention of one head. (headDim) f32 */
  readonly att: Ptr;
  /** Scores of one head. (anchors + window + 1) f32 */
  readonly scores: Ptr;
}

/** Buffers of one step; (batch, n) f32 unless said otherwise, rows padded with zeros. */
export interface SymbolicLightBuffers extends ColumnScratch {
  readonly c: Ptr; // embedded and normalised           (batch, width)
  readonly mixed: Ptr; // decay path, then both paths  (batch, width)
  readonly q: Ptr; // (batch, width)
  readonly k: Ptr; // (batch, width)
  readonly v: Ptr; // (batch, width)
  readonly projected: Ptr; // before it is added        (batch, width)
  readonly hidden: Ptr; // feed-forward currents        (batch, hidden)
  readonly spikes: Ptr; // of the encoder, bits         (batch, width / 8) u8
  readonly logits: Ptr; // (slots, vocab)
  readonly priorLogits: Ptr; // (slots, vocab)
  readonly bottleneck: Ptr; // (slots, width / 4)
  readonly ropeFreqs: Ptr; // (headDim / 2) f64
  readonly ropeTable: Ptr; // (batch, headDim)
  /** State that a pass changes for good, as it was before: the membrane, then the decaying state of each block. Keys and values
   *  of a batch take the places of positions that even its first token no longer sees. (slots, 1 + layers, width) */
  readonly saved: Ptr;
  /** Elements from one token's hidden currents to the next. */
  readonly hiddenStride: number;
  /** Spikes of each segment of the batch: encoder, then mixer, feed-forward and output of each block. Thread 0 counts, the owner
   *  reads. (slots) rows */
  readonly spikeCounts: readonly Float64Array[];
  readonly threads: readonly ThreadBuffers[];
}

/** Neurons of each layer: the encoder, then mixer, feed-forward and output of each block. */
export function neuronsOf({ layers, width, hidden }: SymbolicLightDescription): number[] {
  return [width, ...Array.from({ length: layers }, () => [width, hidden, width]).flat()];
}

/** Positions after the anchors that a session keeps: the window, itself, and a batch that is being read. */
export function ringOf(d: SymbolicLightDescription): number {
  return d.window + PREFILL_BATCH;
}

/** Bytes of one session; they do not depend on how long it becomes. */
export function symbolicLightStateBytes(d: SymbolicLightDescription): number {
  const slots = d.anchors + ringOf(d);
  const near = d.attention ? 2 * alignUp(d.heads * slots * d.headDim * 4, 64) + alignUp(slots, 64) : 0;
  return vectorBytes(d.width) + d.layers * (vectorBytes(d.width) + near);
}

/** Places the shared buffers; `spikeCounts` are not in wasm memory. @throws {MemoryError} */
export function symbolicLightBuffers(
  d: SymbolicLightDescription,
  arena: Allocator,
  slots: number,
  threads: number,
): Omit<SymbolicLightBuffers, 'spikeCounts'> {
  const batch = (n: number, what: string): Ptr => arena.alloc(PREFILL_BATCH * vectorBytes(n), what);
  const widest = Math.max(d.width, d.hidden);
  return {
    c: batch(d.width, 'continuous stream'),
    mixed: batch(d.width, 'mixed paths'),
    q: batch(d.width, 'queries'),
    k: batch(d.width, 'keys'),
    v: batch(d.width, 'values'),
    projected: batch(d.width, 'projection'),
    hidden: batch(d.hidden, 'feed-forward'),
    spikes: batch(d.width / 32, 'spikes'),
    logits: arena.alloc(slots * vectorBytes(d.vocab), 'logits'),
    priorLogits: arena.alloc(slots * vectorBytes(d.vocab), 'prior'),
    bottleneck: arena.alloc(slots * vectorBytes(d.width / 4), 'prior'),
    ropeFreqs: arena.alloc(vectorBytes(d.headDim), 'rotary frequencies'),
    ropeTable: batch(d.headDim, 'rotary table'),
    sums: arena.alloc(vectorBytes(widest), 'column sums'),
    bytes: arena.alloc(vectorBytes(widest), 'column sums'),
    hiddenStride: strideOf(d.hidden),
    saved: arena.alloc(slots * (1 + d.layers) * vectorBytes(d.width), 'saved state'),
    threads: Array.from({ length: threads }, () => ({
      c: batch(d.width, 'continuous stream'),
      spikes: arena.alloc(vectorBytes(widest / 32), 'spikes'),
      lists: batch(d.width, 'spike lists'),
      hiddenLists: batch(d.hidden, 'spike lists'),
      bottleneck: arena.alloc(slots * vectorBytes(d.width / 4), 'prior'),
      heads: slots > 1 ? arena.alloc(slots * vectorBytes(d.width), 'continuous streams of heads') : 0,
      ...allocateActivations(arena, widest),
      att: arena.alloc(vectorBytes(d.headDim), 'attention'),
      scores: arena.alloc(vectorBytes(d.anchors + d.window + 1), 'scores'),
    })),
  };
}

/**
 * One session.
 *
 *   membrane (width) │ per block: decaying state (width) │ keys │ values │ fired
 *   keys, values   head 0: slot 0 │ 1 │ … │ slots − 1 ‖ head 1: …      one slot: headDim f32
 *   slot of a position: itself for an anchor, then a ring; fired: one byte per slot
 */
export class SymbolicLightState {
  readonly base: Ptr;
  readonly bytes: number;
  /** Slots behind the anchors. */
  readonly ring: number;
  readonly #d: SymbolicLightDescription;
  readonly #slots: number;
  readonly #vector: number;
  readonly #block: number;
  readonly #head: number;
  readonly #path: number;

  constructor(d: SymbolicLightDescription, base: Ptr) {
    this.base = base;
    this.bytes = symbolicLightStateBytes(d);
    this.ring = ringOf(d);
    this.#d = d;
    this.#slots = d.anchors + this.ring;
    this.#vector = vectorBytes(d.width);
    this.#head = this.#slots * d.headDim * 4;
    this.#path = alignUp(d.heads * this.#head, 64);
    this.#block = (this.bytes - this.#vector) / d.layers;
  }

  get membrane(): Ptr {
    return this.base;
  }

  decayAt(block: number): Ptr {
    return this.base + this.#vector + block * this.#block;
  }

  keysOf(block: number, head: number): Ptr {
    return this.decayAt(block) + this.#vector + head * this.#head;
  }

  valuesOf(block: number, head: number): Ptr {
    return this.keysOf(block, head) + this.#path;
  }

  keyAt(block: number, head: number, pos: number): Ptr {
    return this.keysOf(block, head) + this.#slot(pos) * this.#d.headDim * 4;
  }

  valueAt(block: number, head: number, pos: number): Ptr {
    return this.valuesOf(block, head) + this.#slot(pos) * this.#d.headDim * 4;
  }

  firedAt(block: number): Ptr {
    return this.decayAt(block) + this.#vector + 2 * this.#path;
  }

  /** Where it stands whether a position fired. */
  firedOf(block: number, pos: number): Ptr {
    return this.firedAt(block) + this.#slot(pos);
  }

  /** What a session of `length` positions holds, in the order of its addresses: all of it once every slot is taken. */
  *runs(length: number): Generator<{ readonly at: Ptr; readonly bytes: number }> {
    const { layers, heads, headDim, attention } = this.#d;
    if (length >= this.#slots) return yield { at: this.base, bytes: this.bytes };
    yield { at: this.base, bytes: this.#vector };
    const bytes = length * headDim * 4;
    for (let i = 0; i < layers; i++) {
      yield { at: this.decayAt(i), bytes: this.#vector };
      if (!attention) continue;
      for (let h = 0; h < heads; h++) yield { at: this.keysOf(i, h), bytes };
      for (let h = 0; h < heads; h++) yield { at: this.valuesOf(i, h), bytes };
      yield { at: this.firedAt(i), bytes: length };
    }
  }

  #slot(pos: number): number {
    const { anchors } = this.#d;
    return pos < anchors ? pos : anchors + ((pos - anchors) % this.ring);
  }
}
