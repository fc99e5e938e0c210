/**
 * `batch`: answers a file of requests, a row for each.
 * @module
 */
import { architectureOf } from '../architectures/index.ts';
import { answerItems, readItems } from '../batch/batch.ts';
import { type Task, TASKS } from '../batch/line.ts';
import { MAX_MERGED, mergeBatch } from '../batch/merge.ts';
import { type RunKey, runSum } from '../batch/rows.ts';
import { readShard, type Shard } from '../eval/shard.ts';
import { memorySource } from '../bytes/memory.ts';
import { createFile } from '../bytes/sink.ts';
import type { ByteSource } from '../bytes/source.ts';
import { MemoryError } from '../errors.ts';
import { MAX_PARALLEL } from '../limits.ts';
import type { Model } from '../model/model.ts';
import { checkSamplerOptions } from '../sample/options.ts';
import { type OptionTable, UsageError, type Values } from './args.ts';
import { openAnswers } from './batch-file.ts';
import { type Command, command, type Context } from './command.ts';
import { readStdin, refuseSame, withSource } from './files.ts';
import { modelSum, surveyText } from './fingerprint.ts';
import { CONTEXT_OPTIONS, load, type LoadOptions, memoryOf, MODEL_OPTIONS, modelPath, TYPE_OPTIONS } from './load.ts';
import { clock, rounded } from './output.ts';
import { version } from './package-folder.ts';
import { samplerOptions, SAMPLING_OPTIONS } from './sampling-options.ts';
import { withModel } from './stored.ts';

/** Rows that run together: most of what sharing a pass brings. */
const DEFAULT_PARALLEL = 8;
/** What templates take for today: the date that Llama 3's names where there is none. Today's would change the answers every day. */
const DEFAULT_DATE = '2024-07-26';
/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 200;

const OPTIONS = {
  ...MODEL_OPTIONS,
  ...TYPE_OPTIONS,
  task: { kind: 'choice', choices: TASKS, help: 'what plain rows are for; default what the model does' },
  parallel: { kind: 'integer', least: 1, help: `rows that run together; default ${DEFAULT_PARALLEL}` },
  resume: { kind: 'switch', help: 'go on from the rows that OUT has; default on' },
  shard: {
    kind: 'text',
    value: 'I/N',
    help: 'only the rows whose number leaves I when divided by N, from 0 on; N/N is 0/N',
  },
  merge: {
    kind: 'text',
    value: 'FILE',
    repeatable: true,
    help: 'put the answers of shards together to OUT; runs nothing',
  },
  tokens: {
    kind: 'integer',
    short: 'n',
    least: 0,
    help: 'tokens of a plain row that states no number; default as there is room, 512 at most',
  },
  ...SAMPLING_OPTIONS,
  seed: { kind: 'integer', least: 0, help: 'a row without a seed takes this one plus its number; default 0' },
  date: { kind: 'text', value: 'YYYY-MM-DD', help: `what chat templates take for today; default ${DEFAULT_DATE}` },
  ...CONTEXT_OPTIONS,
} as const satisfies OptionTable;

type BatchValues = Values<typeof OPTIONS>;

