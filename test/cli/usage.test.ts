/** What is said before anything is opened: help, version, wrong usage. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commandHelp, type CommandSpec, parse, UsageError } from '../../src/cli/args.ts';
import type { Command } from '../../src/cli/command.ts';
import { chosenCommand, COMMANDS } from '../../src/cli/commands.ts';
import type { Output } from '../../src/cli/output.ts';
import { checkout } from '../house/checkout.ts';
import { commandLine } from '../docs/examples.ts';
import { refused, ternspike } from './cli.ts';

const usage = suite('cli usage');

const SPEC = {
  name: 'try',
  summary: 'Tries.',
  positionals: [{ name: 'FIRST' }, { name: 'SECOND', optional: true }],
  options: {
    flag: { kind: 'flag', short: 'f', help: 'a flag' },
    text: { kind: 'text', help: 'a text' },
    count: { kind: 'integer', short: 'n', least: 1, help: 'a count' },
    number: { kind: 'number', help: 'a number' },
    one: { kind: 'choice', choices: ['a', 'b'], help: 'a choice' },
    ids: { kind: 'ids', help: 'ids' },
    many: { kind: 'text', repeatable: true, help: 'texts' },
    on: { kind: 'switch', help: 'a switch' },
  },
  examples: ['ternspike try this'],
} as const satisfies CommandSpec;

const read = (...args: string[]): Record<string, unknown> => ({ ...parse(SPEC, ['x', ...args]).values });
const wrong = (args: string[], ...words: string[]): void => {
  assert.throws(() => parse(SPEC, args), (error: unknown) => {
    assert.instance(error, UsageError);
    for (const word of words) {
      assert.ok((error as Error).message.includes(word), `${(error as Error).message} lacks ${word}`);
    }
    return true;
  });
};

usage('options become values of their kinds', () => {
  assert.equal(read(), {});
  assert.equal(read('-f', '--text', 'a b', '-n', '3', '--number', '0.5', '--one', 'b'), {
    flag: true,
    text: 'a b',
    count: 3,
    number: 0.5,
    one: 'b',
  });
  assert.equal(read('-n12', '--number=-1e3'), { count: 12, number: -1000 });
  assert.equal(read('--number', '-2'), { number: -2 });
  assert.equal(read('--ids', '1,2, 3'), { ids: [1, 2, 3] });
  assert.equal(read('--ids', ''), { ids: [] });
  assert.equal(read('--many', 'a', '--many', 'b'), { many: ['a', 'b'] });
  assert.equal([read('--on'), read('--no-on')], [{ on: true }, { on: false }]);
});

usage('positionals are what is left, and everything behind --', () => {
  assert.equal(parse(SPEC, ['a', '-f', 'b']).positionals, ['a', 'b']);
  assert.equal(parse(SPEC, ['--', '--text', '-1']).positionals, ['--text', '-1']);
  assert.equal(parse(SPEC, ['-']).positionals, ['-']);
  wrong([], 'FIRST');
  wrong(['a', 'b', 'c'], '"c"');
  assert.is(parse(SPEC, ['--help']).help, true);
  assert.is(parse(SPEC, ['a', '--json']).json, true);
});

usage('malformed values are refused with the option, the value and what is expected', () => {
  wrong(['x', '-n', '0'], '--count', '"0"', 'from 1 on');
  wrong(['x', '-n', '1.5'], '--count', 'whole');
  wrong(['x', '-n', ''], '--count');
  wrong(['x', '--number', 'many'], '--number', '"many"');
  wrong(['x', '--number', 'Infinity'], '--number');
  wrong(['x', '--one', 'c'], '--one', '"c"', 'a, b');
  wrong(['x', '--ids', '1,b'], '--ids', 'element 1', '"b"');
  wrong(['x', '--ids', '-1'], '--ids');
  wrong(['x', '--text'], '--text');
  wrong(['x', '--text', 'a', '--text', 'b'], '--text', '2 times');
  wrong(['x', '--nothing'], '--nothing');
  wrong(['x', '--conut', '1'], '--conut', 'did you mean --count?');
  wrong(['x', '--flag=1'], '--flag');
  wrong(['x', '--on', '--no-on'], '--on or --no-on');
  wrong(['x', '--no-flag'], '--no-flag');
  wrong(['x', '--no-on=1'], '--no-on');
});

usage('help breaks long lines between words, beside what they explain', () => {
  const long = Array.from({ length: 40 }, (_, i) => `word${i}`).join(' ');
  const options = {
    text: { kind: 'text', help: long },
    'a-name-that-takes-the-whole-column': { kind: 'flag', help: 'b' },
  };
  const help = commandHelp({ ...SPEC, options: options as CommandSpec['options'], notes: [long] });
  for (const line of help.split('\n')) assert.ok(line.length <= 80 && line === line.trimEnd(), line);
  const wide = commandHelp({ ...SPEC, notes: [long] }, 120).split('\n');
  assert.ok(wide.every((line) => line.length <= 120) && wide.some((line) => line.length > 100));
  assert.is(help.replace(/\s+/g, ' ').split(long).length, 3);
  assert.match(help, /^ {6}--text TEXT {21}word0 .*\n {38}word\d+ .*$/m);
  assert.match(help, /^ {6}--a-name-that-takes-the-whole-column\n {38}b$/m);
});

usage('help lists every option and example', () => {
  const help = commandHelp(SPEC);
  for (
    const words of [
      'try FIRST [SECOND]',
      '-f, --flag',
      '--one a|b',
      '--ids IDS',
      '(repeatable)',
      '--[no-]on ',
      '-h, --help',
      'ternspike try this',
    ]
  ) {
    assert.ok(help.includes(words), words);
  }
});

usage('--version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(checkout(), 'package.json'), 'utf8')) as { version: string };
  assert.equal(await ternspike(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
});

usage('--help names every command, and every command has help with options and examples', async () => {
  const overall = await ternspike(['--help']);
  assert.is(overall.code, 0);
  for (const { spec } of COMMANDS) {
    const help = commandHelp(spec);
    assert.match(overall.stdout, new RegExp(`^  ${spec.name} `, 'm'));
    assert.match(help, new RegExp(`^ternspike ${spec.name} `));
    assert.match(help, /^Options:$/m);
    assert.match(help, new RegExp(`^ {2}ternspike ${spec.name} `, 'm'));
    for (const line of help.split('\n')) assert.ok(line.length <= 80, line);
  }
  const ways = await Promise.all([
    ternspike(['run', '--help']),
    ternspike(['help', 'run']),
    ternspike(['run', 'a', '-h']),
  ]);
  for (const ran of ways) assert.equal(ran, { code: 0, stdout: commandHelp(COMMANDS[0].spec), stderr: '' });
});

usage('the help of run names the defaults of every kind of model', () => {
  const help = commandHelp(COMMANDS[0].spec, 200);
  for (
    const line of [
      /--temp X .*; default 0\.8$/m,
      /--\[no-\]temperature-first .*; default off; SymbolicLight on$/m,
      / adapt the temperature to the entropy; default off; SymbolicLight warm \(0\.8B\), cool \(194M\)$/m,
      /--top-k N .*; default 40; SymbolicLight 50$/m,
      /--top-p X .*; default 0\.95; SymbolicLight 0\.9 \(0\.8B\), 1 \(194M\)$/m,
      /--min-p X .*; default 0\.05; SymbolicLight 0$/m,
      /--repeat-last-n N .*; default 64; SymbolicLight -1$/m,
    ]
  ) assert.match(help, line);
});

usage('examples of the help are command lines that parse', () => {
  for (const { spec, prepare } of COMMANDS) {
    for (const example of spec.examples) {
      const own = example.split('|').map(commandLine).find((words) => words.slice(1).join(' ').startsWith(spec.name));
      assert.ok(own, example);
      prepare(own.slice(1 + spec.name.split(' ').length));
    }
  }
});

/** Runs a command whose usage is wrong: nothing may have been opened by then. */
async function usageError(args: readonly string[]): Promise<Error> {
  const unused = (): never => assert.unreachable('something was written') as never;
  const out: Output = { json: true, text: unused, result: unused, note: unused, progress: unused };
  try {
    const { command, rest } = chosenCommand(args) as { command: Command; rest: readonly string[] };
    await command.prepare(rest).run({ out, signal: new AbortController().signal });
  } catch (error) {
    return error as Error;
  }
  return assert.unreachable(`${args.join(' ')} was accepted`) as never;
}

