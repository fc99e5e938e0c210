/**
 * `tokenize` and `detokenize`: text ⇄ ids, without loading weights.
 * @module
 */
import { isatty } from 'node:tty';
import { parseIds, UsageError } from './args.ts';
import { type Command, command } from './command.ts';
import { readStdin, textArgument } from './files.ts';
import { chosenTokenizer, TOKENIZER_OPTIONS } from './tokenizer-file.ts';

export const tokenize: Command = command(
  {
    name: 'tokenize',
    summary: 'Convert text to token ids.',
    positionals: [{ name: 'TEXT', optional: true }],
    options: {
      ...TOKENIZER_OPTIONS,
      special: {
        kind: 'flag',
        help: 'add bos and eos as in training, and parse special tokens in the text',
      },
    } as const,
    notes: ['If TEXT is - or missing, stdin is read to the last byte. Put a text that begins with a dash after --.'],
    examples: [
      'ternspike tokenize "Once upon a time"',
      'ternspike tokenize -m model.gguf --special --json - < story.txt',
      'ternspike tokenize --tokenizer vocab.txt --special "hello"',
    ],
  },
  async ({ values, positionals }, context) => {
    const { out, signal } = context;
    const given = positionals[0] ?? '-';
    if (positionals.length === 0 && isatty(0)) throw new UsageError('TEXT is missing');
    const tokenizer = await chosenTokenizer(values, context);
    const text = given === '-' ? await readStdin(signal) : given;
    const ids = tokenizer.encode(text, { special: values.special === true });
    await out.result({ ids }, () => [ids.join(',')]);
  },
);

export const detokenize: Command = command(
  {
    name: 'detokenize',
    summary: 'Convert token ids to text.',
    positionals: [{ name: 'IDS', optional: true }],
    options: {
      ...TOKENIZER_OPTIONS,
      ids: { kind: 'ids', value: '1,2,3', help: 'token ids, instead of IDS' },
      special: { kind: 'flag', help: 'print special tokens instead of omitting them' },
    } as const,
    notes: ['IDS are numbers such as 1,2,3. If IDS is - or missing, they are read from stdin.'],
    examples: [
      'ternspike detokenize 1,403,407,261,378',
      'ternspike tokenize "Once upon a time" | ternspike detokenize',
    ],
  },
  async ({ values, positionals }, context) => {
    const { out, signal } = context;
    if (values.ids && positionals.length > 0) throw new UsageError('give IDS or --ids, not both');
    const ids = values.ids ?? parseIds('IDS', await textArgument(positionals[0], 'IDS', signal));
    const tokenizer = await chosenTokenizer(values, context);
    const text = tokenizer.decode(ids, { special: values.special === true });
    await out.result({ text }, () => [text]);
  },
);
