/**
 * `tokenize` and `detokenize`: text ⇄ ids, without loading weights.
 * @module
 */
import { type Command, command, need } from './command.ts';
import { readStdin } from './files.ts';
import { chosenTokenizer, TOKENIZER_OPTIONS } from './tokenizer-file.ts';

export const tokenize: Command = command(
  {
    name: 'tokenize',
    summary: 'Text to token ids.',
    positionals: [{ name: 'TEXT' }],
    options: {
      ...TOKENIZER_OPTIONS,
      special: {
        kind: 'flag',
        help: 'add bos and eos as the model was trained, and read special tokens in the text as such',
      },
    } as const,
    notes: ['TEXT of - reads stdin. Text that begins with a dash stands behind --.'],
    examples: [
      'ternspike tokenize -m stories260K.gguf "Once upon a time"',
      'ternspike tokenize --tokenizer tokenizer.json --special --json - < story.txt',
    ],
  },
  async ({ values, positionals }, { out, signal }) => {
    const tokenizer = await chosenTokenizer(values, signal);
    const text = positionals[0] === '-' ? await readStdin() : positionals[0];
    const ids = tokenizer.encode(text, { special: values.special === true });
    await out.result({ ids }, () => [ids.join(',')]);
  },
);

export const detokenize: Command = command(
  {
    name: 'detokenize',
    summary: 'Token ids to text.',
    positionals: [],
    options: {
      ...TOKENIZER_OPTIONS,
      ids: { kind: 'ids', value: '1,2,3', help: 'the ids' },
      special: { kind: 'flag', help: 'write special tokens as their text instead of leaving them out' },
    } as const,
    examples: ['ternspike detokenize -m stories260K.gguf --ids 1,403,407,261,378'],
  },
  async ({ values }, { out, signal }) => {
    const ids = need(values.ids, '--ids');
    const tokenizer = await chosenTokenizer(values, signal);
    const text = tokenizer.decode(ids, { special: values.special === true });
    await out.result({ text }, () => [text]);
  },
);