usage('wrong usage of a command is found before anything is opened', async () => {
  const cases: readonly (readonly [string[], ...string[]])[] = [
    [['run', 'a', 'b'], '"b"'],
    [['run', 'a', '--temp', 'hot'], '--temp', '"hot"'],
    [['run', 'a', '--temp', '-1'], '--temp is -1', '0 … 100'],
    [['run', 'a', '--logit-bias', '5'], '--logit-bias', 'ID=BIAS'],
    [['run', 'a', '--ids', '1'], 'not both'],
    [['run', '--ids', ''], '--ids is empty'],
    [['run', 'a', '--system', 'b'], '--chat'],
    [['run', 'a', '--verbose', '--quiet'], 'not both'],
    [['run', 'a', '--adaptive-temperature', '194m'], '--adaptive-temperature', 'off, cool, warm'],
    [['run', 'a', '--vocab-limit', '0'], '--vocab-limit', 'from 1 on'],
    [['logits', '-m', 'x'], '--ids'],
    [['logits', '-m', 'x', '--ids', '1', '--entropy-exit', '-1'], '--entropy-exit', 'from 0 on'],
    [['logits', '-m', 'x', '--ids', '1,2', '--prefill', '1', '--entropy-exit', '1'], '--prefill'],
    [['logits', '-m', 'x', '--ids', '1,2', '--prefill', '3'], '--prefill is 3'],
    [['tokenize', 'text', '-m', 'x', '--tokenizer', 'y'], '-m MODEL or --tokenizer'],
    [['perplexity', '-m', 'x'], '-f TEXT'],
    [['convert', 'a', 'b'], '--type'],
    [['convert', 'a', 'b', '--type', 'q4_k'], '"q4_k"', 'tq2_0'],
    [['classify', '-m', 'x'], 'TEXT, --text, --ids and --file'],
    [['classify', '-m', 'x', '--text', 'a', '--ids', '1'], 'TEXT, --text, --ids and --file'],
    [['classify', '-m', 'x', '--ids', '1', '--pair', 'a'], '--pair needs --text'],
    [['classify', '-m', 'x', '--text', 'a', '--mask', '1'], 'belong to --ids'],
    [['classify', '-m', 'x', '--ids', ''], '--ids is empty'],
    [['classify', '-m', 'x', '--ids', '2,3', '--mask', '1'], '--mask has 1 numbers, --ids 2'],
    [['classify', '-m', 'x', '--ids', '2,3', '--type-ids', '0,0,0'], '--type-ids has 3'],
    [['classify', '-m', 'x', '--file', 'x', '--spike-counts'], '--spike-counts'],
    [['classify', '-m', 'x', '--text', 'a', '--rate', '--spike-counts'], '--spike-counts'],
    [['classify', '-m', 'x', '--text', 'a', '--rate', '--steps', '3'], '--rate has no time steps'],
    [['eval', 'glue', '-m', 'x', '--task', 'sst2'], '--data'],
    [['eval', 'glue', '-m', 'x', '--data', 'x'], '--task'],
    [['eval', 'glue', '-m', 'x', '--data', 'x', '--task', 'sst'], '"sst"', 'cola, sst2'],
    [['eval', 'glue', '--data', 'x', '--task', 'rte', '--split', 'dev-matched'], 'split', 'train, dev, test'],
    [['eval', 'glue', '--data', 'x', '--task', 'rte', '--resume'], '--log'],
    [['eval', 'glue', '--data', 'x', '--task', 'rte', '--exit-every', '4'], '--early-exit'],
    [['bench', '-m', 'x', '--shape', 'tiny'], '--shape', 'not both'],
    [['bench', '-m', 'a', '--layers', '2'], '--shape'],
    [['bench', '--shape', 'toString'], '"toString"', 'tinyllama'],
    [['bench', '--shape', 'tiny', '--type', 'q9'], '"q9"', 'tq2_0'],
    [['bench', '--shape', 'tiny', '-t', 'two'], '--threads'],
  ];
  for (const [args, ...words] of cases) {
    const error = await usageError(args);
    assert.instance(error, UsageError, `${args.join(' ')}: ${error.message}`);
    for (const word of words) assert.ok(error.message.includes(word), `${error.message} lacks ${word}`);
  }
});

