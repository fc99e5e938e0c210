/**
 * SymbolicLight models of known shapes: metadata and tensors for random weights.
 * @module
 */
import { TYPE_LAYOUTS } from '../container/ggml-types.ts';
import type { GgufEntry } from '../container/gguf-write.ts';
import type { TensorType } from '../container/tensor.ts';
import type { SymbolicLightDescription } from '../model/description.ts';
import { rowScaleName } from '../model/layout.ts';
import { SYMBOLICLIGHT, SYMBOLICLIGHT_KEYS, symbolicLightShapes } from '../model/symboliclight.ts';
import type { RandomTensor } from './random-source.ts';

/** The numbers of a shape, as far as they differ. */
type SpikingShape = Pick<
  SymbolicLightDescription,
  'variant' | 'layers' | 'width' | 'hidden' | 'heads' | 'headDim' | 'vocab' | 'trainedContext' | 'window' | 'anchors'
>;

/** The published variants; `symboliclight-tiny` is the one of tests. */
export const SPIKING_SHAPES: Readonly<Record<string, SpikingShape>> = {
  'symboliclight-tiny': {
    variant: '0.8b',
    layers: 2,
    width: 256,
    hidden: 768,
    heads: 4,
    headDim: 64,
    vocab: 512,
    trainedContext: 64,
    window: 32,
    anchors: 4,
  },
  'symboliclight-194m': {
    variant: '194m',
    layers: 12,
    width: 768,
    hidden: 4096,
    heads: 12,
    headDim: 64,
    vocab: 48000,
    trainedContext: 2048,
    window: 256,
    anchors: 4,
  },
  'symboliclight-0.8b': {
    variant: '0.8b',
    layers: 22,
    width: 1536,
    hidden: 6144,
    heads: 24,
    headDim: 64,
    vocab: 57344,
    trainedContext: 512,
    window: 512,
    anchors: 4,
  },
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

/** A shape with the constants that all variants share. */
export function spikingDescription(shape: SpikingShape): SymbolicLightDescription {
  return {
    ...shape,
    kind: 'symboliclight',
    architecture: SYMBOLICLIGHT,
    name: '',
    normEps: 1e-5,
    rope: { theta: 10000, dims: shape.headDim, pairing: 'halved', linear: 1 },
    threshold: 1,
    leak: 0.95,
    attention: true,
    dynamicPrior: true,
    parameters: 0,
  };
}

export function spikingMetadata(d: SymbolicLightDescription, name: string): Map<string, GgufEntry> {
  const numbers = { ...d, theta: d.rope.theta };
  const metadata = new Map<string, GgufEntry>([
    ['general.architecture', { type: 'string', value: SYMBOLICLIGHT }],
    ['general.name', { type: 'string', value: name }],
  ]);
  for (
    const [key, [, gguf]] of Object.entries(SYMBOLICLIGHT_KEYS) as [
      keyof typeof SYMBOLICLIGHT_KEYS,
      readonly [string, string],
    ][]
  ) {
    const value = numbers[key];
    const type = typeof value === 'boolean'
      ? 'bool'
      : key === 'threshold' || key === 'leak' || key === 'theta'
      ? 'float64'
      : 'uint32';
    metadata.set(`${SYMBOLICLIGHT}.${gguf}`, { type, value });
  }
  return metadata;
}

/**
 * Types go together as `convert` has them: head, prior and embedding of ternary and binary models are Q8_0, the embedding
 * of an I8 model F32, and rows that are no multiple of a block I8.
 * @param head type of output projection and prior instead
 */
export function spikingTensors(d: SymbolicLightDescription, type: TensorType, head?: TensorType): RandomTensor[] {
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
