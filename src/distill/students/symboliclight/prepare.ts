/**
 * From texts to what a run reads: windows to learn from, and windows to measure on.
 * @module
 */
import type { Tokenizer } from '../../../tokenizer/tokenizer.ts';
import {
  concatenated,
  documentEnd,
  type DocumentEndRule,
  type DocumentRule,
  documentRule,
  documents,
  encodeDocuments,
  fixedWindows,
  splitHeldOut,
  Windows,
} from './data.ts';
import type { TrainSettings } from './settings.ts';

export interface TextOptions {
  /** Texts to learn from. The end of each is kept for measuring, unless `evalTexts` are given. */
  readonly texts: readonly string[];
  readonly evalTexts?: readonly string[];
  /** Share of each text that is kept for measuring; default 0.2. */
  readonly holdout?: number;
  /** How documents of the texts are told apart; default `marker` where `<|endoftext|>` occurs, else `whole`. */
  readonly documents?: DocumentRule;
  /** Which token ends them: the bos of the next (default), or an eos of their own. The student's file names it as eos. */
  readonly documentEnd?: DocumentEndRule;
}

export interface Prepared {
  readonly windows: Windows;
  readonly held: readonly Int32Array[];
  /** The text to measure on, as it is. */
  readonly heldText: string;
  readonly trainTokens: number;
  readonly heldTokens: number;
}

/**
 * Splits, tokenises and cuts into windows.
 * @param more a stream of ids to learn from besides the texts
 * @throws {OptionError} `OPTION` for too little text
 */
export function prepare(
  tokenizer: Tokenizer,
  { texts, evalTexts, holdout = 0.2, documents: rule, documentEnd: end }: TextOptions,
  more: Int32Array,
  { seq, evalWindows, batch, seed }: TrainSettings,
): Prepared {
  const parts = texts.map((text) => splitHeldOut(text, evalTexts ? 0 : holdout));
  const heldText = (evalTexts ?? parts.map(({ held }) => held)).join('\n');
  const eos = end === 'eos' ? documentEnd(tokenizer, end) : undefined;
  const encode = (text: string): Int32Array =>
    encodeDocuments(tokenizer, documents(text, rule ?? documentRule(text)), eos);
  const train = concatenated([...parts.map(({ train }) => encode(train)), more]);
  const held = encode(heldText);
  const bos = tokenizer.addBos ? tokenizer.specials.bos : undefined;
  return {
    windows: new Windows(train, seq, seed, bos),
    held: fixedWindows(held, seq, Math.max(evalWindows, batch), bos),
    heldText,
    trainTokens: train.length,
    heldTokens: held.length,
  };
}
