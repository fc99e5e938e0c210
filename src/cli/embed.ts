/**
 * `embed`: vectors of texts.
 * @module
 */
import { type Pooling, POOLINGS } from '../forward/pooling.ts';
import { UsageError } from './args.ts';
import { type Command, command } from './command.ts';
import { readStdin, readText, textArgument } from './files.ts';
import { load, MODEL_OPTIONS, TYPE_OPTIONS } from './load.ts';
import { withModel } from './stored.ts';

export const embed: Command = command(
  {
    name: 'embed',
    summary: 'Print a vector for each text, by a BERT or a decoder.',
    positionals: [{ name: 'TEXT', optional: true, repeated: true }],
    options: {
      ...MODEL_OPTIONS,
      ...TYPE_OPTIONS,
      lines: { kind: 'text', value: 'FILE', help: 'a text on each line, instead of TEXT; - reads stdin' },
      pooling: {
        kind: 'text',
        value: 'mean|cls|last|max',
        help: "of the tokens of a text; default: the model's own, else mean, of a decoder last",
      },
      'no-normalise': {
        kind: 'flag',
        help: "leave vectors at the length they have; default: the model's own, else length 1",
      },
      'max-length': {
        kind: 'integer',
        least: 1,
        help: 'cut texts to this many tokens; default: longer ones are refused',
      },
    } as const,
    notes: [
      'TEXT of - reads one text from stdin, --lines - a text a line. Without --json each line of the output is the vector of a text, as a JSON array.',
    ],
    examples: [
      'ternspike embed -m bert/ "a cat sits outside" "a dog runs"',
      'ternspike embed -m bert/ --lines sentences.txt --json',
      'echo "a cat" | ternspike embed -m bert/ -',
    ],
  },
  async ({ values, positionals }, context) => {
    const { out, signal } = context;
    const { pooling, lines } = values;
    if (values.model === undefined) throw new UsageError('give -m MODEL, a folder or a GGUF file');
    if (pooling !== undefined && !(POOLINGS as readonly string[]).includes(pooling)) {
      throw new UsageError(`--pooling is ${JSON.stringify(pooling)}, expected one of ${POOLINGS.join(', ')}`);
    }
    if ((lines === undefined) === (positionals.length === 0)) {
      throw new UsageError('give TEXT or --lines FILE, one of them');
    }
    const { type, head, embedding, build, threads, activations } = values;
    const options = { type, head, embedding, build, threads, activations };
    using model = await withModel(values.model, context, (source) => load(source, options, context));
    const texts = lines !== undefined
      ? (lines === '-' ? await readStdin(signal) : await readText(lines, undefined, signal)).replace(/\r?\n$/, '')
        .split(/\r?\n/)
      : positionals.join() === '-'
      ? [await textArgument('-', 'TEXT', signal)]
      : positionals;
    const vectors = await model.embed(texts, {
      pooling: pooling as Pooling | undefined,
      normalise: values['no-normalise'] ? false : undefined,
      maxLength: values['max-length'],
      signal,
    });
    const embeddings = vectors.map((vector) => Array.from(vector));
    await out.result(
      { embeddings, dims: embeddings[0]?.length ?? 0, pooling: pooling ?? model.defaultPooling },
      () => embeddings.map((vector) => JSON.stringify(vector)),
    );
  },
);
