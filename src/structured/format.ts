/**
 * Formats over the tokens of a vocabulary.
 * @module
 */
import { FormatError, SessionError } from '../errors.ts';
import { MAX_FORMAT_CHARS, MAX_FORMAT_SPACES } from '../limits.ts';
import { shown } from '../options.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import {
  bounded,
  compileJsonSchema,
  compileRegex,
  createTokenConstraint,
  type Machine,
  type MachineFormat,
  type TokenBytes,
  type TokenConstraint,
} from './engine.ts';
import { beginning, type CallForm, callMachine, choiceMachine } from './machines.ts';
import { simplified } from './schema.ts';
import type { Format, FormatOption, FormatRun } from './types.ts';

/** What a vocabulary is to formats. */
interface Vocabulary extends TokenBytes {
  readonly stop: readonly number[];
  /** Whether a text leaves out the space that its first piece begins with. */
  readonly stripsSpace: boolean;
  readonly longest: number;
}

const vocabularies = new WeakMap<Tokenizer, Vocabulary>();

/** Bytes of every piece. The end of an answer is one id more than there are: a vocabulary has several end tokens, or none. */
function vocabularyOf(tokenizer: Tokenizer): Vocabulary {
  const known = vocabularies.get(tokenizer);
  if (known) return known;
  const { vocabSize, specials } = tokenizer;
  const { bos, eos, unk, pad, stop } = specials;
  const special = new Set([bos, eos, unk, pad, ...stop].filter((id) => id !== undefined));
  const tokens: Uint8Array[] = [];
  let longest = 0;
  for (let id = 0; id < vocabSize; id++) {
    const bytes = tokenizer.pieceBytes(id);
    if (bytes.length === 0) special.add(id);
    longest = Math.max(longest, bytes.length);
    tokens.push(bytes);
  }
  const spaced = tokens.findIndex((bytes, id) =>
    bytes.length > 1 && bytes[0] === 0x20 && bytes[1] < 0x80 && !special.has(id)
  );
  const made: Vocabulary = {
    tokens: [...tokens, new Uint8Array(0)],
    eosTokenId: vocabSize,
    specialTokenIds: [...special, vocabSize],
    stop,
    stripsSpace: spaced >= 0 && !tokenizer.stream().push(spaced).startsWith(' '),
    longest,
  };
  vocabularies.set(tokenizer, made);
  return made;
}

/** Machines by what they are kept by: their masks are made once for all answers. */
function machineOf(option: Exclude<FormatOption, Format>, longest: number): MachineFormat {
  const text = (name: string, value: unknown): string => {
    if (typeof value !== 'string') throw new FormatError('FORMAT', `${name} is ${shown(value)}, expected a string`);
    if (value.length <= MAX_FORMAT_CHARS) return value;
    throw new FormatError(
      'SCHEMA_LIMIT',
      `${name} has ${value.length} characters, at most ${MAX_FORMAT_CHARS} are accepted`,
    );
  };
  if ('regex' in option) {
    const regex = text('regex', option.regex);
    return { type: 'regex', regex, machine: bounded('the pattern', () => compileRegex(regex)) };
  }
  if ('choice' in option) {
    if (!Array.isArray(option.choice)) {
      throw new FormatError('FORMAT', `choice is ${shown(option.choice)}, expected an array`);
    }
    return { type: 'regex', regex: `\0choice${JSON.stringify(option.choice)}`, machine: choiceMachine(option.choice) };
  }
  if (!('schema' in option) && !('json' in option && option.json === true)) {
    throw new FormatError('FORMAT', 'format has none of json: true, schema, regex, choice', { mentions: ['format'] });
  }
  return schemaMachine('schema' in option ? option.schema : { type: 'object' }, longest);
}

function schemaMachine(given: unknown, longest: number): MachineFormat {
  const schema = simplified(given as boolean);
  // true is a schema as any other, but masks are kept by an object
  const json_schema = schema === true ? {} : schema === false ? { type: [] } : schema;
  return {
    type: 'json_schema',
    json_schema,
    machine: bounded('the schema', () => compileJsonSchema(json_schema, longest)),
  };
}

/** @throws {FormatError} `FORMAT` for one that an answer cannot be held to; `SCHEMA_LIMIT` beyond the limits */
export function formatOf(tokenizer: Tokenizer, option: FormatOption): Format {
  if ('begin' in option) return option;
  const vocabulary = vocabularyOf(tokenizer);
  return over(vocabulary, machineOf(option, vocabulary.longest));
}

