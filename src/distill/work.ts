/**
 * What a thread of the trainer is asked to do, and does. Arrays are shared between threads; a message carries the rest.
 * @module
 */
import { type BatchReport, type GradientOptions, Gradients } from './gradients.ts';
import { loadJax } from './jax.ts';
import type { Slot } from './student.ts';
import type { Batch, LossWeights } from './types.ts';
import { averageGradients, type TrainingArrays, type Update, updateWeights } from './update.ts';

export type WorkRequest =
  | { readonly type: 'start'; readonly options: GradientOptions }
  | {
    /** Gradients of a batch → `arrays.gradients[index]`. */
    readonly type: 'gradients';
    readonly slots: readonly Slot[];
    readonly arrays: TrainingArrays;
    readonly index: number;
    readonly batch: Batch;
    readonly losses: LossWeights;
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
  /** Σ g² of each slot that was averaged. */
  readonly squares?: readonly number[];
  /** What went wrong. */
  readonly error?: string;
}

/** One thread's state and what it can do. */
export class Work {
  #gradients: Gradients | null = null;
  #options: GradientOptions | null = null;

  /** The engine of gradients, once started. */
  get gradients(): Gradients {
    if (!this.#gradients) throw new Error('a thread of the trainer was not started');
    return this.#gradients;
  }

  /** @throws {DistillError} `TRAINER` where jax-js cannot be loaded */
  async perform(request: WorkRequest): Promise<WorkAnswer> {
    switch (request.type) {
      case 'start': {
        this.#options = request.options;
        this.#gradients = new Gradients(await loadJax(), request.options);
        return {};
      }
      case 'gradients': {
        const { slots, arrays, index, batch, losses } = request;
        const out = arrays.gradients[index];
        return { report: this.gradients.gradients(slots, arrays.rounded, batch, losses, out) };
      }
      case 'average':
        return { squares: averageGradients(request.slots, request.arrays, request.count) };
      case 'update': {
        const { config } = this.#options as GradientOptions;
        updateWeights(request.slots, config, request.arrays, request.update);
        return {};
      }
    }
  }

  dispose(): void {
    this.#gradients?.dispose();
    this.#gradients = null;
  }
}
