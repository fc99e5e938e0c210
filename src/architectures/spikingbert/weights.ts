/**
 * Which weights a spiking BERT has, and where they lie once loaded.
 * @module
 */
import type { SpikingBertDescription } from './description.ts';
import { isRowScaled, SPIKINGBERT_LINEARS } from './description.ts';
import type { Ptr } from '../../wasm/arena.ts';
import type { Matrix, WeightLoader } from '../../wasm/weights.ts';

type Linear = keyof typeof SPIKINGBERT_LINEARS;

/**
 * One encoder. The matrices take spikes: `trit2`, `bit1` and `i8` with one f32 scale per row, or `f32`. Biases
 * and norms are f32, padded with zeros.
 */
export type SpikingBertEncoder =
  & { readonly [name in Linear]: Matrix }
  & { readonly [name in `${Linear}Bias` | 'outNorm' | 'outNormBias' | 'downNorm' | 'downNormBias']: Ptr };

/** Read-only after load. */
export interface SpikingBertWeights {
  /** Tables in any layout that `readRow` takes: of tokens, positions and segments. */
  readonly words: Matrix;
  readonly positions: Matrix;
  readonly segments: Matrix;
  readonly norm: Ptr;
  readonly normBias: Ptr;
  readonly encoders: readonly SpikingBertEncoder[];
  /** (classes, width) f32. */
  readonly classifier: Matrix;
  readonly classifierBias: Ptr;
}

/** Reserves every weight; they hold values once `loader.fill()` has settled. @param loader of `spikingBertTensors` */
export function spikingBertWeights(d: SpikingBertDescription, loader: WeightLoader): SpikingBertWeights {
  const table = (name: string): Matrix => {
    const full = `network_x.${name}_embeddings.weight`;
    return loader.matrix(full, isRowScaled(loader.info(full)));
  };
  const encoders = Array.from({ length: d.layers }, (_, layer): SpikingBertEncoder => {
    const encoder: Partial<Record<keyof SpikingBertEncoder, Matrix | Ptr>> = {};
    for (const [name, [n, part]] of Object.entries(SPIKINGBERT_LINEARS)) {
      const net = `network_s${6 * layer + n}`;
      encoder[name as Linear] = loader.matrix(`${net}.${part}.weight`, true);
      encoder[`${name as Linear}Bias`] = loader.vector(`${net}.${part}.bias`);
      if (name !== 'out' && name !== 'down') continue;
      encoder[`${name}Norm`] = loader.vector(`${net}.LayerNorm.weight`);
      encoder[`${name}NormBias`] = loader.vector(`${net}.LayerNorm.bias`);
    }
    return encoder as SpikingBertEncoder;
  });
  return {
    words: table('word'),
    positions: table('position'),
    segments: table('token_type'),
    norm: loader.vector('network_x.LayerNorm.weight'),
    normBias: loader.vector('network_x.LayerNorm.bias'),
    encoders,
    classifier: loader.matrix('classification.weight', true),
    classifierBias: loader.vector('classification.bias'),
  };
}
