#!/usr/bin/env node
/**
 * The command line. Exit codes: 0 success, 2 wrong usage, 1 any refusal, 3 a regression, 4 a changed golden item, 130 interrupted.
 * @module
 */
import process from 'node:process';
import { TernspikeError } from '../errors.ts';
import { nearest } from '../options.ts';
import { columns, commandHelp, UsageError } from './args.ts';
import { chosenCommand, COMMANDS } from './commands.ts';
import { oneLine, processOutput } from './output.ts';
import { ClosedPipe, stdio } from './stdio.ts';
import { version } from './package-folder.ts';

/** Exit code of a process that was interrupted: 128 + SIGINT. */
const INTERRUPTED = 130;

async function main(args: readonly string[]): Promise<number> {
  const [name] = args;
  const plain = processOutput(false);
  if (name === '--version' || name === '-v') {
    await plain.text(`${version()}\n`);
    return 0;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    await plain.text(helpAbout(args.slice(1)));
    return 0;
  }
  const chosen = chosenCommand(args);
  const { command } = chosen;
  if (!command) {
    const { words, group, expected } = chosen;
    if (group !== undefined && args.some((arg) => arg === '--help' || arg === '-h')) {
      await plain.text(helpAbout([group]));
      return 0;
    }
    const what = words === undefined
      ? 'no command is given'
      : words === group
      ? `${group} has commands of its own`
      : `unknown command ${JSON.stringify(oneLine(words, 60))}`;
    const near = words === undefined || words === group ? undefined : nearest(words, expected);
    if (near !== undefined) throw new UsageError(`${what}; did you mean ${near}?`);
    const text = name?.includes(' ') ? '; ternspike run "TEXT" continues a text' : '';
    throw new UsageError(`${what}, expected one of ${expected.join(', ')}${text}`);
  }
  const prepared = command.prepare(chosen.rest);
  if (prepared.help) {
    await plain.text(commandHelp(command.spec));
    return 0;
  }
  const out = processOutput(prepared.json);
  return await (command.spec.ownInterrupts ? uninterrupted : interruptible)(async (signal) => {
    try {
      return await prepared.run({ out, signal });
    } catch (error) {
      if (signal.aborted) out.note('interrupted');
      throw error;
    } finally {
      out.progress('');
    }
  });
}

/** Runs a command that looks after interrupts itself. */
async function uninterrupted(body: (signal: AbortSignal) => Promise<number | void>): Promise<number> {
  return await body(new AbortController().signal) ?? 0;
}

/** Runs with a signal that the first interrupt aborts; the second one ends the process at once. */
async function interruptible(body: (signal: AbortSignal) => Promise<number | void>): Promise<number> {
  const controller = new AbortController();
  const onInterrupt = (): void => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    controller.abort();
  };
  process.on('SIGINT', onInterrupt);
  let code: number | void = 0;
  try {
    code = await body(controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) throw error;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
  return controller.signal.aborted ? INTERRUPTED : code ?? 0;
}

/** Help about a command, about those that begin with a word, or about all. */
function helpAbout(words: readonly string[]): string {
  const chosen = chosenCommand(words);
  if (chosen.command) return commandHelp(chosen.command.spec);
  if (chosen.group === undefined) return overallHelp();
  const { group, expected } = chosen;
  const members = COMMANDS.filter(({ spec }) => expected.includes(spec.name));
  return [
    `ternspike ${group} COMMAND [OPTIONS]`,
    '',
    ...columns(members.map(({ spec }) => [spec.name, spec.summary] as const)),
    '',
    `ternspike ${expected[0]} --help explains a command.`,
    '',
  ].join('\n');
}

function overallHelp(): string {
  return [
    `ternspike ${version()}: runs 1-bit, 1.58-bit and other small language models`,
    '',
    'ternspike COMMAND [OPTIONS]',
    '',
    ...columns(COMMANDS.map(({ spec }) => [spec.name, spec.summary] as const)),
    '',
    'ternspike COMMAND --help explains a command; --version prints the version.',
    'Every command takes --json, and - instead of a text reads stdin.',
    'Exit codes: 0 success, 1 refusal, 2 wrong usage, 130 interrupted; of gates also 3 regression, 4 golden item changed.',
    'TERNSPIKE_DEBUG=1 prints the stack of a refusal.',
    '',
    'Example:',
    '  ternspike run "Once upon a time"',
    '',
  ].join('\n');
}

/** One line on stderr; the exit code. */
function report(error: unknown, args: readonly string[]): number {
  const usage = error instanceof UsageError;
  const message = error instanceof Error ? error.message : String(error);
  const chosen = chosenCommand(args);
  const known = chosen.command ? chosen.command.spec.name : chosen.group;
  const line = usage
    ? `USAGE: ${message}; see ternspike ${known === undefined ? '' : `${known} `}--help`
    : error instanceof TernspikeError
    ? message
    : `INTERNAL: ${message}; this is a fault of ternspike, run again with TERNSPIKE_DEBUG=1 and report it`;
  const lines = [`ternspike: ${oneLine(line, 2000)}`];
  if (process.env.TERNSPIKE_DEBUG === '1') {
    for (let at: unknown = error; at instanceof Error; at = at.cause) lines.push(at.stack ?? at.message);
  }
  try {
    stdio(2).writeNow(`${lines.join('\n')}\n`);
  } catch {
    // the exit code is all that can still be said
  }
  return usage ? 2 : 1;
}

const args = process.argv.slice(2);
// not process.exit(): what was written is still on its way
try {
  process.exitCode = await main(args);
} catch (error) {
  // who reads no further, as in `ternspike … | head`, has what was wanted
  if (error instanceof ClosedPipe) process.exit(process.exitCode ?? 0);
  process.exitCode = report(error, args);
}
