/**
 * What passes between the parts of a distillation: the student's numbers, batches, and what a step reports.
 * @module
 */
import type { AnyTrainer } from '../../types.ts';

/** How the block matrices of a student are rounded in the forward pass. */
export type StudentQuantisation = 'none' | 'ternary' | 'binary';
/** How the embedding and the head are kept. */
export type TableQuantisation = 'none' | 'int8' | 'ternary';
/** Shape of the derivative that stands for that of the threshold. */
export type Surrogate = 'arctan' | 'sigmoid' | 'triangle';

/** A SymbolicLight student. Field names of the shape follow the released checkpoints' `config`. */
export interface StudentConfig {
  readonly vocab: number;
  /** Like ffn a multiple of 256 for ternary matrices and of 128 for binary ones: rows fill whole blocks. */
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly ffn: number;
  readonly context: number;
  readonly window: number;
  readonly anchors: number;
  readonly threshold: number;
  readonly leak: number;
  readonly quantisation: StudentQuantisation;
  readonly tables: TableQuantisation;
  readonly surrogate: Surrogate;
  /** Of the surrogate: steepness of arctan and sigmoid, so that larger is narrower; half the base of the triangle. */
  readonly surrogateWidth: number;
  /** Tokens over which the membrane's recursion carries gradients. */
  readonly truncation: number;
}

/** B rows of S + 1 ids: the first S are read, the last S are to be said. */
export interface Batch {
  readonly batch: number;
  readonly length: number;
  /** B × (S + 1). */
  readonly ids: Int32Array;
  /** B × S × vocab, of the teacher; absent for hard labels alone. */
  readonly teacherLogits?: Float32Array;
  /** One B × S × teacherWidth per distilled layer. */
  readonly teacherHidden?: readonly Float32Array[];
}

export interface LossWeights {
  /** Weight of the soft cross-entropy; the hard one has 1 − alpha. */
  readonly alpha: number;
  readonly temperature: number;
  /** Weight of the hidden-state loss, and which student blocks learn which teacher layers. */
  readonly hidden: number;
  readonly hiddenPairs: readonly { readonly student: number; readonly teacher: number }[];
  /** Weight of (firing rate − target)²; 0 leaves rates alone. */
  readonly rate: number;
  readonly targetRate: number;
}

/** A trainer of such a student. */
export interface Trainer extends AnyTrainer<StudentConfig, Batch, LossWeights> {
  /** Mean hard cross-entropy in nats over all positions, and firing rates, without learning. */
  evaluate(batch: Batch): Promise<{ loss: number; firingRates: readonly number[] }>;
  /** Logits S × vocab of one row of ids and the spikes of every layer of neurons, as the quantised forward makes them. */
  forward(ids: ArrayLike<number>): Promise<{ logits: Float32Array; spikes: readonly Uint8Array[] }>;
}

export type { StepReport, TrainerState } from '../../types.ts';
