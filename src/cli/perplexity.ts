/**
 * `perplexity`: how well a model predicts a text.
 * @module
 */
import { perplexityOf, type PerplexityResult, scoreWindows, type WindowScore } from '../eval/perplexity.ts';
import { xxh32 } from '../bytes/xxh32.ts';
import type { Model } from '../model/model.ts';
import { type Command, command, type Context, need } from './command.ts';
import { readText } from './files.ts';
import { modelSum } from './fingerprint.ts';
import { CONTEXT_OPTIONS, load, memoryOf, MODEL_OPTIONS, modelPath, TYPE_OPTIONS } from './load.ts';
import { rounded } from './output.ts';
import { hasNumbers, printShard, readShards, SHARD_OPTIONS, shardOf } from './shards.ts';
import { spikeSummary } from './spikes.ts';
import { tokenizerOfFile } from './tokenizer-file.ts';
import { withModel } from './stored.ts';

/** Tokens of a window unless told; llama.cpp's. */
const DEFAULT_WINDOW = 512;

export const perplexityCommand: Command = command(
  {
    name: 'perplexity',
    summary: "Measure the perplexity of a text, by llama.cpp's protocol.",
    positionals: [],
    options: {
      ...MODEL_OPTIONS,
      ...TYPE_OPTIONS,
      file: { kind: 'text', short: 'f', value: 'TEXT', help: 'text file to measure' },
      ...CONTEXT_OPTIONS,
      ctx: { kind: 'integer', least: 4, help: `tokens per window; default ${DEFAULT_WINDOW}` },
      chunks: { kind: 'integer', least: 1, help: 'maximum number of windows; default: all' },
      bytes: { kind: 'integer', least: 1, help: 'read only the first N bytes of the file' },
      tokenizer: { kind: 'text', value: 'FILE', help: "use this tokenizer instead of the model's" },
      ...SHARD_OPTIONS,
    } as const,
    notes: [
      'The text is split into windows of --ctx tokens, each starting with bos; the second half of each window is scored.',
      'A shard prints its windows as JSON; --merge has the figures that one machine has, to the last bit.',
    ],
    examples: [
      'ternspike perplexity -f story.txt --ctx 64',
      'ternspike perplexity -m model.gguf -f story.txt --ctx 32 --bytes 2000 --json',
    ],
  },
  async ({ values }, context) => {
    const { out, signal } = context;
    const shard = shardOf(values);
    if (values.merge) return await print(await merged(values.merge, context), null, context);
    const file = need(values.file, '-f TEXT');
    const { build, kv, activations, threads, chunks, bytes, ctx: contextLength = DEFAULT_WINDOW } = values;
    const { type, head, embedding } = values;
    const path = modelPath(values.model);
    const text = await readText(file, bytes, signal);
    const tokenizer = values.tokenizer === undefined ? undefined : await tokenizerOfFile(values.tokenizer, context);
    using model = await withModel(
      path,
      context,
      (source) =>
        load(
          source,
          { type, head, embedding, build, kv, activations, threads, contextLength, tokenizer },
          context,
        ),
    );
    const { scores, total } = await scoreWindows(model, text, {
      contextLength,
      chunks,
      shard,
      signal,
      onProgress: ({ chunk, chunks: all, ppl }) => out.progress(`window ${chunk} of ${all}: ${ppl.toFixed(4)}`),
    });
    if (shard) {
      const data = `${text.length}-${xxh32(new TextEncoder().encode(text)).toString(16)}`;
      const key = { digest: model.digest, numbers: modelSum(model), data, contextLength, kv, activations };
      const rows = scores.map(({ index, score }) => ({ index, row: score }));
      return await printShard({ kind: KIND, shard, key, total, rows }, context);
    }
    const result = perplexityOf(scores.map(({ score }) => score), contextLength);
    await print({ result, digest: model.digest }, { model, path }, context);
  },
);

/** How shards of it are called. */
const KIND = 'perplexity';

interface Scored {
  readonly result: PerplexityResult;
  readonly digest: string;
}

/** The whole from its shards. */
async function merged(paths: readonly string[], context: Context): Promise<Scored> {
  const isRow = (row: unknown): boolean => hasNumbers(row, ['nll', 'squares', 'tokens', 'bytes']);
  const { key, rows } = await readShards<WindowScore>(KIND, paths, isRow, context);
  return { result: perplexityOf(rows.map(({ row }) => row), Number(key.contextLength)), digest: String(key.digest) };
}

/** @param ran null for what was put together: spikes and memory are those of each machine */
async function print(
  { result, digest }: Scored,
  ran: { readonly model: Model; readonly path: string } | null,
  { out }: Context,
): Promise<void> {
  const { ppl, stderr, interval, tokens, bytes: scored, nll, bitsPerByte, windows, contextLength } = result;
  const spikes = ran?.model.stats().spikes;
  await out.result(
    {
      ppl: rounded(ppl, 9),
      stderr: rounded(stderr),
      interval: interval.map((end) => rounded(end)),
      tokens,
      chunks: result.chunks,
      bytes: scored,
      nll: rounded(nll, 12),
      bitsPerByte: rounded(bitsPerByte, 9),
      contextLength,
      windows: windows.map(({ nll, tokens, bytes }) => ({ nll: rounded(nll, 9), tokens, bytes })),
      spikes: spikes ?? null,
      energy: spikes?.energy ?? null,
      ...(ran && { model: ran.path }),
      digest,
      ...(ran && { memory: memoryOf(ran.model) }),
    },
    () => [
      `perplexity ${ppl.toFixed(4)} ± ${
        stderr.toFixed(4)
      } (${tokens} tokens, ${result.chunks} windows of ${contextLength})`,
      `${bitsPerByte.toFixed(4)} bits per byte (${scored} bytes)`,
      `95 % interval of the perplexity ${interval.map((end) => end.toFixed(4)).join(' … ')}, by windows`,
      ...(spikes ? [spikeSummary(spikes)] : []),
    ],
  );
}
