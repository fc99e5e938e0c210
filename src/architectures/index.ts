/**
 * The list of architectures, and how a container finds its own.
 * @module
 */
import type { ByteSource } from '../bytes/source.ts';
import { type AnyContainer, openContainer } from '../container/open.ts';
import type { Container } from '../container/tensor.ts';
import { type ModelConfig, parseConfig, withConfig } from '../description/config.ts';
import { DescriptionError } from '../errors.ts';
import { MAX_CONFIG_BYTES } from '../limits.ts';
import type { Architecture, ArchitectureEntry } from './architecture.ts';
import { GEMMA3, isGemma3 } from './gemma3/recognise.ts';
import { isLlama, LLAMA_NAMES } from './llama/recognise.ts';
import { BERT, isBert } from './bert/recognise.ts';
import { isSpikingBert, SPIKINGBERT } from './spikingbert/recognise.ts';
import { isSymbolicLight, SYMBOLICLIGHT } from './symboliclight/recognise.ts';

/** Every architecture. A folder that is not named here does not exist for the engine. */
export const ARCHITECTURES: readonly ArchitectureEntry[] = [
  {
    name: 'llama',
    names: LLAMA_NAMES,
    matches: isLlama,
    architecture: async () => (await import('./llama/architecture.ts')).llama,
    program: async () => (await import('./llama/forward.ts')).program,
    shapes: ['tiny', 'tinyllama', 'falcon3-1b'],
    random: async () => (await import('./llama/random.ts')).random,
  },
  {
    name: 'gemma3',
    names: [GEMMA3],
    matches: isGemma3,
    architecture: async () => (await import('./gemma3/architecture.ts')).gemma3,
    program: async () => (await import('./gemma3/forward.ts')).program,
    shapes: ['gemma3-270m'],
    random: async () => (await import('./gemma3/random.ts')).random,
  },
  {
    name: 'symboliclight',
    names: [SYMBOLICLIGHT],
    matches: isSymbolicLight,
    architecture: async () => (await import('./symboliclight/architecture.ts')).symbolicLight,
    program: async () => (await import('./symboliclight/forward.ts')).program,
    shapes: ['symboliclight-0.8b', 'symboliclight-194m', 'symboliclight-tiny'],
    random: async () => (await import('./symboliclight/random.ts')).random,
  },
  {
    name: 'bert',
    names: [BERT],
    matches: isBert,
    architecture: async () => (await import('./bert/architecture.ts')).bert,
    program: async () => (await import('./bert/forward.ts')).program,
  },
  {
    name: 'spikingbert',
    names: [SPIKINGBERT],
    matches: isSpikingBert,
    needsConfig: true,
    architecture: async () => (await import('./spikingbert/architecture.ts')).spikingBert,
    program: async () => (await import('./spikingbert/forward.ts')).program,
  },
];

/** What a container is asked for its model. */
type Described = Pick<Container, 'metadata' | 'tensors'> & Partial<Pick<Container, 'format'>>;

/** The row of a container. @throws {DescriptionError} `ARCHITECTURE` with the names that are supported */
export function entryOf(container: Described): ArchitectureEntry {
  const entry = ARCHITECTURES.find(({ matches }) => matches(container));
  if (entry) return entry;
  throw new DescriptionError(
    'ARCHITECTURE',
    `${unknownModel(container)}; supported are ${ARCHITECTURES.flatMap(({ names }) => names).join(', ')}`,
  );
}

/** Why it is not known which model this is, in the words of its format. */
function unknownModel({ metadata, format = 'gguf' }: Described): string {
  const architecture = metadata.get('general.architecture');
  if (typeof architecture === 'string' && architecture !== '') {
    return `general.architecture is "${architecture.slice(0, 40)}", which is not supported`;
  }
  if (format === 'gguf') return 'general.architecture is missing';
  const configured = [...metadata.keys()].some((key) => key.startsWith('config.'));
  return configured
    ? 'config.json has neither model_type nor architectures, which name the model'
    : 'neither the weights nor a config.json in their folder name the model; open the folder, or pass the ' +
      'option config';
}

/** What runs a container's model. @throws {DescriptionError} `ARCHITECTURE` */
export function architectureOf(container: Described): Promise<Architecture> {
  return entryOf(container).architecture();
}

export interface OpenContainerOptions {
  readonly signal?: AbortSignal;
  /** Instead of the `config.json` beside the source. */
  readonly config?: ModelConfig;
}

/**
 * Opens a container, and joins its configuration to a checkpoint that needs one: the option, else the `config.json` of the
 * same folder, where the source knows of one.
 * @throws {DescriptionError} `DESCRIPTION` for a configuration that is not one; what `openContainer` and the source throw
 */
export async function openModelContainer(
  source: ByteSource,
  { signal, config }: OpenContainerOptions = {},
): Promise<AnyContainer> {
  const container = await openContainer(source, { signal });
  if (container.format === 'gguf') return container;
  const entry = ARCHITECTURES.find(({ matches }) => matches(container));
  if (entry && !entry.needsConfig) return container;
  if (config === undefined && container.metadata.has('config.hidden_size')) return container;
  const found = config ?? await source.beside?.('config.json', MAX_CONFIG_BYTES, signal);
  if (!found) return container;
  const configured = withConfig(container, found);
  if (entry) return configured;
  const { isHuggingFace, sentenceModules, translated } = await import('../container/huggingface/translate.ts');
  const json = parseConfig(found);
  if (!isHuggingFace(json)) return configured;
  const beside = (name: string, most: number): Promise<Uint8Array | null> =>
    source.beside?.(name, most, signal) ?? Promise.resolve(null);
  return translated(configured, container.source ?? source, json, {
    generation: await beside('generation_config.json', MAX_CONFIG_BYTES),
    sentence: await sentenceModules(beside),
  });
}
