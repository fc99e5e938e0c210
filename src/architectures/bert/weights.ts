/**
 * Which weights a BERT has, and where they lie once loaded.
 * @module
 */
import type { Ptr } from '../../wasm/arena.ts';
import type { Matrix, WeightLoader } from '../../wasm/weights.ts';
import { BERT_MATRICES, type BertDescription } from './description.ts';

type MatrixName = keyof typeof BERT_MATRICES;

export interface BertLayer extends Readonly<Record<MatrixName, Matrix>> {
  /** 0 where the model has none. */
  readonly bias: Readonly<Record<MatrixName, Ptr>>;
  readonly attnNorm: Ptr;
  readonly attnNormBias: Ptr;
  readonly outputNorm: Ptr;
  readonly outputNormBias: Ptr;
  /** Lists of the matrices that read the same. */
  readonly inputs: Readonly<Record<'qkv' | 'o' | 'up' | 'down', readonly Matrix[]>>;
}

/** Read-only after load. */
export interface BertWeights {
  readonly words: Matrix;
  readonly positions: Matrix;
  readonly segments: Matrix | null;
  readonly norm: Ptr;
  readonly normBias: Ptr;
  readonly layers: readonly BertLayer[];
  readonly pooler: Matrix | null;
  readonly poolerBias: Ptr;
  readonly classifier: Matrix | null;
  readonly classifierBias: Ptr;
}

/** Reserves every weight; they hold values once `loader.fill()` has settled. */
export function bertWeights(d: BertDescription, loader: WeightLoader): BertWeights {
  const optional = (name: string): Matrix | null => (loader.has(name) ? loader.matrix(name) : null);
  return {
    words: loader.matrix('token_embd.weight'),
    positions: loader.matrix('position_embd.weight'),
    segments: optional('token_types.weight'),
    norm: loader.vector('token_embd_norm.weight'),
    normBias: loader.vector('token_embd_norm.bias'),
    layers: Array.from({ length: d.layers }, (_, l): BertLayer => {
      const each = <T>(read: (name: string) => T): Record<MatrixName, T> =>
        Object.fromEntries(
          Object.entries(BERT_MATRICES).map(([key, name]) => [key, read(`blk.${l}.${name}`)]),
        ) as Record<
          MatrixName,
          T
        >;
      const matrices = each((name) => loader.matrix(`${name}.weight`));
      const { q, k, v, o, up, down } = matrices;
      return {
        ...matrices,
        bias: each((name) => loader.vector(`${name}.bias`)),
        attnNorm: loader.vector(`blk.${l}.attn_output_norm.weight`),
        attnNormBias: loader.vector(`blk.${l}.attn_output_norm.bias`),
        outputNorm: loader.vector(`blk.${l}.layer_output_norm.weight`),
        outputNormBias: loader.vector(`blk.${l}.layer_output_norm.bias`),
        inputs: { qkv: loader.sharing(q, k, v), o: [o], up: [up], down: [down] },
      };
    }),
    pooler: optional('cls.weight'),
    poolerBias: loader.vector('cls.bias'),
    classifier: optional('cls.output.weight'),
    classifierBias: loader.vector('cls.output.bias'),
  };
}
