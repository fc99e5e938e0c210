/**
 * The part of `@huggingface/jinja` that is used here, with its types: the library's own declarations do not resolve under
 * Node's rules for modules.
 * @module
 */
import {
  Environment as LibraryEnvironment,
  Interpreter as LibraryInterpreter,
  parse,
  tokenize,
} from '@huggingface/jinja';

/** A lexical token of a template. */
export interface Token {
  readonly type: string;
  readonly value: string;
}

/** A node of the syntax tree. */
export interface Node {
  readonly type: string;
}

/** A value within a template; `value` is plain data, a list or map of values, or a function. */
export interface Value {
  readonly type: string;
  readonly value: unknown;
  readonly builtins: ReadonlyMap<string, Value>;
}

/** A function within a template. */
export type NativeFunction = (args: Value[], scope: Environment) => Value;

/** The variables of a scope. */
export interface Environment {
  readonly parent?: Environment;
  readonly variables: Map<string, Value>;
  set(name: string, value: unknown): Value;
}

interface Interpreter {
  run(program: Node): Value;
  evaluate(statement: Node | undefined, environment: Environment): Value;
}

interface Library {
  readonly tokenize: (source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }) => Token[];
  readonly parse: (tokens: Token[]) => Node;
  readonly Environment: new () => Environment;
  readonly Interpreter: new (environment: Environment) => Interpreter;
}

/** The library, typed. */
export const jinja: Library = {
  tokenize,
  parse,
  Environment: LibraryEnvironment,
  Interpreter: LibraryInterpreter,
} as unknown as Library;
