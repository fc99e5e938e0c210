/**
 * Tokens and their probabilities, in the two forms that requests ask for.
 * @module
 */
import type { GenerateChunk } from '../model/model.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** JSON has no infinity; OpenAI's servers say this instead. */
const LEAST_LOGPROB = -9999;

const finite = (logprob: number): number => Math.max(logprob, LEAST_LOGPROB);

/** A token as a chat shows it. */
interface ChatToken {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

/** The bytes that an id adds to a text; of a special token those of its name. */
function bytesOf(tokenizer: Tokenizer, id: number): Uint8Array {
  const bytes = tokenizer.pieceBytes(id);
  return bytes.length > 0 ? bytes : new TextEncoder().encode(tokenizer.piece(id));
}

function chatToken(tokenizer: Tokenizer, id: number, logprob: number): ChatToken {
  const bytes = bytesOf(tokenizer, id);
  return { token: new TextDecoder().decode(bytes), logprob: finite(logprob), bytes: Array.from(bytes) };
}

/** `choices[].logprobs` of a chat, for one chunk. */
export function chatLogprobs(tokenizer: Tokenizer, { id, logprob, topLogprobs = [] }: GenerateChunk): object[] {
  if (id === null || logprob === undefined) return [];
  const top = topLogprobs.map((other) => chatToken(tokenizer, other.id, other.logprob));
  return [{ ...chatToken(tokenizer, id, logprob ?? 0), top_logprobs: top }];
}

/** `choices[].logprobs` of a completion. */
export interface CompletionLogprobs {
  readonly tokens: string[];
  readonly token_logprobs: (number | null)[];
  readonly top_logprobs: (Record<string, number> | null)[];
  readonly text_offset: number[];
}

/** Gathers them from chunks. */
export class CompletionScores {
  readonly #tokenizer: Tokenizer;
  #offset = 0;

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** Those of some chunks. */
  of(chunks: readonly GenerateChunk[]): CompletionLogprobs {
    const found: CompletionLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
    for (const { id, text, logprob, topLogprobs } of chunks) {
      if (id !== null && logprob !== undefined) {
        found.tokens.push(this.#name(id));
        found.token_logprobs.push(logprob === null ? null : finite(logprob));
        found.top_logprobs.push(
          logprob === null
            ? null
            : Object.fromEntries((topLogprobs ?? []).map((top) => [this.#name(top.id), finite(top.logprob)])),
        );
        found.text_offset.push(this.#offset);
      }
      this.#offset += text.length;
    }
    return found;
  }

  /** A token as text; one that is no whole characters as OpenAI writes such: `bytes:\xe2\x80`. */
  #name(id: number): string {
    const bytes = bytesOf(this.#tokenizer, id);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
    }
  }
}
