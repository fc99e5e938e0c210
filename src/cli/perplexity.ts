/**
 * `perplexity`: how well a model predicts a text.
 * @module
 */
import { perplexity } from '../eval/perplexity.ts';
import { type Command, command, need } from './command.ts';
import { readText, withSource } from './files.ts';
import { CONTEXT_OPTIONS, load, memoryOf, MODEL_OPTIONS, modelPath, TYPE_OPTIONS } from './load.ts';
import { rounded } from './output.ts';
import { spikeSummary } from './spikes.ts';
import { tokenizerOfFile } from './tokenizer-file.ts';

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
    } as const,
    notes: [
      'The text is split into windows of --ctx tokens, each starting with bos; the second half of each window is scored.',
    ],
    examples: [
      'ternspike perplexity -f story.txt --ctx 64',
      'ternspike perplexity -m model.gguf -f story.txt --ctx 32 --bytes 2000 --json',
    ],
  },
  async ({ values }, context) => {
    const { out, signal } = context;
    const file = need(values.file, '-f TEXT');
    const { build, kv, activations, threads, chunks, bytes, ctx: contextLength = DEFAULT_WINDOW } = values;
    const { type, head, embedding } = values;
    const path = modelPath(values.model);
    const text = await readText(file, bytes, signal);
    const tokenizer = values.tokenizer === undefined ? undefined : await tokenizerOfFile(values.tokenizer, signal);
    using model = await withSource(
      path,
      signal,
      (source) =>
        load(
          source,
          { type, head, embedding, build, kv, activations, threads, contextLength, tokenizer },
          context,
        ),
    );
    const result = await perplexity(model, text, {
      contextLength,
      chunks,
      signal,
      onProgress: ({ chunk, chunks: all, ppl }) => out.progress(`window ${chunk} of ${all}: ${ppl.toFixed(4)}`),
    });
    const { ppl, stderr, interval, tokens, bytes: scored, nll, bitsPerByte, windows } = result;
    const { spikes } = model.stats();
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
        windows: windows.map((window) => ({ ...window, nll: rounded(window.nll, 9) })),
        spikes: spikes ?? null,
        energy: spikes?.energy ?? null,
        model: path,
        digest: model.digest,
        memory: memoryOf(model),
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
  },
);
