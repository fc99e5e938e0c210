/**
 * A dense BERT in training: its numbers, and where its tensors lie.
 * @module
 */
import { BERT_MATRICES, BERT_NORMS, type BertDescription } from '../../../architectures/bert/description.ts';
import { flatLength, type Slot, slotsOf } from '../../slots.ts';

/** Everything that fixes the numbers of a forward pass. */
export interface DenseBert {
  readonly width: number;
  readonly hidden: number;
  readonly heads: number;
  readonly layers: number;
  readonly vocab: number;
  readonly context: number;
  readonly segments: number;
  readonly normEps: number;
  /** Between the pooler and the classifier. */
  readonly headActivation: 'tanh' | 'relu';
  /** Outputs; 1 for a regression. */
  readonly classes: number;
  /** Share of the states that training leaves out: after the embedding, the attention, the feed-forward and the pooler. */
  readonly dropout: number;
  /** Whether the tables of tokens, positions and segments learn too. */
  readonly trainTables: boolean;
}

export const TABLES = ['token_embd.weight', 'position_embd.weight', 'token_types.weight'] as const;
export const EMBEDDING_NORM = 'token_embd_norm';
export const POOLER = 'cls';
export const CLASSIFIER = 'cls.output';

/** The matrix of a layer, by the names of llama.cpp. */
export function matrixName(layer: number, matrix: keyof typeof BERT_MATRICES): string {
  return `blk.${layer}.${BERT_MATRICES[matrix]}`;
}

/** The normalisation after the attention or the feed-forward. */
export function normName(layer: number, norm: keyof typeof BERT_NORMS): string {
  return `blk.${layer}.${BERT_NORMS[norm]}`;
}

/** Rows and columns of a matrix of a layer. */
export function matrixShape({ width, hidden }: DenseBert, matrix: keyof typeof BERT_MATRICES): [number, number] {
  return [matrix === 'up' ? hidden : width, matrix === 'down' ? hidden : width];
}

/** The numbers of a base, with a classifier of `classes` outputs. */
export function denseBert(
  d: BertDescription,
  choices: Pick<DenseBert, 'classes' | 'dropout' | 'trainTables'>,
): DenseBert {
  const { width, hidden, heads, layers, vocab, normEps, headActivation, trainedContext } = d;
  const segments = Math.max(2, d.segments); // pairs have two, whether the base tells them apart or not
  return {
    width,
    hidden,
    heads,
    layers,
    vocab,
    segments,
    normEps,
    headActivation,
    context: trainedContext,
    ...choices,
  };
}

/** All tensors with their shapes: the tables first, so that all others lie together. */
function* shapes(m: DenseBert): Generator<readonly [name: string, shape: readonly number[]]> {
  yield [TABLES[0], [m.vocab, m.width]];
  yield [TABLES[1], [m.context, m.width]];
  yield [TABLES[2], [m.segments, m.width]];
  const vectors = ['weight', 'bias'];
  for (const kind of vectors) yield [`${EMBEDDING_NORM}.${kind}`, [m.width]];
  for (let layer = 0; layer < m.layers; layer++) {
    for (const matrix of Object.keys(BERT_MATRICES) as (keyof typeof BERT_MATRICES)[]) {
      const [rows, cols] = matrixShape(m, matrix);
      yield [`${matrixName(layer, matrix)}.weight`, [rows, cols]];
      yield [`${matrixName(layer, matrix)}.bias`, [rows]];
    }
    for (const norm of Object.keys(BERT_NORMS) as (keyof typeof BERT_NORMS)[]) {
      for (const kind of vectors) yield [`${normName(layer, norm)}.${kind}`, [m.width]];
    }
  }
  yield [`${POOLER}.weight`, [m.width, m.width]];
  yield [`${POOLER}.bias`, [m.width]];
  yield [`${CLASSIFIER}.weight`, [m.classes, m.width]];
  yield [`${CLASSIFIER}.bias`, [m.classes]];
}

/** Where every tensor of the file lies. */
export function allSlots(m: DenseBert): Slot[] {
  return slotsOf(shapes(m));
}

/** Where every tensor lies that learns. */
export function denseSlots(m: DenseBert): Slot[] {
  return slotsOf([...shapes(m)].filter(([name]) => m.trainTables || !isTable(name)));
}

export function isTable(name: string): boolean {
  return (TABLES as readonly string[]).includes(name);
}

/** The slots after the tables as they lie in an array of their own, and where that begins among `slots`. */
export function innerSlots(
  slots: readonly Slot[],
): { readonly slots: Slot[]; readonly from: number; readonly size: number } {
  const inner = slots.filter(({ key }) => !isTable(key));
  const from = inner[0].at;
  const moved = inner.map((slot) => ({ ...slot, at: slot.at - from }));
  return { slots: moved, from, size: flatLength(moved) };
}
