/**
 * Options that hold an answer to a format.
 * @module
 */
import { MAX_LOGPROBS } from '../limits.ts';
import type { FormatOption, JsonSchema } from '../structured/types.ts';
import { type OptionSpec, UsageError, type Values } from './args.ts';
import { readText } from './files.ts';

type Of<K extends OptionSpec['kind']> = OptionSpec & { readonly kind: K };

/** A schema of the most schemas and values that are accepted takes far less. */
const MAX_SCHEMA_BYTES = 16 << 20;

export const FORMAT_OPTIONS: {
  readonly 'json-schema': Of<'text'>;
  readonly 'json-object': Of<'flag'>;
  readonly regex: Of<'text'>;
  readonly choice: Of<'text'> & { readonly repeatable: true };
  readonly logprobs: Of<'integer'>;
} = {
  'json-schema': { kind: 'text', value: 'FILE', help: 'the answer is JSON that is valid by this JSON Schema' },
  'json-object': { kind: 'flag', help: 'the answer is a JSON object' },
  regex: { kind: 'text', value: 'PATTERN', help: 'the answer matches this, from beginning to end' },
  choice: { kind: 'text', value: 'TEXT', repeatable: true, help: 'the answer is one of these; repeatable' },
  logprobs: {
    kind: 'integer',
    least: 0,
    help: `how likely each token was, and so many others, at most ${MAX_LOGPROBS}; with --json`,
  },
};

/** The format that was asked for. @throws {UsageError} for several, or a file that is no JSON */
export async function formatOption(
  values: Values<Omit<typeof FORMAT_OPTIONS, 'logprobs'>>,
  signal: AbortSignal,
): Promise<FormatOption | undefined> {
  const { 'json-schema': file, 'json-object': json, regex, choice } = values;
  const given = [file, json, regex, choice].filter((value) => value !== undefined);
  if (given.length > 1) throw new UsageError('give one of --json-schema, --json-object, --regex and --choice');
  if (file !== undefined) return { schema: parsed(await readText(file, MAX_SCHEMA_BYTES, signal), file) };
  if (json) return { json: true };
  if (regex !== undefined) return { regex };
  return choice && { choice };
}

function parsed(text: string, file: string): JsonSchema {
  try {
    return JSON.parse(text) as JsonSchema;
  } catch (error) {
    throw new UsageError(`--json-schema: ${file} is no JSON: ${(error as Error).message}`);
  }
}
