/**
 * A spiking BERT in training as a file: rows of codes and their scales are written as they are by the converter of such models.
 * @module
 */
import { memorySource } from '../../../bytes/memory.ts';
import type { ByteSink, GgufEntry } from '../../../container/gguf-write.ts';
import type { ConvertResult, ConvertType } from '../../../convert/types.ts';
import { DistillError } from '../../../errors.ts';
import { convertModel } from '../../../model/convert.ts';
import type { KernelModules } from '../../../wasm/instantiate.ts';
import { type FloatTensor, joined, safetensorsParts } from '../../safetensors-write.ts';
import type { TrainerState } from '../../types.ts';
import type { SpikingStudent } from './config.ts';
import { roundRows } from './quantise.ts';
import { INITIAL, type Tables, THRESHOLD } from './spikes.ts';
import { scaleSlot, spikingSlots } from './tensors.ts';

export interface ExportOptions {
  /** Type of ternary matrices and tables; both hold the same weights. */
  readonly type: 'tq2_0' | 'tq1_0';
  readonly labels: readonly string[];
  readonly task: string;
  /** Vocabulary, name and licence. */
  readonly metadata: ReadonlyMap<string, GgufEntry>;
  readonly signal?: AbortSignal;
}

/**
 * Writes a student as GGUF.
 * @param tables as they were before they were rounded
 * @throws {DistillError} `DISTILL` for a state without all weights; what `convertModel` throws
 */
export function exportSpikingStudent(
  modules: KernelModules,
  student: SpikingStudent,
  tables: Tables,
  state: TrainerState,
  sink: ByteSink,
  { type, labels, task, metadata, signal }: ExportOptions,
): Promise<ConvertResult> {
  const { width, hidden, heads, layers, vocab, context, segments, classes, steps } = student;
  const weights = new Map<string, FloatTensor>();
  const table = (name: string, data: Float32Array): void => {
    weights.set(`network_x.${name}_embeddings.weight`, { shape: [data.length / width, width], data });
  };
  table('word', tables.words);
  table('position', tables.positions);
  table('token_type', tables.segments);
  for (const [key, data] of realWeights(student, state)) weights.set(key, data);
  const kinds: Readonly<Record<string, ConvertType>> = { ternary: type, binary: 'q1_0', int8: 'i8', none: 'f32' };
  return convertModel(modules, memorySource(joined(safetensorsParts(weights, {})), 'the student'), sink, {
    type: kinds[student.weights],
    embedding: kinds[student.tables],
    scale: 'row',
    config: {
      hidden_size: width,
      intermediate_size: hidden,
      num_attention_heads: heads,
      num_hidden_layers: layers,
      vocab_size: vocab,
      max_position_embeddings: context,
      type_vocab_size: segments,
      v_th: THRESHOLD,
      v_init: INITIAL,
      leaky: 1,
      t_conv: steps,
      finetuning_task: task,
      labels: classes === 1 ? [] : labels,
    },
    metadata,
    signal,
  });
}

/** Weights as the forward pass has them, by the names of the file. */
function realWeights(student: SpikingStudent, { tensors }: TrainerState): Map<string, FloatTensor> {
  const slots = spikingSlots(student);
  const real = new Map<string, FloatTensor>();
  const of = (key: string): Float32Array => {
    const tensor = tensors.get(key);
    if (!tensor) throw new DistillError('DISTILL', `the student has no ${key}; the state is not of this shape`);
    return tensor.data;
  };
  for (const slot of slots) {
    const { key, shape, size } = slot;
    if (key.endsWith('.scale')) continue;
    const scale = student.weights === 'none' ? null : scaleSlot(slots, slot);
    if (student.weights === 'none' || !scale) {
      real.set(key, { shape, data: of(key) });
      continue;
    }
    const data = new Float32Array(size);
    roundRows(student.weights, of(key), of(scale.key), shape[1], data);
    real.set(key, { shape, data });
  }
  return real;
}
