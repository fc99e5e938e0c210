/**
 * A student as a file: latent weights are quantised by the converter of SymbolicLight models, which rounds as training
 * does, and the teacher's vocabulary goes with them.
 * @module
 */
import { memorySource } from '../../../bytes/memory.ts';
import type { GgufContainer } from '../../../container/gguf.ts';
import type { ByteSink, GgufEntry } from '../../../container/gguf-write.ts';
import type { Container } from '../../../container/tensor.ts';
import { DistillError } from '../../../errors.ts';
import { SYMBOLICLIGHT_KEYS, symbolicLightShapes } from '../../../architectures/symboliclight/description.ts';
import { convertModel } from '../../../model/convert.ts';
import type { ConvertResult, ConvertType } from '../../../convert/types.ts';
import { samplingEntries } from '../../../sample/stated.ts';
import type { KernelModules } from '../../../wasm/instantiate.ts';
import { type FloatTensor, joined, safetensorsParts } from '../../safetensors-write.ts';
import type { StudentConfig, TrainerState } from './types.ts';

export interface ExportOptions {
  /** Type of the block matrices of a ternary student; both hold the same weights. Default tq2_0. */
  readonly type?: 'tq2_0' | 'tq1_0';
  /** Vocabulary and what else the file should say; see `studentMetadata`. */
  readonly metadata?: ReadonlyMap<string, GgufEntry>;
  readonly signal?: AbortSignal;
}

/**
 * Writes a student as GGUF.
 * @param modules the compiled kernels
 * @throws {DistillError} `DISTILL` for a state without all weights; what `convertModel` throws
 */
export function exportStudent(
  modules: KernelModules,
  config: StudentConfig,
  state: TrainerState,
  sink: ByteSink,
  { type = 'tq2_0', metadata, signal }: ExportOptions = {},
): Promise<ConvertResult> {
  const blocks: ConvertType = config.quantisation === 'ternary'
    ? type
    : config.quantisation === 'binary'
    ? 'q1_0'
    : 'f32';
  const tables: ConvertType = config.tables === 'none' ? 'f32' : config.tables === 'int8' ? 'q8_0' : type;
  const source = memorySource(studentBytes(config, state), 'the student');
  return convertModel(modules, source, sink, {
    type: blocks,
    head: tables,
    embedding: tables,
    scale: 'tensor',
    metadata,
    signal,
  });
}

/** The latent weights in floats, as a safetensors file that the engine can run. @throws {DistillError} `DISTILL` */
export function studentBytes(config: StudentConfig, { tensors }: TrainerState): Uint8Array {
  const numbers: Record<keyof typeof SYMBOLICLIGHT_KEYS, number | boolean> = {
    vocab: config.vocab,
    width: config.width,
    layers: config.layers,
    heads: config.heads,
    headDim: config.width / config.heads,
    hidden: config.ffn,
    trainedContext: config.context,
    threshold: config.threshold,
    leak: config.leak,
    theta: THETA,
    window: config.window,
    anchors: config.anchors,
    attention: true,
    dynamicPrior: tensors.has('output_head.prior_net.0.weight'),
  };
  const variant = tensors.has('output_head.prior_weight') ? '0.8b' : '194m';
  const weights = new Map<string, FloatTensor>();
  const described = {
    ...config,
    hidden: config.ffn,
    attention: true,
    dynamicPrior: numbers.dynamicPrior === true,
    variant,
  } as const;
  for (const [name, shape] of symbolicLightShapes(described)) {
    const tensor = tensors.get(name);
    if (!tensor) throw new DistillError('DISTILL', `the student has no ${name}; the state is not of this shape`);
    weights.set(name, { shape, data: tensor.data });
  }
  const metadata = Object.entries(SYMBOLICLIGHT_KEYS).map(([key, [name]]) =>
    [`config.${name}`, String(numbers[key as keyof typeof numbers])] as const
  );
  return joined(safetensorsParts(weights, Object.fromEntries(metadata)));
}

/** Base of the rotary frequencies; that of the released models. */
const THETA = 10000;

/**
 * What a student's file says besides its numbers: name, licence, where it is from, and the teacher's vocabulary.
 * @param teacher the container of the teacher; only a GGUF file has a vocabulary that can be copied
 * @param about.end the token that ends documents, which the file names as eos, so that generation stops there
 * @param about.sampling how the student is sampled where nobody says otherwise, by GGUF's names: `{ penalty_repeat: 1.1 }`
 * @throws {OptionError} `OPTION` for a name that is not known, or a value out of range
 */
export function studentMetadata(
  teacher: Container,
  about: {
    readonly name: string;
    readonly description: string;
    readonly license?: string;
    readonly end?: number;
    readonly sampling?: Readonly<Record<string, number>>;
  },
): Map<string, GgufEntry> {
  const metadata = new Map<string, GgufEntry>([
    ['general.name', { type: 'string', value: about.name }],
    ['general.description', { type: 'string', value: about.description }],
  ]);
  if (about.license !== undefined) metadata.set('general.license', { type: 'string', value: about.license });
  for (const [key, value, whole] of samplingEntries(about.sampling ?? {})) {
    metadata.set(key, { type: whole ? 'int32' : 'float32', value });
  }
  if (teacher.format !== 'gguf') return metadata;
  const { metadataTypes } = teacher as GgufContainer;
  for (const [key, value] of teacher.metadata) {
    const type = metadataTypes.get(key);
    if (key.startsWith('tokenizer.') && type !== undefined) metadata.set(key, { type, value });
  }
  if (about.end !== undefined) metadata.set('tokenizer.ggml.eos_token_id', { type: 'uint32', value: about.end });
  return metadata;
}
