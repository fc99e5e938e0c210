/**
 * What a thread of the trainer is asked to do, and does. Arrays are shared between threads; a message carries the rest.
 * @module
 */
import type { Slot } from './slots.ts';
import { type AnyKind, type BatchReport, type GradientEngine, studentKind } from './student.ts';
import { averageGradients, type TrainingArrays, type Update, updateWeights } from './update.ts';

export type WorkRequest =
  | {
    /** `kind` names the student; `options` are what its engine needs. */
    readonly type: 'start';
    readonly kind: string;
    readonly config: unknown;
    readonly options: unknown;
  }
  | {
    /** Gradients of a batch → `arrays.gradients[index]`. */
    readonly type: 'gradients';
    readonly slots: readonly Slot[];
    readonly arrays: TrainingArrays;
    readonly index: number;
    readonly batch: unknown;
    readonly losses: unknown;
  }
  | {
    /** A forward pass alone. */
    readonly type: 'forward';
    readonly slots: readonly Slot[];
    readonly arrays: TrainingArrays;
    readonly batch: unknown;
  }
  | {
    readonly type: 'average';
    readonly slots: readonly Slot[];
    readonly arrays: TrainingArrays;
    readonly count: number;
  }
  | {
    readonly type: 'update';
    readonly slots: readonly Slot[];
    readonly arrays: TrainingArrays;
    readonly update: Update;
  };

/** What a thread answers. */
export interface WorkAnswer {
  /** Of a batch. */
  readonly report?: BatchReport;
  /** Of a forward pass. */
  readonly forward?: unknown;
  /** Σ g² of each slot that was averaged. */
  readonly squares?: readonly number[];
  /** What went wrong. */
  readonly error?: string;
}

/** One thread's state and what it can do. */
export class Work {
  #engine: GradientEngine<unknown, unknown, unknown> | null = null;
  #kind: AnyKind | null = null;
  #config: unknown;

  /** @throws {DistillError} `TRAINER` where what the student needs cannot be loaded */
  async perform(request: WorkRequest): Promise<WorkAnswer> {
    if (request.type === 'start') {
      this.#kind = await studentKind(request.kind);
      this.#config = request.config;
      this.#engine = await this.#kind.engine(request.options);
      return {};
    }
    if (!this.#engine || !this.#kind) throw new Error('a thread of the trainer was not started');
    const { slots, arrays } = request;
    switch (request.type) {
      case 'gradients': {
        const { index, batch, losses } = request;
        return { report: this.#engine.gradients(slots, arrays, batch, losses, arrays.gradients[index]) };
      }
      case 'forward':
        return { forward: this.#engine.forward(slots, arrays, request.batch) };
      case 'average':
        return { squares: averageGradients(slots, arrays, request.count) };
      case 'update': {
        updateWeights(this.#kind, this.#config, slots, arrays, request.update);
        return {};
      }
    }
  }

  dispose(): void {
    this.#engine?.dispose();
    this.#engine = null;
  }
}