/** A tool, and what is written around the arguments of a call of it. */
export interface ToolForm extends Omit<CallForm, 'arguments'> {
  readonly parameters: unknown;
}

/** One call of one of some tools, with arguments that are valid by its schema. @throws as `formatOf` */
export function callFormat(tokenizer: Tokenizer, tools: readonly ToolForm[]): Format {
  const vocabulary = vocabularyOf(tokenizer);
  const forms = tools.map(({ parameters, ...form }): CallForm => ({
    ...form,
    arguments: schemaMachine(parameters, vocabulary.longest).machine,
  }));
  return over(vocabulary, { type: 'json_schema', json_schema: {}, machine: callMachine(forms) as Machine });
}

function over(vocabulary: Vocabulary, format: MachineFormat): Format {
  const document = format.type === 'json_schema';
  const begun = (strips: boolean): MachineFormat => {
    const machine = beginning(format.machine, strips, document) as Machine;
    return document ? { ...format, machine } : { ...format, regex: `\0${strips}${format.regex}`, machine };
  };
  const [joined, apart] = [begun(false), begun(vocabulary.stripsSpace)];
  return {
    begin: (options) =>
      new Run(
        vocabulary,
        bounded('the format', () => createTokenConstraint(vocabulary, options?.joined ? joined : apart)),
      ),
  };
}

class Run implements FormatRun {
  readonly #vocabulary: Vocabulary;
  readonly #constraint: TokenConstraint;
  /** One bit more than the vocabulary has ids: the end. */
  readonly #bits: Uint32Array;
  #made = false;
  #complete = false;
  #spaces: Uint32Array | null = null;

  constructor(vocabulary: Vocabulary, constraint: TokenConstraint) {
    this.#vocabulary = vocabulary;
    this.#constraint = constraint;
    this.#bits = new Uint32Array(Math.ceil(vocabulary.tokens.length / 32));
  }

  mask(): Uint32Array {
    if (this.#made) return this.#bits;
    const bits = this.#bits;
    const { eosTokenId: end, stop } = this.#vocabulary;
    const found = bounded('a token of the format', () => this.#constraint.fillMask(bits));
    const word = end >>> 5;
    const ends = (bits[word] & (1 << (end & 31))) !== 0;
    bits[word] &= ~(1 << (end & 31));
    const spaces = this.#whiteSpace();
    this.#complete = ends && bits.every((allowed, i) => (allowed & ~spaces[i]) === 0);
    const repeated = this.#constraint.repeatedWhitespace();
    // after the end of a document nothing but white space could come, and without an end
    if (this.#complete || (repeated && repeated.count >= MAX_FORMAT_SPACES)) {
      for (let i = 0; i < bits.length; i++) bits[i] &= ~spaces[i];
    }
    if (!found || (!ends && bits.every((allowed) => allowed === 0))) {
      throw new SessionError(
        'NO_CANDIDATE',
        'no token of this vocabulary goes on as the format asks; its keywords contradict one another, or pieces for it are missing',
      );
    }
    if (ends) { for (const id of stop) bits[id >>> 5] |= 1 << (id & 31); }
    this.#made = true;
    return bits;
  }

  accept(id: number): void {
    const { stop, tokens } = this.#vocabulary;
    if (stop.includes(id)) return;
    try {
      if (id >= tokens.length - 1) throw new Error('it is not in the vocabulary');
      bounded('a token of the format', () => this.#constraint.commit(id));
    } catch (cause) {
      if (cause instanceof FormatError && cause.code === 'SCHEMA_LIMIT') throw cause;
      throw new SessionError('TOKEN', `token ${id} does not go on as the format asks`, { cause });
    }
    this.#made = false;
  }

  get complete(): boolean {
    this.mask();
    return this.#complete;
  }

  #whiteSpace(): Uint32Array {
    if (this.#spaces) return this.#spaces;
    let spaces = whiteSpaces.get(this.#vocabulary);
    if (!spaces) {
      spaces = new Uint32Array(this.#bits.length);
      for (const [id, bytes] of this.#vocabulary.tokens.entries()) {
        if (bytes.length > 0 && bytes.every((byte) => [9, 10, 13, 32].includes(byte))) {
          spaces[id >>> 5] |= 1 << (id & 31);
        }
      }
      whiteSpaces.set(this.#vocabulary, spaces);
    }
    return (this.#spaces = spaces);
  }
}

/** The ids of white space of each vocabulary, as a mask. */
const whiteSpaces = new WeakMap<Vocabulary, Uint32Array>();
