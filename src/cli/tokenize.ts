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
    summary: 'Text to token ids.',
    positionals: [{ name: 'TEXT', optional: true }],
    options: {
      ...TOKENIZER_OPTIONS,
      special: {
        kind: 'flag',
        help: 'add bos and eos as the model was trained, and read special tokens in the text as such',
      },
    } as const,
    notes: ['TEXT of -, or none, reads stdin to the last byte. Text that begins with a dash goes after --.'],
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
    summary: 'Token ids to text.',
    positionals: [{ name: 'IDS', optional: true }],
    options: {
      ...TOKENIZER_OPTIONS,
      ids: { kind: 'ids', value: '1,2,3', help: 'the ids, instead of IDS' },
      special: { kind: 'flag', help: 'write special tokens as their text instead of leaving them out' },
    } as const,
    notes: ['IDS are numbers such as 1,2,3. IDS of -, or none, reads them from stdin.'],
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
