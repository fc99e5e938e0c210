/**
 * What the trainer asks of a student: its tensors, how they are rounded, and gradients of a batch. Each kind of student is a room of
 * its own under `students/`.
 * @module
 */
import type { Slot } from './slots.ts';
import type { TrainingArrays } from './update.ts';

/** What a batch came to. */
export interface BatchReport {
  readonly loss: number;
  readonly soft: number;
  readonly hard: number;
  readonly hidden: number;
  readonly attention?: number;
  readonly rates: readonly number[];
  /** A number of every part in the order of the forward pass; not finite where something overflowed. */
  readonly sizes: readonly number[];
}

/** Gradients on one thread. B is a batch, L weights of losses, F what a forward pass alone gives. */
export interface GradientEngine<B, L, F> {
  /** Loss of a batch and its gradients, which overwrite `out`. @param arrays of the student; `rounded` is what is computed with */
  gradients(slots: readonly Slot[], arrays: TrainingArrays, batch: B, losses: L, out: Float32Array): BatchReport;
  forward(slots: readonly Slot[], arrays: TrainingArrays, batch: B): F;
  dispose(): void;
}

/** One kind of student. O is what a thread needs to know. */
export interface StudentKind<C, B, L, F, O> {
  readonly name: string;
  slots(config: C): Slot[];
  initialise(config: C, slots: readonly Slot[], latent: Float32Array, seed: number, options: O): void;
  /** Latent weights of `slots` → those that the forward pass uses. */
  round(config: C, slots: readonly Slot[], arrays: TrainingArrays): void;
  /** The learning rate of a tensor, as a share of the step's; 1 unless told. */
  share?(slot: Slot, latent: Float32Array): number;
  /** @throws {OptionError} `OPTION` */
  checkBatch(config: C, batch: B, losses: L): void;
  /** Tensors that a loss needs besides the student's own, such as projections. */
  added?(config: C, batch: B, losses: L): (readonly [string, readonly number[]])[];
  /** Whether a key of a state is of such a tensor. */
  isAdded?(key: string): boolean;
  /** How a part of `sizes` is called. */
  partName(index: number, count: number): string;
  engine(options: O): Promise<GradientEngine<B, L, F>>;
}

/** Any kind, for code that only passes things on. */
// deno-lint-ignore no-explicit-any
export type AnyKind = StudentKind<any, any, any, any, any>;

/** The kinds by name: a thread loads the one it works for. */
export async function studentKind(name: string): Promise<AnyKind> {
  if (name === 'bert') return (await import('./students/bert/kind.ts')).bertKind;
  if (name === 'spikingbert') return (await import('./students/spikingbert/kind.ts')).spikingBertKind;
  return (await import('./students/symboliclight/kind.ts')).symbolicLightKind;
}
