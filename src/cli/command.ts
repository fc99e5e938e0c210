/**
 * What every command is: a description and a body.
 * @module
 */
import { type CommandSpec, type OptionTable, parse, type Parsed, UsageError, type Values } from './args.ts';
import { spoken } from './flags.ts';
import type { Output } from './output.ts';

/** A command whose types are closed over. */
export interface Command {
  readonly spec: CommandSpec;
  /** Reads the arguments. @throws {UsageError} */
  prepare(
    args: readonly string[],
  ): { readonly json: boolean; readonly help: boolean; run(context: Context): Promise<number | void> };
}

/** What a body is given besides its values. */
export interface Context {
  readonly out: Output;
  /** Aborted by an interrupt. */
  readonly signal: AbortSignal;
  /** Whether models of a hub are used as they are stored; the option `--offline` of commands that take models. */
  readonly offline?: boolean;
}

/** Arguments of a body. */
export interface Arguments<T extends OptionTable> {
  readonly values: Values<T>;
  readonly positionals: readonly string[];
}

/** Ties a description to its body, which may return an exit code of its own. */
export function command<T extends OptionTable>(
  spec: CommandSpec<T>,
  body: (args: Arguments<T>, context: Context) => Promise<number | void>,
): Command {
  return {
    spec,
    prepare(args) {
      const parsed: Parsed<T> = parse(spec, args);
      const run = async (context: Context): Promise<number | void> => {
        try {
          return await body(parsed, { ...context, offline: (parsed.values as { offline?: unknown }).offline === true });
        } catch (error) {
          throw spoken(error, spec.options);
        }
      };
      return { json: parsed.json, help: parsed.help, run };
    },
  };
}

/** A value that the command cannot do without. @throws {UsageError} */
export function need<V>(value: V | undefined, option: string): V {
  if (value !== undefined) return value;
  throw new UsageError(`${option} is missing`);
}
