/**
 * Formats for a generation: the engine of structured output is a chunk of its own, loaded when the first one is asked for.
 * @module
 */
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { Format, FormatOption } from './types.ts';

/** @throws {FormatError} for a format that cannot be held to */
export async function preparedFormat(tokenizer: Tokenizer, format: FormatOption): Promise<Format> {
  if ('begin' in format) return format;
  const { formatOf } = await import('./format.ts');
  return formatOf(tokenizer, format);
}