export const batch: Command = command(
  {
    name: 'batch',
    summary: 'Answers a file of requests or texts, a row for each.',
    positionals: [{ name: 'IN' }, { name: 'OUT' }],
    options: OPTIONS,
    notes: [
      'IN has a request on each line in the format of OpenAI\'s batches, {"custom_id": …, "method": "POST", "url": "/v1/completions", ' +
      '"body": {…}} (also /v1/chat/completions, /v1/embeddings, /v1/classify), or plain rows: {"prompt": …}, {"text": …}, a JSON ' +
      'string, or a text as it is. The first line says which. IN of - reads stdin.',
      'OUT has a row for each line, in their order; what is wrong with a line is in its row. A run that was cut off goes on with the ' +
      'same command, and OUT is in the end as if it had never stopped. Answers do not depend on --parallel, --threads or shards.',
    ],
    examples: [
      'ternspike batch prompts.txt answers.jsonl -n 64',
      'ternspike batch requests.jsonl out.jsonl -m chat.gguf --parallel 16 --json',
      'ternspike batch reviews.jsonl labels.jsonl -m spikingbert/',
      'ternspike batch prompts.txt p0.jsonl --shard 0/2',
      'ternspike batch prompts.txt p1.jsonl --shard 1/2',
      'ternspike batch prompts.txt whole.jsonl --merge p0.jsonl --merge p1.jsonl',
    ],
  },
  async ({ values, positionals: [from, to] }, context) => {
    const { signal } = context;
    const date = dateOf(values.date ?? DEFAULT_DATE);
    const shard = values.shard === undefined ? undefined : readShard(values.shard);
    const merged = values.merge ?? [];
    if (merged.length > 0 && shard) throw new UsageError('give --shard or --merge, not both');
    const path = modelPath(values.model);
    await refuseSame([from, ...(merged.length > 0 ? merged : [path])], to, 'OUT');
    if (from === '-') {
      const stdin = memorySource(new TextEncoder().encode(await readStdin(signal)), 'stdin');
      return await (merged.length > 0
        ? merge(stdin, to, merged, context)
        : answer(stdin, to, path, { values, date, shard }, context));
    }
    await withSource(
      from,
      signal,
      (source) =>
        merged.length > 0
          ? merge(source, to, merged, context)
          : answer(source, to, path, { values, date, shard }, context),
    );
  },
);

interface Asked {
  readonly values: BatchValues;
  readonly date: Date;
  readonly shard: Shard | undefined;
}

async function answer(
  source: ByteSource,
  to: string,
  path: string,
  { values, date, shard }: Asked,
  context: Context,
): Promise<void> {
  const { out, signal } = context;
  const { type, head, embedding, build, kv, activations, threads, ctx: contextLength, seed = 0 } = values;
  const sampler = samplerOptions(values);
  checkSamplerOptions(sampler);
  const { lines } = await surveyText(source, signal);
  const options = { type, head, embedding, build, kv, activations, threads, contextLength };
  const { model: opened, parallel } = await openSeveral(path, values.parallel, options, context);
  using model = opened;
  const { generates } = await architectureOf(model.container);
  const { tokens: maxTokens, stop } = values;
  const task: Task = values.task ?? (generates ? 'generate' : 'labels' in model.describe() ? 'classify' : 'embed');
  const given = Object.fromEntries(
    Object.entries({ ...sampler, stop, maxTokens }).filter(([, value]) => value !== undefined),
  );
  const key: RunKey = {
    engine: version(),
    model: model.digest,
    numbers: modelSum(model),
    task,
    seed,
    date: date.toISOString(),
    drawn: JSON.stringify(given, (_, value: unknown) => (value instanceof Map ? [...value] : value)),
    context: contextLength,
    kv,
    activations,
  };
  const run = runSum(key);
  const items = readItems(source, { shard, signal });
  const file = await openAnswers(to, items, run, { resume: values.resume ?? true, signal });
  const resumed = file.held?.rows ?? 0;
  const total = Math.max(Math.ceil(lines / (shard?.count ?? 1)), resumed);
  const counts = { rows: resumed, failed: 0, tokens: 0 };
  const start = performance.now();
  let shown = start;
  let complete = false;
  if (resumed > 0) out.note(`${resumed} rows are there; going on after them`);
  try {
    const rows = answerItems(items, {
      model,
      name: model.describe().name || 'default',
      run,
      task,
      seed,
      date,
      defaults: given,
      parallel,
      signal,
    });
    for await (const { text, failed, tokens } of rows) {
      await file.append(text);
      counts.rows++;
      counts.failed += failed ? 1 : 0;
      counts.tokens += tokens;
      const now = performance.now();
      if (now - shown < PROGRESS_MS) continue;
      shown = now;
      const rate = (counts.rows - resumed) / ((now - start) / 1000);
      const left = clock(Math.max(total - counts.rows, 0) / rate);
      const bad = counts.failed > 0 ? `, ${counts.failed} refused` : '';
      out.progress(`${counts.rows} of ${total} rows${bad}  ${rate.toPrecision(3)} a second, ${left} left`);
    }
    complete = true;
  } catch (error) {
    if (!signal.aborted) throw error;
    out.note(`interrupted after ${counts.rows} rows; the same command goes on`);
  } finally {
    await file.close();
  }
  const seconds = (performance.now() - start) / 1000;
  await out.result(
    {
      rows: counts.rows,
      resumed,
      errors: counts.failed,
      tokens: counts.tokens,
      complete,
      seconds: rounded(seconds),
      tokensPerSecond: rounded(counts.tokens / seconds),
      parallel,
      task,
      shard: shard ? `${shard.index}/${shard.count}` : null,
      run,
      out: to,
      model: path,
      digest: model.digest,
      memory: memoryOf(model),
    },
    () => [],
  );
  if (out.json) return;
  const bad = counts.failed > 0 ? `, ${counts.failed} of them refused` : '';
  out.note(
    `${counts.rows} rows in ${to}${bad}; ${counts.tokens} tokens, ${(counts.tokens / seconds).toPrecision(3)} a second`,
  );
}

