/**
 * `inspect`: what a file holds, without loading weights.
 * @module
 */
import type { MetadataValue } from '../container/tensor.ts';
import { TernspikeError } from '../errors.ts';
import { MAX_MEMORY_BYTES } from '../limits.ts';
import type { ModelDescription } from '../description/description.ts';
import { architectureOf, openModelContainer } from '../architectures/index.ts';
import { defaultContext, type MemoryPlan } from '../description/plan.ts';
import { statedSampling } from '../sample/defaults.ts';
import { samplerBytes } from '../sample/sampler.ts';
import { ARENA_BASE } from '../wasm/arena.ts';
import { type Command, command } from './command.ts';
import { CONTEXT_OPTIONS } from './load.ts';
import { bytesText, oneLine } from './output.ts';
import { STORE_OPTIONS, withModel } from './stored.ts';

/** Elements of an array that are shown. */
const SHOWN = 8;

/** A metadata value with long arrays cut. */
type Shown = MetadataValue | { readonly length: number; readonly first: readonly MetadataValue[] };

export const inspect: Command = command(
  {
    name: 'inspect',
    summary: "Show a model file's metadata, description, tensors and memory needs.",
    positionals: [{ name: 'FILE' }],
    options: { ...CONTEXT_OPTIONS, ...STORE_OPTIONS },
    notes: ['Weights are not loaded. Files that contain only a vocabulary have no description and no memory plan.'],
    examples: [
      'ternspike inspect model.gguf',
      'ternspike inspect model.gguf --ctx 4096 --json',
      'ternspike inspect spikingbert/',
    ],
  },
  async ({ values, positionals: [path] }, context) => {
    const { out, signal } = context;
    const container = await withModel(path, context, async (source) => {
      const opened = await openModelContainer(source, { signal });
      await opened.source?.close?.();
      return opened;
    });
    const tensors = [...container.tensors.values()].map(({ name, type, stored, shape, byteLength }) => ({
      name,
      type,
      ...(stored && { stored }),
      shape,
      bytes: byteLength,
    }));
    const metadata = Object.fromEntries([...container.metadata].map(([key, value]) => [key, shown(value)]));
    let description: ModelDescription | null = null;
    let plan: MemoryPlan | null = null;
    let refusal: string | null = null;
    try {
      const architecture = await architectureOf(container);
      description = architecture.describe(container);
      plan = architecture.plan(container, description, {
        context: values.ctx ?? defaultContext(description.trainedContext),
        kv: values.kv ?? 'f16',
        threads: 1,
        maxBytes: MAX_MEMORY_BYTES,
        base: ARENA_BASE + samplerBytes(description.vocab),
      });
    } catch (error) {
      // the file is worth looking at all the same
      if (!(error instanceof TernspikeError)) throw error;
      refusal = error.message;
    }
    const { format, size } = container;
    const sampling = statedSampling(container.metadata) ?? null;
    const version = container.format === 'gguf' ? container.version : null;
    await out.result(
      { file: path, format, version, bytes: size, metadata, description, sampling, tensors, plan, refusal },
      () => [
        `${path}: ${format}${version === null ? '' : ` version ${version}`}, ${bytesText(size)}`,
        '',
        ...Object.entries(metadata).map(([key, value]) => `${oneLine(key)} = ${text(value)}`),
        '',
        ...tensors.map(({ name, type, stored, shape, bytes }) =>
          `${oneLine(name)}  ${stored ? `${stored} as ${type}` : type}  ${shape.join(' × ')}  ${bytesText(bytes)}`
        ),
        '',
        ...(description === null ? [] : [summary(description)]),
        ...(sampling === null ? [] : [`sampling: ${JSON.stringify(sampling)}`]),
        ...(plan === null ? [] : [memory(plan)]),
        ...(refusal === null ? [] : [`cannot be run: ${oneLine(refusal, 500)}`]),
      ],
    );
  },
);

function shown(value: MetadataValue): Shown {
  return Array.isArray(value) && value.length > SHOWN ? { length: value.length, first: value.slice(0, SHOWN) } : value;
}

function text(value: Shown): string {
  if (typeof value === 'string') return oneLine(JSON.stringify(value));
  if (Array.isArray(value)) return `[${value.map((item) => text(item)).join(', ')}]`;
  if (typeof value === 'object') return `[${value.first.map((item) => text(item)).join(', ')}, …] (${value.length})`;
  return String(value);
}

function summary(d: ModelDescription): string {
  const keys = d.kvHeads !== undefined ? ` (${d.kvHeads} of keys)` : '';
  const size = `${d.parameters} parameters, ${d.layers} layers of width ${d.width}, ${d.heads} heads${keys}`;
  return `${d.architecture}: ${size}, ${d.vocab} tokens, trained on ${d.trainedContext} positions`;
}

function memory(plan: MemoryPlan): string {
  return `memory: weights ${bytesText(plan.weightsBytes)}, one session ${bytesText(plan.stateBytes)}, ` +
    `scratch ${bytesText(plan.scratchBytes)}, in all ${bytesText(plan.totalBytes)}`;
}
