/**
 * What passes between a run and a trainer, whatever the student.
 * @module
 */

/** What an update came to; means over its batches. */
export interface StepReport {
  readonly loss: number;
  /** Against the teacher's logits. */
  readonly soft: number;
  /** Against the text or the labels. */
  readonly hard: number;
  /** Of hidden states, before its weight. */
  readonly hidden: number;
  /** Of attention scores, before its weight, where they are learnt. */
  readonly attention?: number;
  readonly gradientNorm: number;
  /** Per layer of neurons, in the order of the student. */
  readonly firingRates: readonly number[];
}

/** A tensor of a state. */
export interface StateTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Everything a run needs to go on to the same numbers. */
export interface TrainerState {
  readonly step: number;
  /** Latent weights by checkpoint key, and `adam.m.`/`adam.v.` of each. */
  readonly tensors: ReadonlyMap<string, StateTensor>;
}

/** What trains a student. C its shape, B a batch, L the weights of its losses. */
export interface AnyTrainer<C, B, L> {
  readonly config: C;
  readonly parameters: number;
  /** One update from the mean gradient of the batches (accumulation). @param lr learning rate of this step */
  step(batches: readonly B[], lr: number, weights: L): Promise<StepReport>;
  save(): Promise<TrainerState>;
  load(state: TrainerState): Promise<void>;
  dispose(): void;
}
