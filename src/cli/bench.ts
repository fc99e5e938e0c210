/**
 * `bench`: speed of reading a prompt and of generating, as the program itself measures it.
 * @module
 */
import { availableParallelism, cpus, loadavg } from 'node:os';
import type { ByteSource } from '../bytes/source.ts';
import { RANDOM_SHAPES, randomModel, randomTypes } from '../model/random.ts';
import { RANDOM_TYPES } from '../architectures/llama/random.ts';
import type { Model } from '../model/model.ts';
import type { OpenOptions } from '../model/open.ts';
import { architectureOf } from '../architectures/index.ts';
import { type OptionTable, UsageError } from './args.ts';
import { type Command, command, type Context } from './command.ts';
import { CONTEXT_OPTIONS, load, memoryOf, MODEL_OPTIONS, modelPath, runtime, TYPE_OPTIONS } from './load.ts';
import { rounded } from './output.ts';
import { spikeLines } from './spikes.ts';
import { withModel } from './stored.ts';

const DEFAULT_PROMPT = 512;
const DEFAULT_TOKENS = 64;
const DEFAULT_ROUNDS = 3;

const OPTIONS = {
  ...MODEL_OPTIONS,
  threads: {
    kind: 'text',
    short: 't',
    value: 'N,…',
    help: 'thread counts, measured one after the other; default: the fastest',
  },
  shape: {
    kind: 'text',
    value: 'SHAPE',
    help: `a random model of this shape, created in memory: ${RANDOM_SHAPES.join(', ')}`,
  },
  type: {
    kind: 'text',
    value: 'TYPE',
    help: `type of its matrices: ${Object.keys(RANDOM_TYPES).join(', ')}; ` +
      'default tq2_0 (gemma3 q8_0, symboliclight f32); with -m: quantise float matrices to it',
  },
  head: {
    kind: 'text',
    value: 'TYPE',
    help:
      'symboliclight shapes: type of head and prior, default: the usual one for --type; with -m: type to load embedding and head in',
  },
  embedding: TYPE_OPTIONS.embedding,
  sparsity: {
    kind: 'number',
    help: 'fraction of neurons to silence at random; the output is meaningless',
  },
  layers: { kind: 'integer', least: 1, help: 'number of layers, instead of the number of the shape' },
  prompt: { kind: 'integer', short: 'p', least: 1, help: `prompt tokens; default ${DEFAULT_PROMPT}` },
  tokens: { kind: 'integer', short: 'n', least: 1, help: `tokens to generate; default ${DEFAULT_TOKENS}` },
  rounds: { kind: 'integer', least: 1, help: `number of rounds; the median is reported; default ${DEFAULT_ROUNDS}` },
  ...CONTEXT_OPTIONS,
} as const satisfies OptionTable;

export const bench: Command = command(
  {
    name: 'bench',
    summary: 'Measure prefill and decode speed.',
    positionals: [],
    options: OPTIONS,
    notes: [
      'Sampling is not included: fixed ids are used. bytesPerToken counts the weights, keys and values that a token reads.',
    ],
    examples: [
      'ternspike bench -p 128 -n 32',
      'ternspike bench --shape tiny --type tq2_0 -p 64 -n 16 --json',
      'ternspike bench -m model.gguf -p 64 -n 16 --rounds 5',
    ],
  },
  async ({ values }, context) => {
    const { out } = context;
    const { shape, build, kv, activations, rounds = DEFAULT_ROUNDS, sparsity } = values;
    if (values.model !== undefined && shape !== undefined) {
      throw new UsageError('give -m MODEL or --shape SHAPE, not both');
    }
    const path = shape === undefined ? modelPath(values.model) : undefined;
    if (path !== undefined && values.layers !== undefined) throw new UsageError('--layers belongs to --shape');
    const types = path === undefined ? { embedding: values.embedding } : typesToLoad(values);
    if (sparsity !== undefined && !(sparsity >= 0 && sparsity <= 1)) {
      throw new UsageError(`--sparsity is ${sparsity}, expected a number in 0 … 1`);
    }
    const numbers = threadNumbers(values.threads);
    const threads = numbers && Math.max(...numbers);
    const counts = { prompt: values.prompt ?? DEFAULT_PROMPT, tokens: values.tokens ?? DEFAULT_TOKENS };
    const contextLength = values.ctx ?? counts.prompt + counts.tokens;
    const open = async (source: ByteSource): Promise<{ model: Model; fileBytes: number }> => ({
      model: await load(
        source,
        { ...types, build, kv, activations, threads, contextLength, forcedSparsity: sparsity },
        context,
      ),
      fileBytes: source.size,
    });
    const type = path === undefined ? values.type ?? (await randomTypes(shape ?? ''))[0] : undefined;
    const { model, fileBytes } = type === undefined
      ? await withModel(path ?? '', context, open)
      : await open(await randomModel(shape ?? '', type, values.layers, values.head));
    const { speeds, done } = await measure(model, numbers ?? [model.stats().threads], counts, rounds, context);
    const complete = done === rounds;
    if (!complete) out.note(`interrupted: ${done} of ${rounds} rounds are measured`);
    const bytesPerToken = await bytesRead(model, values.kv ?? 'f16', counts);
    const { loadMs, build: used, spikes } = model.stats(); // of the last round's decoding
    const lines = speeds.map(({ threads, prefillTps, decodeTps }) => ({
      threads,
      prefillTps: rounded(prefillTps),
      decodeTps: rounded(decodeTps),
      msPerToken: rounded(1000 / decodeTps),
      firstTokenMs: rounded(loadMs + (1000 * counts.prompt) / prefillTps),
      bytesPerToken,
      gbPerSecond: rounded((bytesPerToken * decodeTps) / 1e9),
    }));
    await out.result(
      {
        model: path ?? `random ${shape}`,
        type: type ?? typesOf(model),
        head: values.head,
        build: used,
        runtime: runtime(),
        ...counts,
        rounds: done,
        complete,
        threads: lines,
        sparsity,
        spikes,
        loadMs: rounded(loadMs),
        loadGbPerSecond: rounded(fileBytes / loadMs / 1e6),
        fileBytes,
        memory: { ...memoryOf(model), memoryBytes: model.stats().memoryBytes },
        machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), loadAverage: loadavg() },
      },
      () => [
        `${path ?? `random ${shape}`} ${type ?? typesOf(model)}, ${used} build, ${runtime()}`,
        ...lines.flatMap((line) => [
          `prefill ${counts.prompt}: ${line.prefillTps.toPrecision(4)} tokens/s on ${threadsText(line.threads)}, ` +
          `first token ${Math.round(line.firstTokenMs)} ms after opening`,
          `decode ${counts.tokens}: ${line.decodeTps.toPrecision(4)} tokens/s, ` +
          `${line.msPerToken.toPrecision(4)} ms and ${(bytesPerToken / 1e6).toPrecision(4)} MB a token, ` +
          `${line.gbPerSecond.toPrecision(4)} GB/s`,
        ]),
        `load ${Math.round(loadMs)} ms, ${(fileBytes / loadMs / 1e6).toPrecision(3)} GB/s`,
        ...(spikes ? spikeLines(spikes) : []),
      ],
    );
    model.dispose();
  },
);

