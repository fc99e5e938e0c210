/**
 * The prompt of a run: text, a rendered chat, or ids; and how large a context it needs, found before weights are
 * loaded.
 * @module
 */
import type { ByteSource } from '../bytes/source.ts';
import { openContainer } from '../container/open.ts';
import { SessionError } from '../errors.ts';
import { architectureOf } from '../architectures/index.ts';
import { defaultContext } from '../description/plan.ts';
import { tokenizerFromMetadata } from '../tokenizer/open.ts';
import { type ChatMessage, renderChat } from '../tokenizer/template.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** What a user wants to have continued. */
export interface Prompt {
  readonly text?: string;
  readonly ids?: readonly number[];
  /** Instead of text. */
  readonly chat?: readonly ChatMessage[];
  /** Of a chat, instead of the model's: its text, or the name of one that the model has. */
  readonly template?: string;
}

/**
 * Ids of a prompt as the model was trained to see it.
 * @param held positions that a session has read before it: a text that goes on does not begin again
 * @throws {TemplateError} {TokenizerError}
 */
export function promptIds(prompt: Prompt, tokenizer: Tokenizer | null, held: number): readonly number[] {
  if (prompt.ids) return prompt.ids;
  if (!tokenizer) return [];
  const text = prompt.chat ? renderChat(tokenizer, prompt.chat, { template: prompt.template }) : (prompt.text ?? '');
  const ids = tokenizer.encode(text, { special: true });
  const { bos } = tokenizer.specials;
  if (bos === undefined || ids[0] !== bos) return ids;
  // templates write bos themselves; do not begin twice
  const twice = prompt.chat !== undefined && ids[1] === bos ? 1 : 0;
  const goesOn = held > 0 && (prompt.chat !== undefined || tokenizer.addBos) ? 1 : 0;
  return ids.slice(twice + goesOn);
}

/** A prompt of more than so many times the positions that a model was trained on is hardly meant: its answer would be noise,
 *  and comes after minutes. */
const MOST_TIMES_TRAINED = 16;

/**
 * A context for prompt and answer where the default would be too small, else undefined.
 * @param held positions of the session that is continued
 * @param given a tokenizer instead of the file's
 * @throws {SessionError} `CONTEXT_OVERFLOW` for a prompt far beyond what the model was trained on
 */
export async function contextFor(
  source: ByteSource,
  prompt: Prompt,
  held: number,
  tokens: number,
  given: Tokenizer | undefined,
  signal: AbortSignal,
): Promise<number | undefined> {
  // a token stands for a byte of text at least (but for a few characters that normalise to many), and bos and eos
  // come to that: most prompts need no look at the vocabulary
  const most = prompt.ids?.length ?? (prompt.chat ? Infinity : new TextEncoder().encode(prompt.text).length + 2);
  if (held + most + tokens <= defaultContext(1)) return undefined;
  const container = await openContainer(source, { signal });
  const architecture = await architectureOf(container);
  const { trainedContext: trained } = architecture.describe(container);
  const ids = promptIds(prompt, given ?? tokenizerFromMetadata(container.metadata), held);
  const contextLength = held + ids.length + tokens;
  if (ids.length > MOST_TIMES_TRAINED * trained) {
    throw new SessionError(
      'CONTEXT_OVERFLOW',
      `the prompt has ${ids.length} tokens, the model was trained on ${trained} positions: its answer to such a prompt ` +
        `would mean little; shorten it, or read it anyway with --ctx ${contextLength}`,
    );
  }
  if (!architecture.grows) return undefined; // its sessions take any length
  return contextLength > defaultContext(trained) ? contextLength : undefined;
}
