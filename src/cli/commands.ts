/**
 * Every command, in the order of the help.
 * @module
 */
import { bench } from './bench.ts';
import type { Command } from './command.ts';
import { convert } from './convert.ts';
import { inspect } from './inspect.ts';
import { logits } from './logits.ts';
import { perplexityCommand } from './perplexity.ts';
import { run } from './run.ts';
import { detokenize, tokenize } from './tokenize.ts';

export const COMMANDS: readonly Command[] = [
  run,
  logits,
  tokenize,
  detokenize,
  inspect,
  perplexityCommand,
  convert,
  bench,
];
