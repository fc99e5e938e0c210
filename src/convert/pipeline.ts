/**
 * The course of every conversion: the metadata and tensor table of the new file, then each tensor, a run of weights at a time.
 * @module
 */
import type { GgufContainer } from '../container/gguf.ts';
import { type ByteSink, type GgufEntry, writeGguf } from '../container/gguf-write.ts';
import type { HuggingFaceContainer } from '../container/huggingface/translate.ts';
import type { Container, TensorInfo } from '../container/tensor.ts';
import { DescriptionError } from '../errors.ts';
import { bytesOf } from './quantise.ts';
import type { Errors, Take } from './runs.ts';
import type { ConvertedTensor, ConvertOptions, ConvertResult, WrittenType } from './types.ts';

/** One tensor of the new file. */
export interface PlannedTensor {
  /** The tensor that it is made from. */
  readonly info: TensorInfo;
  readonly shape: readonly number[];
  readonly to: WrittenType;
  /** Whether its rows are not a multiple of the block of the type that was asked for. */
  readonly fellBack: boolean;
  /** Name of the vector with one f32 for each of its rows, which is written after it. */
  readonly scales?: string | null;
}

/** How a tensor was written. */
export interface WrittenTensor {
  readonly errors: Errors;
  /** The scales of its rows, where `PlannedTensor.scales` names a vector. */
  readonly scales?: Float32Array;
}

/**
 * Writes a GGUF file.
 * @param inBytes size of the source
 * @param write passes the bytes of one tensor to `take`, from first to last
 */
export async function writeTensors<P extends PlannedTensor>(
  sink: ByteSink,
  metadata: ReadonlyMap<string, GgufEntry>,
  plan: readonly P[],
  inBytes: number,
  { onProgress }: Pick<ConvertOptions, 'onProgress'>,
  write: (planned: P, take: Take) => Promise<WrittenTensor>,
): Promise<ConvertResult> {
  const tensors = plan.flatMap(({ info: { name }, shape, to, scales }) => [
    { name, type: to, shape },
    ...(scales ? [{ name: scales, type: 'F32' as const, shape: [shape[0]] }] : []),
  ]);
  const writer = await writeGguf(sink, { metadata, tensors });
  const total = plan.reduce((sum, { info }) => sum + info.byteLength, 0);
  const converted: ConvertedTensor[] = [];
  let done = 0;
  for (const planned of plan) {
    const { info, to, fellBack, scales: scaleName } = planned;
    const { errors, scales } = await write(planned, async (bytes, read) => {
      await writer.write(info.name, bytes);
      done += read;
      onProgress?.({ done, total, tensor: info.name });
    });
    if (scaleName) await writer.write(scaleName, bytesOf(scales as Float32Array));
    converted.push({ name: info.name, from: info.type, to, ...errors, fellBack });
  }
  await writer.finish();
  return { bytes: { in: inBytes, out: writer.bytesWritten }, tensors: converted };
}

/** The metadata of the source, with its types, where its format has types: GGUF, and folders that were translated. */
export function metadataBefore(container: Container): Map<string, GgufEntry> {
  const { metadataTypes } = container as Partial<GgufContainer | HuggingFaceContainer>;
  const metadata = new Map<string, GgufEntry>();
  for (const [key, value] of metadataTypes ? container.metadata : []) {
    const type = metadataTypes?.get(key);
    if (type !== undefined) metadata.set(key, { type, value });
  }
  return metadata;
}

/**
 * The metadata of a spiking model: that of the source, the architecture's numbers over it, and what was asked for over both.
 * @param fits whether a vocabulary of so many tokens can belong to the model
 * @throws {DescriptionError} `DESCRIPTION_MISMATCH`
 */
export function spikingMetadata(
  container: Container,
  architecture: string,
  vocab: number,
  numbers: Iterable<readonly [key: string, entry: GgufEntry]>,
  { type, metadata: more = new Map() }: ConvertOptions,
  fits: (tokens: number) => boolean,
): Map<string, GgufEntry> {
  const metadata = metadataBefore(container);
  metadata.set('general.architecture', { type: 'string', value: architecture });
  metadata.delete('general.file_type');
  if (type !== 'f32' && type !== 'f16') metadata.set('general.quantization_version', { type: 'uint32', value: 2 });
  for (const [key, entry] of numbers) metadata.set(`${architecture}.${key}`, entry);
  for (const [key, entry] of more) metadata.set(key, entry);
  const tokens = metadata.get('tokenizer.ggml.tokens')?.value;
  if (Array.isArray(tokens) && !fits(tokens.length)) {
    throw new DescriptionError(
      'DESCRIPTION_MISMATCH',
      `the tokenizer has ${tokens.length} tokens, the embedding ${vocab} rows; they belong to different models`,
    );
  }
  return metadata;
}
