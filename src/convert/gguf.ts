/**
 * GGUF to GGUF in another type, a run of elements at a time: a model of any size is converted in a few megabytes.
 *
 * Matrices take the type that was asked for. Vectors (norms, biases) stay F32. Embedding and head of ternary models
 * take Q8_0, as in llama.cpp's conversions, unless told. A row that is no multiple of the type's block takes the next
 * type that fits: Q8_0, then F16.
 * @module
 */
import { TYPE_LAYOUTS } from '../container/ggml-types.ts';
import type { GgufContainer } from '../container/gguf.ts';
import type { HuggingFaceContainer } from '../container/huggingface/translate.ts';
import type { ByteSink, GgufEntry } from '../container/gguf-write.ts';
import type { TensorInfo } from '../container/tensor.ts';
import type { EncodedType } from './codec.ts';
import { checkTypes, GGUF_TYPES, type GgufType, refuseOptions } from './options.ts';
import { metadataBefore, writeTensors } from './pipeline.ts';
import { Runs } from './runs.ts';
import type { ConvertOptions, ConvertResult } from './types.ts';
import type { ByteSource } from '../bytes/source.ts';
import type { KernelModules } from '../wasm/instantiate.ts';

interface Target {
  readonly type: EncodedType;
  /** `general.file_type`, llama.cpp's number of the mixture. */
  readonly fileType: number;
  /** Of embedding and head, unless told. */
  readonly head: EncodedType;
}

const TARGETS: Readonly<Record<GgufType, Target>> = {
  f32: { type: 'F32', fileType: 0, head: 'F32' },
  f16: { type: 'F16', fileType: 1, head: 'F16' },
  q8_0: { type: 'Q8_0', fileType: 7, head: 'Q8_0' },
  q4_0: { type: 'Q4_0', fileType: 2, head: 'Q8_0' },
  tq1_0: { type: 'TQ1_0', fileType: 36, head: 'Q8_0' },
  tq2_0: { type: 'TQ2_0', fileType: 37, head: 'Q8_0' },
};

/** Tables with a row for each token. */
const EMBEDDING = 'token_embd.weight';
const HEAD = 'output.weight';
/** Tables whose rows are added to others, which llama.cpp does in F32 alone; they are small. */
const ADDED: readonly string[] = ['position_embd.weight', 'token_types.weight'];

/** A GGUF file, or what was translated into one. */
type Convertible = GgufContainer | HuggingFaceContainer;

/** Converts an opened GGUF file or Hugging Face folder. A tensor that already has its type is copied bit for bit, after it was checked. */
export async function convertGguf(
  modules: KernelModules,
  source: ByteSource,
  container: Convertible,
  sink: ByteSink,
  options: ConvertOptions,
): Promise<ConvertResult> {
  const { signal } = options;
  refuseOptions(options, ['ternary', 'classifier', 'scale']);
  checkTypes(options, GGUF_TYPES);
  const types = options as Required<Pick<GgufTypes, 'type'>> & GgufTypes;
  const vector = { to: 'F32', fellBack: false } as const;
  const weights = [...container.tensors.values()];
  // the scale of a packed matrix goes into its blocks
  const scales = new Set(weights.filter(({ type }) => type === 'U2_ROWS').map(({ name }) => `${name}_scale`));
  const plan = weights.filter(({ name }) => !scales.has(name)).map((info) => ({
    info,
    shape: info.shape,
    ...(info.shape.length < 2 ? vector : targetOf(info, types) ?? vector),
  }));
  const runs = new Runs(modules, container, source, signal);
  const metadata = metadataOf(container, TARGETS[types.type], options);
  return writeTensors(sink, metadata, plan, container.size, options, async ({ info, to }, take) => ({
    errors: await runs.convert(info, to, take),
  }));
}

/** Types of matrices: of all, of embedding and head, and of the embedding alone. */
export interface GgufTypes {
  readonly type?: GgufType;
  readonly head?: GgufType;
  readonly embedding?: GgufType;
}

/** The type a matrix takes, and whether it is another than was asked for; null where nothing was asked for. */
export function targetOf(
  { name, shape }: TensorInfo,
  { type, head, embedding = head }: GgufTypes,
): { to: EncodedType; fellBack: boolean } | null {
  if (ADDED.includes(name)) return type === undefined ? null : { to: 'F32', fellBack: false };
  const target = type && TARGETS[type];
  const given = name === EMBEDDING ? embedding : name === HEAD ? head : type;
  const table = name === EMBEDDING || name === HEAD;
  const wanted = given ? TARGETS[given].type : table ? target?.head : target?.type;
  if (wanted === undefined) return null;
  const cols = shape[shape.length - 1];
  const fits = (candidate: EncodedType): boolean => cols % TYPE_LAYOUTS[candidate].blockElements === 0;
  const to = fits(wanted) ? wanted : fits('Q8_0') ? 'Q8_0' : 'F16';
  return { to, fellBack: to !== wanted };
}

/** Everything that stood in the file, with its present type. */
function metadataOf(container: Convertible, { fileType }: Target, more: ConvertOptions): Map<string, GgufEntry> {
  const metadata = metadataBefore(container);
  metadata.set('general.file_type', { type: 'uint32', value: fileType });
  // 2 is the only version of today's blocks; readers may ask for it
  if (fileType > 1) metadata.set('general.quantization_version', { type: 'uint32', value: 2 });
  else metadata.delete('general.quantization_version');
  for (const [key, entry] of more.metadata ?? []) metadata.set(key, entry);
  return metadata;
}
