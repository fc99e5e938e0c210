/**
 * SymbolicLight models of known shapes: metadata and tensors for random weights.
 * @module
 */
import type { GgufEntry, GgufTensor } from '../container/gguf-write.ts';
import type { TensorType } from '../container/tensor.ts';
import type { SymbolicLightDescription } from '../model/description.ts';
import { SYMBOLICLIGHT, SYMBOLICLIGHT_KEYS, symbolicLightShapes } from '../model/symboliclight.ts';

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

/** Types of the matrices; everything else is F32. */
export const SPIKING_TYPES: Readonly<Record<string, TensorType>> = { f32: 'F32', f16: 'F16', bf16: 'BF16' };

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
      ? 'float32'
      : 'uint32';
    metadata.set(`${SYMBOLICLIGHT}.${gguf}`, { type, value });
  }
  return metadata;
}

export function spikingTensors(d: SymbolicLightDescription, type: TensorType): GgufTensor[] {
  return [...symbolicLightShapes(d)].map(([name, shape]) => ({
    name,
    type: shape.length === 2 ? type : 'F32',
    shape: shape.length === 0 ? [1] : shape, // GGUF has no scalars
  }));
}