usage('help about a word that several commands begin with names them', async () => {
  const [group, ask, one, about] = await Promise.all([
    ternspike(['eval', '--help']),
    ternspike(['help', 'eval']),
    ternspike(['eval', 'glue', '-h']),
    ternspike(['help', 'eval', 'glue']),
  ]);
  assert.match(group.stdout, /^ternspike eval COMMAND .*\n\n {2}eval glue {2}Evaluate /);
  assert.equal([ask.stdout, group.code], [group.stdout, 0]);
  assert.match(one.stdout, /^ternspike eval glue \[OPTIONS\]\n/);
  assert.is(about.stdout, one.stdout);
});

usage('wrong usage ends with 2 and one line that points to the help', async () => {
  const cases: readonly (readonly [string[], ...string[]])[] = [
    [[], 'no command', 'ternspike --help'],
    [['walk', '--json'], '"walk"', 'run, chat', 'ternspike --help'],
    [['tokenise', 'a'], '"tokenise"', 'did you mean tokenize?'],
    [['Once upon a time'], 'expected one of run', 'ternspike run "TEXT"'],
    [['run'], 'PROMPT', 'ternspike run --help'],
    [['eval'], 'eval has commands of its own', 'eval glue', 'ternspike eval --help'],
    [['eval', 'super', '-h2'], 'unknown command "eval super"', 'eval glue', 'ternspike eval --help'],
    [['eval', 'glue'], '--task', 'ternspike eval glue --help'],
    [['bench', '--shape', 'tiny', '-n', '0'], '--tokens', 'ternspike bench --help'],
  ];
  const ran = await Promise.all(cases.map(([args]) => ternspike(args)));
  cases.forEach(([, ...words], i) => refused(ran[i], 2, 'USAGE', ...words));
});

usage('a refusal ends with 1; its stack is printed on request only', async () => {
  refused(await ternspike(['run', 'Once', '-m', 'no-such.gguf']), 1, 'IO', 'no-such.gguf');
  refused(await ternspike(['inspect', 'nowhere.gguf']), 1, 'IO', 'nowhere.gguf');
  const told = await ternspike(['inspect', 'nowhere.gguf'], { env: { TERNSPIKE_DEBUG: '1' } });
  assert.is(told.code, 1);
  assert.match(told.stderr, /\n {4}at /);
});

usage.run();
