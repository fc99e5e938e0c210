/**
 * Every command, in the order of the help, and which of them a command line means.
 * @module
 */
import { batch } from './batch.ts';
import { bench } from './bench.ts';
import { chat } from './chat.ts';
import { classify } from './classify.ts';
import { compareCommand } from './compare.ts';
import type { Command } from './command.ts';
import { convert } from './convert.ts';
import { distillCommand } from './distill.ts';
import { embed } from './embed.ts';
import { evalGlue } from './eval-glue.ts';
import { gateCommand } from './gate.ts';
import { historyCommand } from './history.ts';
import { inspect } from './inspect.ts';
import { logits } from './logits.ts';
import { perplexityCommand } from './perplexity.ts';
import { run } from './run.ts';
import { serve } from './serve.ts';
import { dashboardCommand } from './dashboard.ts';
import { modelsCommand, pullCommand, rmCommand } from './store.ts';
import { detokenize, tokenize } from './tokenize.ts';
import { webCommand } from './web.ts';

export const COMMANDS: readonly Command[] = [
  run,
  chat,
  logits,
  tokenize,
  detokenize,
  inspect,
  pullCommand,
  modelsCommand,
  rmCommand,
  perplexityCommand,
  classify,
  embed,
  batch,
  evalGlue,
  compareCommand,
  gateCommand,
  historyCommand,
  dashboardCommand,
  webCommand,
  convert,
  distillCommand,
  bench,
  serve,
];

/** What a command line names: a command, or why none. */
export type Chosen =
  | { readonly command: Command; readonly rest: readonly string[] }
  | {
    readonly command: null;
    /** What was named; undefined for nothing. */
    readonly words: string | undefined;
    /** The word that several commands begin with, where it was named. */
    readonly group: string | undefined;
    readonly expected: readonly string[];
  };

/** The command that `args` begin with; names have one word or two. */
export function chosenCommand(args: readonly string[]): Chosen {
  for (const length of [2, 1]) {
    const command = COMMANDS.find(({ spec }) => spec.name === args.slice(0, length).join(' '));
    if (command) return { command, rest: args.slice(length) };
  }
  const names = COMMANDS.map(({ spec }) => spec.name);
  const members = names.filter((name) => name.startsWith(`${args[0]} `));
  if (members.length === 0) return { command: null, words: args[0], group: undefined, expected: names };
  const second = args[1] === undefined || args[1].startsWith('-') ? '' : ` ${args[1]}`;
  return { command: null, words: args[0] + second, group: args[0], expected: members };
}
