/**
 * `classify`: the class of a text, a pair, ids, or of every line of a file.
 * @module
 */
import type { Classification, ClassifyInput, ClassifyOptions } from '../forward/classifier.ts';
import { memorySource } from '../bytes/memory.ts';
import type { ByteSource } from '../bytes/source.ts';
import { DatasetError } from '../errors.ts';
import { readLines } from '../eval/glue-lines.ts';
import type { Model } from '../model/model.ts';
import { type OptionTable, UsageError, type Values } from './args.ts';
import { classifyOptions, openClassifier, STEP_OPTIONS } from './classify-options.ts';
import { type Command, command, type Context } from './command.ts';
import { readStdin, textArgument, withSource } from './files.ts';
import { CLASSIFIER_MODEL, classifierPath, memoryOf, MODEL_OPTIONS } from './load.ts';
import { oneLine, rounded } from './output.ts';

const OPTIONS = {
  ...MODEL_OPTIONS,
  model: CLASSIFIER_MODEL,
  text: { kind: 'text', help: 'text to classify, instead of TEXT' },
  pair: { kind: 'text', help: 'second text of a pair; with TEXT' },
  file: { kind: 'text', short: 'f', help: 'one text per line, or two separated by a tab; - reads stdin' },
  ids: { kind: 'ids', value: '1,2,3', help: 'token ids instead of a text, [CLS] first' },
  'type-ids': { kind: 'ids', value: '0,0,1', help: 'segment of each id; default: 0' },
  mask: { kind: 'ids', value: '1,1,0', help: '1 for each id, 0 for padding after them; default: 1' },
  ...STEP_OPTIONS,
  quiet: { kind: 'flag', short: 'q', help: 'print no statistics' },
  'spike-counts': { kind: 'flag', help: 'with --json: spike count of each neuron, layers × tokens × features' },
} as const satisfies OptionTable;

type ClassifyValues = Values<typeof OPTIONS>;

/** One line of a file, classified. */
interface LineResult extends Pick<Classification, 'label' | 'labelId' | 'scores' | 'logits' | 'tokens' | 'steps'> {
  readonly line: number;
  readonly totalSpikes?: number;
  readonly microjoules?: number;
  readonly ms: number;
}

export const classify: Command = command(
  {
    name: 'classify',
    summary: 'Classify a text with a spiking or a dense BERT.',
    positionals: [{ name: 'TEXT', optional: true }],
    options: OPTIONS,
    notes: [
      'TEXT of - reads stdin. Statistics go to stderr.',
      'A checkpoint is opened with the config.json and the vocab.txt beside it; -m may be their folder.',
      'Padding is run and counted, and no token sees it: scores are those of the ids before it.',
    ],
    examples: [
      'ternspike classify -m spikingbert/ "a charming and often affecting journey"',
      'echo "a mess" | ternspike classify -m spikingbert/ - --steps 20 --json',
      'ternspike classify -m spikingbert/ --ids 2,5,6,3 --v-th 1 --leak 1 --json',
      'ternspike classify -m spikingbert/ --file reviews.txt --early-exit 0.5',
    ],
  },
  async ({ values, positionals: [text] }, context) => {
    const { out, signal } = context;
    const input = await inputOf(values, text, signal);
    const counts = values['spike-counts'];
    const options: ClassifyOptions = { ...classifyOptions(values), counts, signal, stretchMs: STRETCH_MS };
    if (counts && (values.rate || input === null)) {
      throw new UsageError('--spike-counts is of one text, and of spikes: leave --file and --rate out');
    }
    const path = classifierPath(values.model);
    using model = await openClassifier(path, values, context);
    if (input === null) return await lines(model, path, values.file as string, options, context);
    const start = performance.now();
    const said = await model.classify(input, options);
    const ms = performance.now() - start;
    const { spikeCounts, ...rest } = said;
    await out.result(
      {
        ...rest,
        ...(spikeCounts && { spikeCounts: spikeCounts.map((layer) => rowsOf(layer, said.tokens)) }),
        ms: rounded(ms),
        loadMs: rounded(model.stats().loadMs),
        memory: memoryOf(model),
        model: path,
      },
      () => byScore(model, said),
    );
    if (!out.json && !values.quiet) out.note(whatItTook(said, ms));
  },
);

/** Lines of a file that are classified together. */
const LINES_AT_A_TIME = 64;

/** How late an interrupt may be seen. */
const STRETCH_MS = 300;

