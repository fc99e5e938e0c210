/**
 * What the teacher says to every position of a batch. The teacher is any model that this engine runs.
 * @module
 */
import { xxh32 } from '../../../bytes/xxh32.ts';
import { OptionError } from '../../../errors.ts';
import type { Tokenizer } from '../../../tokenizer/tokenizer.ts';
import type { Batch } from './types.ts';

/** What is asked of a teacher; a `Model` has all of it. */
export interface TeacherModel {
  readonly tokenizer: Tokenizer;
  describe(): { readonly vocab: number; readonly trainedContext: number };
  logits(
    ids: readonly number[],
    options: {
      readonly signal?: AbortSignal;
      readonly onHidden?: (layer: number, i: number, stream: Float32Array) => void;
    },
  ): Promise<Float32Array[]>;
  generate(
    prompt: readonly number[],
    options: { maxTokens: number; temperature: number; topK: number; topP: number; seed: number; signal?: AbortSignal },
  ): AsyncIterable<{ readonly id: number | null; readonly finishReason?: string | null }>;
}

/**
 * The token that ends documents, and what is added to the teacher's logit of it; not so where `begin` is in the window, so that
 * documents become shorter and none ends where it has hardly begun.
 */
export interface DocumentEnd {
  readonly id: number | undefined;
  readonly begin: number | undefined;
  readonly bias: number;
}

/** Makes batches of rows of ids. */
export class Teacher {
  readonly #model: TeacherModel;
  readonly #vocab: number;
  readonly #layers: readonly number[];
  readonly #end: DocumentEnd;

  /**
   * @param layers whose residual streams are wanted too
   * @param vocab logits of a row of a batch; those behind the teacher's own are so low that they count for nothing
   * @param end the token that ends documents
   */
  constructor(
    model: TeacherModel,
    vocab: number,
    layers: readonly number[] = [],
    end: DocumentEnd = { id: undefined, begin: undefined, bias: 0 },
  ) {
    const own = model.describe().vocab;
    if (vocab < own) throw new OptionError('OPTION', `the student has ${vocab} tokens, the teacher ${own}`);
    this.#model = model;
    this.#vocab = vocab;
    this.#layers = layers;
    this.#end = end;
  }

  /**
   * A batch with the teacher's logits, and with its residual streams behind the layers that are wanted.
   * @param ids batch × (length + 1); the teacher reads the first `length` of each row from an empty context
   * @throws {SessionError} for ids it has not, or more than its context holds; the signal's reason
   */
  async batch(ids: Int32Array, length: number, signal?: AbortSignal): Promise<Batch> {
    const row = length + 1;
    const batch = ids.length / row;
    const teacherLogits = new Float32Array(batch * length * this.#vocab).fill(UNSAID);
    const hidden: (Float32Array | undefined)[] = this.#layers.map(() => undefined);
    for (let b = 0; b < batch; b++) {
      const see = (layer: number, i: number, stream: Float32Array): void => {
        for (let n = 0; n < hidden.length; n++) {
          if (this.#layers[n] !== layer) continue;
          const all = (hidden[n] ??= new Float32Array(batch * length * stream.length));
          all.set(stream, (b * length + i) * stream.length);
        }
      };
      const read = Array.from(ids.subarray(b * row, b * row + length));
      const rows = await this.#model.logits(read, { signal, ...(hidden.length > 0 && { onHidden: see }) });
      const { id, begin, bias } = this.#end;
      let begun = false;
      for (let t = 0; t < length; t++) {
        const at = (b * length + t) * this.#vocab;
        teacherLogits.set(rows[t], at);
        begun ||= read[t] === begin;
        if (id !== undefined && !begun) teacherLogits[at + id] += bias;
      }
    }
    const teacherHidden = hidden.filter((values) => values !== undefined);
    return { batch, length, ids, teacherLogits, ...(hidden.length > 0 && { teacherHidden }) };
  }
}

/** Logit of a token that the teacher does not have: its probability is 0 in f32. */
const UNSAID = -1e4;

/** A number that tells teachers apart: a checksum of what they answer to a few ids. */
export async function teacherDigest(model: TeacherModel): Promise<number> {
  const { vocab } = model.describe();
  const ids = Array.from({ length: 12 }, (_, i) => (i * 37 + 1) % vocab);
  const rows = await model.logits(ids, {});
  return rows.reduce((sum, row) => xxh32(new Uint8Array(row.buffer, row.byteOffset, row.byteLength), sum), 0);
}
