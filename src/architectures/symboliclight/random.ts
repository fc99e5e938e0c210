/**
 * SymbolicLight models of known shapes: metadata and tensors for random weights.
 * @module
 */
import { TYPE_LAYOUTS } from '../../container/ggml-types.ts';
import type { GgufEntry } from '../../container/gguf-write.ts';
import type { TensorType } from '../../container/tensor.ts';
import type { SymbolicLightDescription } from './description.ts';
import { rowScaleName } from '../../description/layout.ts';
import { SYMBOLICLIGHT } from './recognise.ts';
import { SYMBOLICLIGHT_KEYS, symbolicLightShapes } from './description.ts';
import { randomSource, type RandomTensor } from '../../container/random-source.ts';
import { wrongValue } from '../../options.ts';
import type { RandomModels } from '../architecture.ts';

/** The numbers of a shape; the constants that all variants share are what a description takes without being told. */
export type SpikingShape =
  & Parameters<typeof symbolicLightShapes>[0]
  & Pick<SymbolicLightDescription, 'headDim' | 'trainedContext'>;

function shapeOf(
  variant: SpikingShape['variant'],
  layers: number,
  width: number,
  hidden: number,
  vocab: number,
  trainedContext: number,
): SpikingShape {
  const rest = { headDim: 64, heads: width / 64, attention: true, dynamicPrior: true };
  return { variant, layers, width, hidden, vocab, trainedContext, ...rest };
}

/** The published variants; `symboliclight-tiny` is the one of tests. */
export const SPIKING_SHAPES: Readonly<Record<string, SpikingShape>> = {
  'symboliclight-tiny': shapeOf('0.8b', 2, 256, 768, 512, 64),
  'symboliclight-194m': shapeOf('194m', 12, 768, 4096, 48000, 2048),
  'symboliclight-0.8b': shapeOf('0.8b', 22, 1536, 6144, 57344, 512),
};

/** Types of the matrices, by their spelling on the command line; vectors are F32. */
export const SPIKING_TYPES: Readonly<Record<string, TensorType>> = {
  f32: 'F32',
  f16: 'F16',
  bf16: 'BF16',
  i8: 'I8',
  q8_0: 'Q8_0',
  tq2_0: 'TQ2_0',
  tq1_0: 'TQ1_0',
  q1_0: 'Q1_0',
};

function spikingMetadata(shape: SpikingShape, name: string): Map<string, GgufEntry> {
  const metadata = new Map<string, GgufEntry>([
    ['general.architecture', { type: 'string', value: SYMBOLICLIGHT }],
    ['general.name', { type: 'string', value: name }],
  ]);
  for (const [key, [, gguf]] of Object.entries(SYMBOLICLIGHT_KEYS)) {
    const value = (shape as Readonly<Record<string, unknown>>)[key];
    if (typeof value === 'number') metadata.set(`${SYMBOLICLIGHT}.${gguf}`, { type: 'uint32', value });
  }
  return metadata;
}

/**
 * Types go together as `convert` has them: head, prior and embedding of ternary and binary models are Q8_0, the embedding
 * of an I8 model F32, and rows that are no multiple of a block I8.
 * @param head type of output projection and prior instead
 */
export function spikingTensors(d: SpikingShape, type: TensorType, head?: TensorType): RandomTensor[] {
  const packed = TYPE_LAYOUTS[type].blockElements > 1;
  return [...symbolicLightShapes(d)].flatMap(([name, shape]): RandomTensor[] => {
    if (shape.length < 2) {
      // norms keep the size of activations, and decaying states fade within some tokens; GGUF has no scalars
      const mean = name.endsWith('norm.weight') ? 1 : name.endsWith('.decay_raw') ? 2 : 0;
      return [{ name, type: 'F32', shape: shape.length === 0 ? [1] : shape, mean }];
    }
    let to = type;
    if (name.startsWith('output_head.')) to = head ?? (packed ? 'Q8_0' : type);
    else if (name.endsWith('embedding.weight')) to = packed ? 'Q8_0' : type === 'I8' ? 'F32' : type;
    if (shape[1] % TYPE_LAYOUTS[to].blockElements !== 0) to = 'I8';
    const list: RandomTensor[] = [{ name, type: to, shape, mean: 0, oneScale: true }];
    const mean = 1 / (127 * Math.sqrt(shape[1]));
    const scales = rowScaleName({ name, type: to });
    if (scales !== null) list.push({ name: scales, type: 'F32', shape: [shape[0]], mean, spread: mean / 4 });
    return list;
  });
}

/** A GGUF file of a known shape with random weights. See `randomModel`. */
export const random: RandomModels = {
  types: Object.keys(SPIKING_TYPES),
  async make(shape, type, layers, head) {
    if (head !== undefined && !Object.hasOwn(SPIKING_TYPES, head)) {
      throw wrongValue('head', head, `one of ${Object.keys(SPIKING_TYPES).join(', ')}`);
    }
    const { [shape]: s } = SPIKING_SHAPES;
    const d = { ...s, layers: layers ?? s.layers };
    const headType = head === undefined ? undefined : SPIKING_TYPES[head];
    return await randomSource({
      metadata: spikingMetadata(d, `random-${shape}-${type}`),
      tensors: spikingTensors(d, SPIKING_TYPES[type], headType),
    });
  },
};
