/**
 * Structured output for loops of one's own, and formats that are prepared once for many answers.
 * @module
 */
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { formatOf } from '../structured/format.ts';
import type { Format, FormatOption } from '../structured/types.ts';

/**
 * Prepares a format for a vocabulary: what `generate` does with the option `format`, once for any number of answers. The first
 * format of a large vocabulary takes some hundred milliseconds; to have them behind oneself, prepare any.
 * @param of a model, or its tokenizer
 * @throws {FormatError} `FORMAT` for what an answer cannot be held to; `SCHEMA_LIMIT` for a schema or pattern that is too large
 * @example
 * const format = structured(model, { schema: { type: 'object', properties: { age: { type: 'integer' } }, required: ['age'] } });
 * const { text } = await model.complete('Ada is 36. As JSON: ', { format });
 */
export function structured(of: Tokenizer | { readonly tokenizer: Tokenizer }, format: FormatOption): Format {
  return formatOf('tokenizer' in of ? of.tokenizer : of, format);
}

export type { Format, FormatOption, FormatRun, JsonSchema } from '../structured/types.ts';
export { FormatError } from '../errors.ts';
