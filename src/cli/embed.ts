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
    summary: 'Embed texts with a BERT or a decoder: print a vector for each.',
    positionals: [{ name: 'TEXT', optional: true, repeated: true }],
    options: {
      ...MODEL_OPTIONS,
      ...TYPE_OPTIONS,
      lines: { kind: 'text', value: 'FILE', help: 'one text per line, instead of TEXT; - reads stdin' },
      pooling: {
        kind: 'text',
        value: 'mean|cls|last|max',
        help: "how to combine the tokens of a text; default: the model's own, else mean; for a decoder, last",
      },
      'no-normalise': {
        kind: 'flag',
        help: "do not scale vectors to length 1; default: the model's own, else length 1",
      },
      'max-length': {
        kind: 'integer',
        least: 1,
        help: 'truncate texts to N tokens; default: refuse longer ones',
      },
    } as const,
    notes: [
      'If TEXT is -, one text is read from stdin; --lines - reads one text per line. Without --json, each output line is the vector of a text, as a JSON array.',
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
