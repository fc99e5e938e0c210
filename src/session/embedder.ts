/**
 * Vectors of texts by a decoder: the states of the tokens behind the last norm, which the head would read, pooled. One text runs
 * after the other, each from an empty context.
 * @module
 */
import { OptionError, SessionError, TokenizerError } from '../errors.ts';
import { wrongValue } from '../options.ts';
import type { Decoder } from '../forward/decoder.ts';
import type { Embedder, EmbedOptions } from '../forward/embedder.ts';
import { checkPooling, Pooler } from '../forward/pooler.ts';
import type { Pooling } from '../forward/pooling.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { Arena, Ptr } from '../wasm/arena.ts';
import type { Session } from './session.ts';

/** What a decoder's vectors are made with. */
export interface DecoderEmbedderMeans {
  readonly decoder: Decoder;
  readonly arena: Arena;
  readonly tokenizer: Tokenizer | null;
  readonly pooling: Pooling;
  readonly normalise: boolean;
  readonly width: number;
  session(): Session;
}

export class DecoderEmbedder implements Embedder {
  readonly #means: DecoderEmbedderMeans;

  constructor(means: DecoderEmbedderMeans) {
    this.#means = means;
  }

  get dims(): number {
    return this.#means.width;
  }

  get pooling(): Pooling {
    return this.#means.pooling;
  }

  /** See `Model.embed`. */
  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    const { pooling = this.pooling, normalise = this.#means.normalise } = options;
    checkPooling(pooling);
    const wrong = texts.findIndex((text) => typeof text !== 'string');
    if (wrong >= 0) throw new OptionError('OPTION', `text ${wrong} is ${typeof texts[wrong]}, expected a string`);
    options.signal?.throwIfAborted();
    if (texts.length === 0) return [];
    const { arena } = this.#means;
    const vectors: Float32Array[] = [];
    const session = this.#means.session();
    try {
      for (const text of texts) {
        const ids = this.#ids(text, options.maxLength);
        const pooler = new Pooler(pooling, this.dims);
        session.reset();
        const seeState = (at: Ptr): void => pooler.add(arena.f32(at, this.dims));
        const { signal, stretchMs } = options;
        await session.read(ids, { signal, stretchMs, seeState }, ids.length, () => {}); // no logits: from behind the last id
        vectors.push(pooler.vector(normalise));
      }
    } finally {
      session.dispose();
    }
    return vectors;
  }

  /** Sessions end with their model. */
  dispose(): void {}

  /** Ids with bos and eos, as the tokenizer was made; cut ids keep the eos. */
  #ids(text: string, maxLength: number | undefined): number[] {
    const { tokenizer, decoder: { context } } = this.#means;
    if (!tokenizer) {
      throw new TokenizerError(
        'TOKENIZER_MISSING',
        'this model contains no vocabulary; pass the option tokenizer',
        { mentions: ['tokenizer'] },
      );
    }
    if (maxLength !== undefined && !(Number.isInteger(maxLength) && maxLength >= 1 && maxLength <= context)) {
      throw wrongValue('maxLength', maxLength, `a whole number in 1 … ${context}`);
    }
    const ids = tokenizer.encode(text, { special: true });
    if (maxLength !== undefined && ids.length > maxLength) {
      const closed = ids.length > 1 && tokenizer.specials.stop.includes(ids[ids.length - 1]);
      const kept = maxLength - Number(closed);
      ids.splice(kept, ids.length - kept - Number(closed));
    }
    if (ids.length === 0) {
      throw new SessionError('TOKEN', 'the text is empty and this vocabulary adds no token to it; give some text');
    }
    if (ids.length > context) {
      throw new SessionError(
        'CONTEXT_OVERFLOW',
        `the text has ${ids.length} tokens, a session ${context} positions; shorten it, pass maxLength, or open with a larger contextLength`,
        { mentions: ['maxLength', 'contextLength'] },
      );
    }
    return ids;
  }
}
