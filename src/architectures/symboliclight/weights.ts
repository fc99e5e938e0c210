/**
 * Which weights a SymbolicLight model has, and where they lie once loaded.
 * @module
 */
import type { Container } from '../../container/tensor.ts';
import { columnSize } from '../../description/columns.ts';
import { packedSize } from '../../description/layout.ts';
import { packedBytes, vectorBytes } from '../../description/plan.ts';
import type { SymbolicLightDescription } from './description.ts';
import { FIXED_PRIOR_WEIGHT } from './description.ts';
import type { Arena, Ptr } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import type { Columns, Matrix, WeightLoader } from '../../wasm/weights.ts';

export interface SymbolicLightBlock {
  readonly tcam: Columns;
  readonly out: Matrix;
  /** Absent in a model without attention, and never read there. */
  readonly q: Matrix;
  readonly k: Matrix;
  readonly v: Matrix;
  readonly up: Matrix;
  readonly down: Columns;
  readonly norm: Ptr;
  readonly normBias: Ptr;
  readonly ffnNorm: Ptr;
  readonly ffnNormBias: Ptr;
  /** What a head keeps of its decaying state, (heads) f32: the logistic function of the stored parameter. */
  readonly decay: Ptr;
  /** Share of attention against decay, likewise. */
  gate: number;
  /** Lists of the matrices that read the same. */
  readonly inputs: Readonly<Record<'qkv' | 'out' | 'up', readonly Matrix[]>>;
}

/** What is added to the head's logits. */
export type Prior =
  | { readonly kind: 'dynamic'; readonly first: Matrix; readonly second: Matrix; weight: number }
  /** The stored vector, times its weight. */
  | { readonly kind: 'static'; readonly logits: Ptr; weight: number };

export interface SymbolicLightWeights {
  readonly embedding: Matrix;
  readonly norm: Ptr;
  readonly normBias: Ptr;
  readonly blocks: readonly SymbolicLightBlock[];
  readonly head: Matrix;
  readonly prior: Prior;
  readonly inputs: Readonly<Record<'head' | 'prior', readonly Matrix[]>>;
}

/** Bytes of the weights in memory, each tensor aligned to 64. */
export function symbolicLightWeightsBytes({ tensors }: Pick<Container, 'tensors'>): number {
  let bytes = 0;
  for (const info of tensors.values()) {
    if (info.name.endsWith('.scale')) continue; // the scales of an I8 matrix are counted with it
    if (info.shape.length !== 2) bytes += vectorBytes(info.shape[0] ?? 1);
    else if (isColumns(info.name)) bytes += packedBytes(columnSize(info));
    else if (!info.name.endsWith('_cached_mask')) bytes += packedBytes(packedSize(info));
  }
  return bytes;
}

/** Whether a matrix takes spikes and is stored by columns. */
function isColumns(name: string): boolean {
  return name.endsWith('.tcam_proj.weight') || name.endsWith('.ffn.down.weight');
}

/**
 * Reserves every weight.
 * @returns the weights, and what remains to be done once `loader.fill()` has settled: parameters become what is used
 */
export function symbolicLightWeights(
  d: SymbolicLightDescription,
  loader: WeightLoader,
): { weights: SymbolicLightWeights; finish(k: Kernels, arena: Arena): void } {
  const gates: Ptr[] = [];
  const blocks = Array.from({ length: d.layers }, (_, i): SymbolicLightBlock => {
    const tcam = `blocks.${i}.tcam`;
    const ffn = `blocks.${i}.ffn`;
    gates.push(loader.vector(`${tcam}.attn_gate`));
    const out = loader.matrix(`${tcam}.out_proj.weight`);
    const near = (
      part: string,
    ): Matrix => (d.attention ? loader.matrix(`${tcam}.sparse_attn.${part}_proj.weight`) : out);
    const decaying = loader.columns(`${tcam}.tcam_proj.weight`);
    const [q, k, v] = [near('q'), near('k'), near('v')];
    const up = loader.matrix(`${ffn}.up.weight`);
    return {
      tcam: decaying,
      out,
      q,
      k,
      v,
      up,
      inputs: { qkv: loader.sharing(q, k, v), out: [out], up: [up] },
      down: loader.columns(`${ffn}.down.weight`),
      norm: loader.vector(`${tcam}.norm.weight`),
      normBias: loader.vector(`${tcam}.norm.bias`),
      ffnNorm: loader.vector(`${ffn}.norm.weight`),
      ffnNormBias: loader.vector(`${ffn}.norm.bias`),
      decay: loader.vector(`${tcam}.decay_raw`),
      gate: 0,
    };
  });
  const weight = loader.vector('output_head.prior_weight');
  const prior: Prior = d.dynamicPrior
    ? {
      kind: 'dynamic',
      first: loader.matrix('output_head.prior_net.0.weight'),
      second: loader.matrix('output_head.prior_net.2.weight'),
      weight: FIXED_PRIOR_WEIGHT,
    }
    : { kind: 'static', logits: loader.vector('output_head.log_prior'), weight: FIXED_PRIOR_WEIGHT };
  const embedding = loader.matrix('spike_encoder.frontend.text_embedding.weight');
  const head = loader.matrix('output_head.output_proj.weight');
  const { first, second } = prior.kind === 'dynamic' ? prior : {};
  const weights = {
    embedding,
    norm: loader.vector('spike_encoder.norm.weight'),
    normBias: loader.vector('spike_encoder.norm.bias'),
    blocks,
    head,
    prior,
    inputs: { head: first ? loader.sharing(head, first) : [head], prior: second ? [second] : [] },
  };
  const finish = (k: Kernels, arena: Arena): void => {
    blocks.forEach((block, i) => {
      k.math_sigmoid_f32(block.decay, block.decay, d.heads);
      k.math_sigmoid_f32(gates[i], gates[i], 1);
      block.gate = arena.f32(gates[i], 1)[0];
    });
    if (weight) prior.weight = arena.f32(weight, 1)[0];
    if (prior.kind === 'static') k.scale_f32(prior.logits, prior.weight, d.vocab);
  };
  return { weights, finish };
}
