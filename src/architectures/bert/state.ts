/**
 * The memory of texts that run through a BERT together: named parts, all f32 unless said otherwise, rows padded with zeros. Tokens
 * of all texts lie one after the other, without padding between them.
 * @module
 */
import { alignUp } from '../../bytes/align.ts';
import { ROW_GROUP } from '../../description/layout.ts';
import { bytesOf, vectorBytes } from '../../description/plan.ts';
import { type Activations, allocateActivations } from '../../forward/matmul.ts';
import type { Ptr } from '../../wasm/arena.ts';
import type { BertDescription } from './description.ts';

/** Tokens that threads take at a time: float matrices are read once for so many. More would not stay in the second-level cache. */
export const CHUNK = 64;

/** What the size of a run depends on. */
export interface BertShape {
  readonly tokens: number;
  readonly texts: number;
  /** Tokens of the longest text. */
  readonly longest: number;
  /** Whether the hidden states of every layer are kept. */
  readonly hidden: boolean;
  /** Where attention is kept: the sum of the squares of the lengths; else 0. */
  readonly squares: number;
}

/** A thread's own scratch: activations, and one head of one text. */
export interface BertScratch extends Activations {
  readonly keys: Ptr; //   (longest, headDim)
  readonly values: Ptr; // (longest, headDim)
  readonly across: Ptr; // (headDim, longest)   values, transposed
  readonly scores: Ptr; // (CHUNK, longest)
}

export interface BertBuffers {
  readonly ids: Ptr; //       (tokens) i32
  readonly types: Ptr; //     (tokens) i32
  readonly places: Ptr; //    (tokens) i32   position of each token in its text
  readonly starts: Ptr; //    (texts + 1) i32   first token of each text, and the end
  readonly x: Ptr; //         (tokens, width)   the stream
  readonly q: Ptr; //         (tokens, width)
  readonly k: Ptr; //         (tokens, width)
  readonly v: Ptr; //         (tokens, width)
  readonly att: Ptr; //       (CHUNK, width)
  readonly hidden: Ptr; //    (CHUNK, hidden)
  readonly projected: Ptr; // (CHUNK, width)
  readonly cls: Ptr; //       (texts, width)   of the classifier: first tokens
  readonly pooled: Ptr; //    (texts, width)
  readonly logits: Ptr; //    (texts, classes)
  readonly states: Ptr; //    (layers + 1, tokens, width), not padded; where hidden states are kept
  readonly attention: Ptr; // layer by layer, text by text: (heads, length, length), not padded; where attention is kept
  readonly threads: readonly BertScratch[];
}

/** Where the buffers lie, from `base` on. Every thread computes the same places. */
export function bertBuffers(d: BertDescription, base: Ptr, shape: BertShape, threads: number): BertBuffers {
  let end = base;
  return placeBuffers(
    d,
    (bytes) => {
      const at = end;
      end += alignUp(bytes, 64);
      return at;
    },
    shape,
    threads,
  );
}

/** Bytes of the buffers. */
export function bertRunBytes(d: BertDescription, shape: BertShape, threads: number): number {
  return bytesOf(({ alloc }) => placeBuffers(d, (bytes) => alloc(bytes, 'the texts'), shape, threads));
}

function placeBuffers(
  d: BertDescription,
  alloc: (bytes: number) => Ptr,
  { tokens, texts, longest, hidden, squares }: BertShape,
  threads: number,
): BertBuffers {
  const rows = (n: number, width: number): Ptr => alloc(n * vectorBytes(width));
  const keys = alignUp(longest, ROW_GROUP);
  return {
    ids: alloc(tokens * 4),
    types: alloc(tokens * 4),
    places: alloc(tokens * 4),
    starts: alloc((texts + 1) * 4),
    x: rows(tokens, d.width),
    q: rows(tokens, d.width),
    k: rows(tokens, d.width),
    v: rows(tokens, d.width),
    att: rows(CHUNK, d.width),
    hidden: rows(CHUNK, d.hidden),
    projected: rows(CHUNK, d.width),
    cls: rows(texts, d.width),
    pooled: rows(texts, d.width),
    logits: rows(texts, d.classes),
    states: alloc(hidden ? (d.layers + 1) * tokens * d.width * 4 : 0),
    attention: alloc(d.layers * d.heads * squares * 4),
    threads: Array.from({ length: threads }, () => ({
      ...allocateActivations({ alloc }, Math.max(d.width, d.hidden)),
      keys: alloc(keys * d.headDim * 4),
      values: alloc(keys * d.headDim * 4),
      across: alloc(keys * d.headDim * 4),
      scores: alloc(CHUNK * keys * 4),
    })),
  };
}
