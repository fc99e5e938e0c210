/**
 * Formats for a generation: the engine of structured output is loaded when the first one is asked for.
 * @module
 */
import { OptionError } from '../errors.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { Format, FormatOption } from './types.ts';

/** @throws {OptionError} for a format that cannot be held to */
export async function preparedFormat(tokenizer: Tokenizer | null, format: FormatOption): Promise<Format> {
  if ('begin' in format) return format;
  void tokenizer;
  throw new OptionError('OPTION', 'format is not prepared');
}
