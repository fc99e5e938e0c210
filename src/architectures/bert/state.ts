/**
 * The memory of a text that runs through a BERT: named parts, all f32 unless said otherwise, rows padded with zeros.
 * @module
 */
import { alignUp } from '../../bytes/align.ts';
import { attentionBytes } from '../../description/layout.ts';
import { vectorBytes } from '../../description/plan.ts';
import { type Activations, allocateActivations } from '../../forward/matmul.ts';
import type { Ptr } from '../../wasm/arena.ts';
import type { BertDescription } from './description.ts';

/** A thread's own scratch. */
export interface BertScratch extends Activations {
  readonly scores: Ptr;
}

export interface BertBuffers {
  readonly ids: Ptr; //       (tokens) i32
  readonly types: Ptr; //     (tokens) i32
  readonly x: Ptr; //         (tokens, width)   the stream
  readonly q: Ptr; //         (tokens, width)
  readonly k: Ptr; //         (tokens, width)
  readonly v: Ptr; //         (tokens, width)
  readonly att: Ptr; //       (tokens, width)
  readonly hidden: Ptr; //    (tokens, hidden)
  readonly projected: Ptr; // (tokens, width)
  readonly keys: Ptr; //      (heads, tokens, headDim)   keys and values head by head, as the attention reads them
  readonly values: Ptr;
  readonly threads: readonly BertScratch[];
}

/**
 * Where the buffers of a text lie, from `base` on. Every thread computes the same places.
 * @returns the buffers, and the first byte behind them
 */
export function bertBuffers(
  d: BertDescription,
  base: Ptr,
  tokens: number,
  threads: number,
): { buffers: BertBuffers; end: Ptr } {
  let end = base;
  const alloc = (bytes: number): Ptr => {
    const at = end;
    end += alignUp(bytes, 64);
    return at;
  };
  const rows = (n: number): Ptr => alloc(tokens * vectorBytes(n));
  const buffers = {
    ids: alloc(tokens * 4),
    types: alloc(tokens * 4),
    x: rows(d.width),
    q: rows(d.width),
    k: rows(d.width),
    v: rows(d.width),
    att: rows(d.width),
    hidden: rows(d.hidden),
    projected: rows(d.width),
    keys: alloc(tokens * d.width * 4),
    values: alloc(tokens * d.width * 4),
    threads: Array.from({ length: threads }, () => ({
      ...allocateActivations({ alloc }, Math.max(d.width, d.hidden)),
      scores: alloc(attentionBytes(d.headDim, tokens)),
    })),
  };
  return { buffers, end };
}

/** Bytes of the buffers of one text of `tokens` tokens. */
export function bertRunBytes(d: BertDescription, tokens: number, threads: number): number {
  return bertBuffers(d, 0, tokens, threads).end;
}
