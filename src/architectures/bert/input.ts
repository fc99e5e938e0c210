/**
 * What callers give a BERT, checked: a text, a pair of texts or ids → ids, and the segment of each.
 * @module
 */
import { OptionError, SessionError, TokenizerError } from '../../errors.ts';
import { wrongValue } from '../../options.ts';
import type { ClassifyIds, ClassifyInput } from '../../forward/classifier.ts';
import { encodeSegments } from '../../tokenizer/bert-pair.ts';
import { encodeLong } from '../../tokenizer/long-text.ts';
import type { Tokenizer } from '../../tokenizer/tokenizer.ts';
import type { BertDescription } from './description.ts';

/** A text as a pass reads it. */
export interface BertInput {
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
}

/**
 * @param maxLength cut texts to this many tokens @param breathe awaited between two pieces of a long text
 * @throws {OptionError} for an input or a `maxLength` of another kind; {TokenizerError} `TOKENIZER_MISSING`, `TEXT_TOO_LONG`
 * @throws {SessionError} `CONTEXT_OVERFLOW` for more tokens than the model has positions, `TOKEN` for ids or segments it has not
 */
export async function bertInput(
  d: BertDescription,
  tokenizer: Tokenizer | null,
  input: ClassifyInput,
  maxLength: number | undefined,
  breathe: () => Promise<void>,
): Promise<BertInput> {
  const texts: readonly unknown[] | null = typeof input === 'string' ? [input] : Array.isArray(input) ? input : null;
  if (!texts) return checked(d, given(input as ClassifyIds | null | undefined));
  if (texts.length < 1 || texts.length > 2) {
    throw new OptionError('OPTION', `the input is an array of ${texts.length}, expected a text or a pair of texts`);
  }
  for (const text of texts) {
    if (typeof text !== 'string') throw new OptionError('OPTION', `a text is ${kindOf(text)}, expected a string`);
  }
  if (!tokenizer) {
    throw new TokenizerError(
      'TOKENIZER_MISSING',
      'this model contains no vocabulary; pass its vocab.txt by the option tokenizer, or pass ids',
      { mentions: ['tokenizer', 'ids'] },
    );
  }
  if (maxLength !== undefined && maxLength > d.trainedContext) {
    throw wrongValue('maxLength', maxLength, `at most the ${d.trainedContext} positions of the model`);
  }
  const [first, second] = texts as string[];
  if (!second) return checked(d, await single(d, tokenizer, first, maxLength, breathe));
  const { ids, typeIds } = encodeSegments(tokenizer, first, second, maxLength, d.separators);
  // a model without segments tells texts apart by their separator alone
  return checked(d, { ids, typeIds: d.segments > 1 ? typeIds : typeIds.map(() => 0) });
}

function given(input: Partial<ClassifyIds> | null | undefined): BertInput {
  const { ids, typeIds, mask } = input ?? {};
  if (!Array.isArray(ids)) {
    throw new OptionError('OPTION', 'the input is neither a text, nor a pair of texts, nor { ids }');
  }
  for (const [name, list] of Object.entries({ typeIds: typeIds ?? ids, mask: mask ?? ids })) {
    if (Array.isArray(list) && list.length === ids.length) continue;
    throw new OptionError(
      'OPTION',
      `${name} is ${kindOf(list)}${
        Array.isArray(list) ? ` of ${list.length}` : ''
      }, expected an array of ${ids.length}`,
      { option: name },
    );
  }
  // padding that no token sees changes nothing
  const length = mask ? mask.lastIndexOf(1) + 1 : ids.length;
  if (mask && !(length > 0 && mask.every((bit, t) => bit === (t < length ? 1 : 0)))) {
    throw new OptionError('OPTION', 'mask is not a run of ones and then zeros: padding comes after the tokens', {
      option: 'mask',
    });
  }
  return { ids: ids.slice(0, length), typeIds: typeIds?.slice(0, length) ?? new Array<number>(length).fill(0) };
}

/** `[CLS] text [SEP]`; special tokens that the text spells are read as such, as transformers does. */
async function single(
  d: BertDescription,
  tokenizer: Tokenizer,
  text: string,
  maxLength: number | undefined,
  breathe: () => Promise<void>,
): Promise<BertInput> {
  if (maxLength !== undefined && (!Number.isInteger(maxLength) || maxLength < 3)) {
    throw wrongValue('maxLength', maxLength, 'a whole number of at least 3');
  }
  const ids = await encodeLong(tokenizer, text, (maxLength ?? d.trainedContext) + 1, breathe);
  if (maxLength !== undefined && ids.length > maxLength) ids.splice(maxLength - 1, ids.length - maxLength);
  return { ids, typeIds: new Array<number>(ids.length).fill(0) };
}

function checked({ vocab, segments, trainedContext }: BertDescription, input: BertInput): BertInput {
  const { ids, typeIds } = input;
  if (ids.length === 0) throw new SessionError('TOKEN', 'there are no ids; a text has at least [CLS] [SEP]');
  if (ids.length > trainedContext) {
    throw new SessionError(
      'CONTEXT_OVERFLOW',
      `the text has ${ids.length} tokens or more, the model ${trainedContext} positions; shorten it, or pass maxLength`,
      { mentions: ['maxLength'] },
    );
  }
  const within = (id: number, end: number): boolean => Number.isInteger(id) && id >= 0 && id < end;
  for (let t = 0; t < ids.length; t++) {
    if (!within(ids[t], vocab)) {
      throw new SessionError('TOKEN', `id ${String(ids[t])} at ${t} is not one of the ${vocab} of the vocabulary`);
    }
    if (!within(typeIds[t], segments)) {
      throw new SessionError('TOKEN', `segment ${String(typeIds[t])} at ${t} is not one of ${segments}`);
    }
  }
  return input;
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
}
