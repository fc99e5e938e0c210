/**
 * Options of a conversion, checked.
 * @module
 */
import { OptionError } from '../errors.ts';
import { ANY, CALL, OBJECT, oneOf, type Rules, SIGNAL, wrongValue } from '../options.ts';
import type { ConvertOptions, ConvertType } from './types.ts';

/** Spellings of every type that some architecture can be converted to. */
export const CONVERT_TYPES: readonly ConvertType[] = ['f32', 'f16', 'i8', 'q8_0', 'q4_0', 'tq2_0', 'tq1_0', 'q1_0'];

/** Which values are right; an architecture says which types it has. */
export const CONVERT_RULES: Rules<ConvertOptions> = {
  type: ANY,
  head: ANY,
  embedding: ANY,
  scale: oneOf('tensor', 'row'),
  ternary: oneOf('absmean', 'spikelm'),
  config: ANY,
  classifier: OBJECT,
  metadata: OBJECT,
  signal: SIGNAL,
  onProgress: CALL,
};

/** Types of models that do not spike, and their spellings. */
export type GgufType = Exclude<ConvertType, 'i8' | 'q1_0'>;
export const GGUF_TYPES: readonly GgufType[] = ['f32', 'f16', 'q8_0', 'q4_0', 'tq2_0', 'tq1_0'];

/** Those that models that spike can be converted to. */
export const SPIKING_TYPES: readonly ConvertType[] = CONVERT_TYPES.filter((type) => type !== 'q4_0');

/** @throws {OptionError} `OPTION` for a type that is not one of `known` */
export function checkTypes({ type, head, embedding }: ConvertOptions, known: readonly ConvertType[]): void {
  for (const [name, value] of Object.entries({ type, head, embedding })) {
    if (value === undefined ? name !== 'type' : known.includes(value)) continue;
    throw wrongValue(name, value, `one of ${known.join(', ')}`);
  }
}

/** @throws {OptionError} `OPTION` for an option that means nothing to the architecture of the file */
export function refuseOptions(options: ConvertOptions, names: readonly (keyof ConvertOptions)[]): void {
  for (const name of names) {
    if (options[name] === undefined) continue;
    throw new OptionError('OPTION', `${name} is for models of another architecture than this file's; leave it out`, {
      mentions: [name],
    });
  }
}
