/**
 * How much of a context a prompt and its answer need.
 * @module
 */
import { SessionError } from '../errors.ts';
import type { Session } from '../session/session.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** Tokens of a generation that states no number. */
const DEFAULT_MAX_TOKENS = 512;

export const isIds = (prompt: unknown): boolean => Array.isArray(prompt) || ArrayBuffer.isView(prompt);

/** Whether what comes next goes on from text: a prompt of special tokens alone, or one that ends with one, adds none. */
export function endsWithText(tokenizer: Tokenizer, ids: readonly number[]): boolean {
  const last = ids[ids.length - 1];
  return Number.isInteger(last) && last >= 0 && last < tokenizer.vocabSize && tokenizer.pieceBytes(last).length > 0;
}

/**
 * Tokens to generate at most.
 * @param prompt ids that the session has not read
 * @throws {SessionError} `CONTEXT_OVERFLOW`
 */
export function checkMaxTokens(maxTokens: number | undefined, session: Session, prompt: number): number {
  const { overflow } = session;
  const room = session.contextLength - session.position - prompt + 1; // the last token is never read
  if (maxTokens === undefined) {
    if (room < 1 && overflow !== 'slide') throw overflowError(session, prompt, 1);
    return overflow === 'slide' ? DEFAULT_MAX_TOKENS : Math.min(DEFAULT_MAX_TOKENS, room);
  }
  if (maxTokens > room && overflow !== 'slide') throw overflowError(session, prompt, maxTokens);
  return maxTokens;
}

function overflowError(session: Session, prompt: number, tokens: number): SessionError {
  return new SessionError(
    'CONTEXT_OVERFLOW',
    `${session.position + prompt} tokens of prompt and ${tokens} to generate do not fit into a context of ` +
      `${session.contextLength}; open with a larger contextLength, or use overflow "slide"`,
    { mentions: ['contextLength', 'overflow'] },
  );
}