/** What is classified; null for the lines of a file. @throws {UsageError} */
async function inputOf(
  values: ClassifyValues,
  argument: string | undefined,
  signal: AbortSignal,
): Promise<ClassifyInput | null> {
  const { pair, file, ids, 'type-ids': typeIds, mask } = values;
  if ([argument, values.text, file, ids].filter((given) => given !== undefined).length !== 1) {
    throw new UsageError('give one of TEXT, --text, --ids and --file');
  }
  if (pair !== undefined && (argument ?? values.text) === undefined) throw new UsageError('--pair needs --text');
  if (!ids) {
    if (typeIds || mask) throw new UsageError('--type-ids and --mask belong to --ids');
    if (file !== undefined) return null;
    const text = argument === undefined ? values.text as string : await textArgument(argument, 'TEXT', signal);
    return pair === undefined ? text : [text, pair];
  }
  if (ids.length === 0) throw new UsageError('--ids is empty');
  for (const [name, list] of Object.entries({ 'type-ids': typeIds, mask })) {
    if (list && list.length !== ids.length) {
      throw new UsageError(`--${name} has ${list.length} numbers, --ids ${ids.length}; give one for each`);
    }
  }
  return { ids, typeIds, mask };
}

/** Every line of a file. @throws {DatasetError} `DATASET_LINE` for a line that is no text */
async function lines(
  model: Model,
  path: string,
  file: string,
  options: ClassifyOptions,
  { out, signal }: Context,
): Promise<void> {
  const results: LineResult[] = [];
  // a dense BERT runs several together
  const most = model.defaultPooling === null ? 1 : LINES_AT_A_TIME;
  let waiting: { readonly number: number; readonly text: string; readonly input: ClassifyInput }[] = [];
  const run = async (): Promise<void> => {
    const group = waiting;
    waiting = [];
    const answers: Classification[] = [];
    const start = performance.now();
    try {
      for await (const said of model.classifyAll(group.map(({ input }) => input), options)) answers.push(said);
    } finally {
      const ms = rounded((performance.now() - start) / Math.max(answers.length, 1));
      for (const [i, said] of answers.entries()) {
        const { label, labelId, logits, scores, tokens, steps, spikes } = said;
        const { number, text } = group[i];
        const took = spikes && { totalSpikes: spikes.spikes, microjoules: rounded(spikes.energy.compute.effective) };
        results.push({ line: number, label, labelId, logits, scores, tokens, steps, ...took, ms });
        out.progress(`line ${number}`);
        if (!out.json) await out.text(`${bestOf(said)}\t${oneLine(text, 1000)}\n`);
      }
    }
  };
  const each = async (source: ByteSource): Promise<void> => {
    for await (const { number, text, problem } of readLines(source, signal)) {
      if (text === '') continue;
      if (text === null) {
        await run();
        throw new DatasetError('DATASET_LINE', `${file}: line ${number} ${problem}`);
      }
      const [first, second, ...more] = text.split('\t');
      if (more.length > 0) {
        await run();
        throw new DatasetError(
          'DATASET_LINE',
          `${file}: line ${number} has ${more.length + 1} tabs, expected 1 at most`,
        );
      }
      waiting.push({ number, text, input: second === undefined ? first : [first, second] });
      if (waiting.length === most) await run();
    }
    await run();
  };
  let complete = false;
  try {
    await (file === '-'
      ? each(memorySource(new TextEncoder().encode(await readStdin(signal)), 'stdin'))
      : withSource(file, signal, each));
    complete = true;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  if (!out.json) return;
  const { labels } = model.describe() as { labels?: readonly string[] };
  await out.result({ results, complete, labels, memory: memoryOf(model), model: path }, () => []);
}

/** The class and its score; of a regression the value. */
function bestOf({ label, labelId, scores }: Classification): string {
  return labelId === null ? scores[0].toFixed(4) : `${oneLine(String(label))}\t${scores[labelId].toFixed(4)}`;
}

/** A line for each class, the likeliest first. */
function byScore(model: Model, said: Classification): string[] {
  if (said.labelId === null) return [bestOf(said)];
  const { labels } = model.describe() as { labels: readonly string[] };
  const order = said.scores.map((_, i) => i).sort((a, b) => said.logits[b] - said.logits[a] || a - b);
  return order.map((i) => `${oneLine(labels[i])}\t${said.scores[i].toFixed(4)}`);
}

function whatItTook({ tokens, steps, spikes, firingRates }: Classification, ms: number): string {
  const time = `${Math.round(ms)} ms`;
  if (!spikes) return `${tokens} tokens${firingRates.length > 0 ? ' by rates' : ''}, ${time}`;
  const rate = `${(100 * spikes.firingRate).toFixed(2)} %`;
  const energy = `${spikes.energy.compute.effective.toPrecision(3)} µJ of operations (45 nm estimate)`;
  return `${tokens} tokens, ${steps} steps, ${time}; ${spikes.spikes} spikes, firing rate ${rate}, ${energy}`;
}

/** Counts of a layer, a row for each token. */
function rowsOf(layer: Uint16Array, tokens: number): number[][] {
  const features = layer.length / tokens;
  return Array.from({ length: tokens }, (_, t) => Array.from(layer.subarray(t * features, (t + 1) * features)));
}