/** Opens for as many rows at once as were asked for; where nothing was, for one where more do not fit. */
async function openSeveral(
  path: string,
  asked: number | undefined,
  options: LoadOptions,
  context: Context,
): Promise<{ readonly model: Model; readonly parallel: number }> {
  if (asked !== undefined && asked > MAX_PARALLEL) {
    throw new UsageError(`--parallel is ${asked}, at most ${MAX_PARALLEL}`);
  }
  const open = (parallel: number): Promise<Model> =>
    withModel(path, context, (source) => load(source, { ...options, parallel }, context));
  const parallel = asked ?? DEFAULT_PARALLEL;
  try {
    return { model: await open(parallel), parallel };
  } catch (error) {
    if (asked !== undefined || !(error instanceof MemoryError)) throw error;
    context.out.note(`${DEFAULT_PARALLEL} rows at once do not fit into memory; running one at a time`);
    return { model: await open(1), parallel: 1 };
  }
}

async function merge(
  source: ByteSource,
  to: string,
  paths: readonly string[],
  { out, signal }: Context,
): Promise<void> {
  if (paths.length > MAX_MERGED) throw new UsageError(`--merge is given ${paths.length} times, at most ${MAX_MERGED}`);
  const sink = await createFile(to);
  try {
    const opened: ByteSource[] = [];
    const all = async (): Promise<{ rows: number; compared: number }> => {
      const path = paths[opened.length];
      if (path === undefined) {
        const write = (row: string): Promise<void> => sink.write(new TextEncoder().encode(row));
        return await mergeBatch(readItems(source, { signal }), opened, write, signal);
      }
      return await withSource(path, signal, (part) => {
        opened.push(part);
        return all();
      });
    };
    const { rows, compared } = await all();
    await sink.commit();
    await out.result({ rows, compared, parts: paths.length, out: to }, () => []);
    if (!out.json) {
      out.note(`${rows} rows of ${paths.length} files in ${to}; ${compared} were answered twice, with equal bytes`);
    }
  } finally {
    await sink.discard();
  }
}

function dateOf(text: string): Date {
  const date = /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(`${text}T12:00:00Z`) : new Date(NaN);
  if (!Number.isNaN(date.getTime())) return date;
  throw new UsageError(`--date is ${JSON.stringify(text.slice(0, 60))}, expected a day such as ${DEFAULT_DATE}`);
}