/** A prompt is read in whole batches, as a program does that has nothing else to answer. */
const STRETCH_MS = 2000;

interface Counts {
  readonly prompt: number;
  readonly tokens: number;
}

/** The types to load the matrices of a file in; `open` refuses those that it does not have. */
function typesToLoad(
  { type, head, embedding }: Readonly<Record<string, unknown>>,
): Pick<OpenOptions, 'type' | 'head' | 'embedding'> {
  return { type, head, embedding } as Pick<OpenOptions, 'type' | 'head' | 'embedding'>;
}

/** `1,2` → [1, 2]. @throws {UsageError} */
function threadNumbers(text: string | undefined): number[] | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,3}(,[1-9]\d{0,3})*$/.test(text)) return text.split(',').map(Number);
  throw new UsageError(`--threads is ${JSON.stringify(text.slice(0, 60))}, expected numbers such as 1,2`);
}

const threadsText = (threads: number): string => (threads === 1 ? '1 thread' : `${threads} threads`);

/** Speeds on a number of threads. */
interface Speed {
  readonly threads: number;
  readonly prefillTps: number;
  readonly decodeTps: number;
}

/** Medians over the rounds, after a short one that lets the host compile; every round takes all numbers of threads in turn. An
 *  interrupt ends it after the rounds that are whole. @throws the signal's reason where none is */
async function measure(
  model: Model,
  numbers: readonly number[],
  { prompt, tokens }: Counts,
  rounds: number,
  { out, signal }: Context,
): Promise<{ readonly speeds: readonly Speed[]; readonly done: number }> {
  const { vocab } = model.describe();
  // spread over the vocabulary and the same in every run
  const ids = Array.from({ length: prompt + tokens }, (_, i) => Math.imul(i + 1, 2654435761) % vocab).map(Math.abs);
  using session = model.session();
  await session.prefill(ids.slice(0, Math.min(8, prompt)), { signal });
  const measured = new Map<number, { prefill: number; decode: number }[]>();
  const ignore = (): void => {};
  let done = 0;
  const once = async (round: number): Promise<void> => {
    const all: (readonly [number, { prefill: number; decode: number }])[] = [];
    for (const number of numbers) {
      out.progress(`round ${round + 1} of ${rounds}`);
      model.useThreads(number);
      const { threads } = model.stats(); // as many as there are
      session.reset();
      const start = performance.now();
      await session.read(ids.slice(0, prompt), { signal, stretchMs: STRETCH_MS }, prompt - 1, ignore);
      const middle = performance.now();
      model.resetStats();
      for (let i = prompt; i < prompt + tokens; i++) {
        await session.read([ids[i]], { signal }, 0, ignore);
      }
      const end = performance.now();
      all.push([threads, { prefill: (prompt / (middle - start)) * 1000, decode: (tokens / (end - middle)) * 1000 }]);
    }
    for (const [threads, speed] of all) measured.set(threads, [...(measured.get(threads) ?? []), speed]);
  };
  try {
    for (; done < rounds; done++) await once(done);
  } catch (error) {
    if (!signal.aborted || done === 0) throw error;
  }
  const speeds = [...measured].map(([threads, found]) => ({
    threads,
    prefillTps: median(found.map(({ prefill }) => prefill)),
    decodeTps: median(found.map(({ decode }) => decode)),
  }));
  return { speeds, done };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Bytes of weights a token reads (of the embedding only where it is the head too; what spikes skip is left out), and of
 *  keys and values. */
async function bytesRead(model: Model, kv: 'f16' | 'f32', { prompt, tokens }: Counts): Promise<number> {
  const position = prompt + (tokens + 1) / 2; // on average
  const architecture = await architectureOf(model.container);
  const read = architecture.bytesRead?.(model.container, model.describe(), { kv, position });
  return Math.round(
    (read?.weights ?? 0) + (read?.state ?? 0) + (model.stats().spikes?.overall.weightBytes.touched ?? 0),
  );
}

/** Types of the matrices, the most frequent first. */
function typesOf(model: Model): string {
  const counts = new Map<string, number>();
  for (const { type, shape } of model.container.tensors.values()) {
    if (shape.length === 2) counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([type]) => type.toLowerCase()).join('+');
}
