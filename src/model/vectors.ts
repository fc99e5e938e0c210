/**
 * What makes vectors of texts.
 * @module
 */
import { DescriptionError } from '../errors.ts';
import type { Embedder, Pooling } from '../forward/embedder.ts';
import { statedPooling } from '../forward/pooling.ts';
import type { Session } from '../session/session.ts';
import type { ModelParts } from './types.ts';

/** How vectors are pooled where nobody says; null for a model that makes none. */
export function defaultPooling({ embedder, generator, container }: ModelParts): Pooling | null {
  if (embedder) return embedder.pooling;
  // of a decoder's tokens the last alone has seen all others
  return generator?.decoder.states ? statedPooling(container).pooling ?? 'last' : null;
}

/** What makes vectors: of its own, or by the decoder. @throws {DescriptionError} `ARCHITECTURE` */
export async function embedderOf(parts: ModelParts, session: () => Session): Promise<Embedder> {
  const { embedder, generator, arena, tokenizer, container, description } = parts;
  if (embedder) return embedder;
  const { width, architecture } = description;
  if (!generator?.decoder.states) {
    throw new DescriptionError(
      'ARCHITECTURE',
      `${architecture} models make no vectors of texts; BERTs and decoders that do not spike do`,
    );
  }
  const { decoder } = generator;
  const { pooling = 'last', normalise = true } = statedPooling(container);
  const { DecoderEmbedder } = await import('../session/embedder.ts'); // most models make no vectors
  return new DecoderEmbedder({ decoder, arena, tokenizer, pooling, normalise, width, session });
}
