/**
 * Where a run stands in the phases of its recipe.
 * @module
 */
import type { Course, Phase } from './config.ts';
import type { Plan } from '../../run.ts';
import type { SpikingLosses } from './losses.ts';

export class Recipe {
  readonly phases: readonly Phase[];
  /** Updates of all phases. */
  readonly steps: number;
  /** As far as the clock has brought a run that ends by it, in updates. */
  #reached: number;

  /** @param progress share of the run that is behind, of one that is taken up */
  constructor(phases: readonly Phase[], progress: number = 0) {
    this.phases = phases;
    this.steps = phases.reduce((sum, { steps }) => sum + steps, 0);
    this.#reached = Math.min(1, progress) * this.steps;
  }

  /** The phase of an update. */
  phaseOf(step: number): number {
    return this.#place(step).phase;
  }

  /** Learning rate and weights of an update. @param progress share of the run that is behind: by steps, or by the clock */
  plan(step: number, progress: number): Plan<SpikingLosses> {
    this.#reached = Math.max(this.#reached, Math.min(1, progress) * this.steps);
    const { phase, done } = this.#place(step);
    const p = this.phases[phase];
    const share = Math.min(1, done / p.steps);
    const at = (course: Course): number =>
      typeof course === 'number' ? course : course[0] + (course[1] - course[0]) * share;
    const rise = Math.min(1, (done + 1) / Math.max(1, p.warmup));
    const fall = 1 - (1 - p.floor) * share;
    const before = this.phases[phase - 1];
    return {
      lr: p.lr * Math.min(rise, fall),
      losses: {
        kind: p.kind,
        timeSteps: p.timeSteps,
        hidden: at(p.hidden),
        attention: at(p.attention),
        soft: at(p.soft),
        hard: at(p.hard),
        rate: at(p.rate),
        temperature: p.temperature,
        targetRate: p.targetRate,
        // of a first phase norms are made to fit with the first weights
        fit: done === 0 && p.kind !== 'rates' && before?.kind === 'rates',
      },
    };
  }

  #place(step: number): { readonly phase: number; readonly done: number } {
    let done = Math.max(step, Math.floor(this.#reached));
    for (const [phase, { steps }] of this.phases.entries()) {
      if (done < steps || phase === this.phases.length - 1) return { phase, done };
      done -= steps;
    }
    return { phase: 0, done };
  }
}
