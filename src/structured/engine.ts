/**
 * The engine of structured output: automata over bytes, and the tokens that may follow in them. It is that of
 * @huggingface/transformers-structured-output, which scripts/structured.mjs turns into a module.
 * @module
 */
import { FormatError } from '../errors.ts';
import { MAX_FORMAT_MS, MAX_FORMAT_STEPS } from '../limits.ts';
import { engine } from './engine.generated.ts';

/** An automaton over bytes. States are values of its own. */
export interface Machine<State = unknown> {
  readonly initial: State;
  transition(state: State, byte: number): State;
  /** Whether an end can be reached, as far as it knows. */
  viable(state: State): boolean;
  accepting(state: State): boolean;
  /** In a text of JSON: characters that may still follow, or undefined elsewhere. */
  stringCapacity?(state: State): number | undefined;
  /** Equal keys have equal masks; undefined where none is known. */
  maskKey?(state: State): string | undefined;
}

/** Bytes of every token. */
export interface TokenBytes {
  readonly tokens: readonly Uint8Array[];
  readonly eosTokenId: number;
  readonly specialTokenIds: readonly number[];
}

/** A machine, with what its masks are kept by. */
export type MachineFormat =
  | { readonly machine: Machine; readonly type: 'json_schema'; readonly json_schema: object }
  | { readonly machine: Machine; readonly type: 'regex'; readonly regex: string };

/** One answer. */
export interface TokenConstraint {
  fillMask(target: Uint32Array): boolean;
  commit(id: number): boolean;
  repeatedWhitespace(): { readonly tokenIds: readonly number[]; readonly count: number } | undefined;
}

/** What the package does. */
export interface Engine {
  createTokenConstraint(source: TokenBytes, format: MachineFormat): TokenConstraint;
  compileJsonSchema(schema: unknown, clamp?: number): Machine;
  compileRegex(source: string): Machine;
  readonly budget: { left: number; end: number };
}

export const createTokenConstraint: Engine['createTokenConstraint'] = engine.createTokenConstraint;
export const compileJsonSchema: Engine['compileJsonSchema'] = engine.compileJsonSchema;
export const compileRegex: Engine['compileRegex'] = engine.compileRegex;

/**
 * Runs a piece of work that a hostile schema may make long.
 * @param what is done, for the error
 * @throws {FormatError} `SCHEMA_LIMIT` beyond the limits of steps and time; `FORMAT` for what the engine does not know
 */
export function bounded<T>(what: string, work: () => T): T {
  const { budget } = engine;
  budget.left = MAX_FORMAT_STEPS;
  budget.end = performance.now() + MAX_FORMAT_MS;
  try {
    return work();
  } catch (cause) {
    if (cause instanceof RangeError) {
      const bound = `${MAX_FORMAT_STEPS} steps or ${MAX_FORMAT_MS} ms`;
      throw new FormatError('SCHEMA_LIMIT', `${what} takes more than ${bound}; make the format simpler`, { cause });
    }
    if (cause instanceof TypeError || cause instanceof SyntaxError) {
      throw new FormatError('FORMAT', cause.message, { cause });
    }
    throw cause;
  }
}
