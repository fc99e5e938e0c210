/**
 * A trainer that learns nothing and is quick: every number that it gives depends on its state and on what it was fed, so
 * that a run which was cut off and a run which was not can be compared.
 * @module
 */
import { symbolicLightShapes } from '../../src/architectures/symboliclight/description.ts';
import { Rng } from '../../src/sample/rng.ts';
import type {
  Batch,
  StepReport,
  StudentConfig,
  Trainer,
  TrainerState,
} from '../../src/distill/students/symboliclight/types.ts';

/** What can go wrong with it. */
export interface Faults {
  /** The step whose loss is NaN. */
  readonly notFiniteAt?: number;
  /** Called after each step. */
  readonly afterStep?: (step: number) => void;
}

export function fakeTrainer(config: StudentConfig, seed: number, faults: Faults = {}): Trainer {
  const { layers, width, ffn, heads, vocab } = config;
  const rng = new Rng(seed);
  const shapes = symbolicLightShapes({
    variant: '0.8b',
    layers,
    width,
    hidden: ffn,
    heads,
    vocab,
    attention: true,
    dynamicPrior: true,
  });
  let step = 0;
  let tensors = new Map([...shapes].map(([name, shape]) => {
    const mean = name.endsWith('norm.weight') ? 1 : 0;
    const size = shape.reduce((a, b) => a * b, 1);
    return [name, {
      shape,
      data: Float32Array.from({ length: size }, () => mean + 0.2 * (rng.uniform() - 0.5)),
    }] as const;
  }));
  tensors.set('adam.m.output_head.prior_weight', { shape: [], data: new Float32Array(1) });
  const moved = (): number => tensors.get('adam.m.output_head.prior_weight')!.data[0];
  const rates = (): number[] => Array.from({ length: 1 + 3 * layers }, (_, i) => 0.1 + 0.01 * i);
  const sumOf = ({ ids, teacherLogits }: Batch): number =>
    ids.reduce((sum, id, i) => (sum * 31 + id * (i + 1)) % 65521, 1) + (teacherLogits ? teacherLogits[0] : 0);
  return {
    config,
    parameters: [...shapes.values()].reduce((n, shape) => n + shape.reduce((a, b) => a * b, 1), 0),
    async step(batches, lr, weights): Promise<StepReport> {
      step++;
      const pull = batches.reduce((sum, batch) => sum + sumOf(batch), 0) / batches.length;
      const state = tensors.get('adam.m.output_head.prior_weight')!.data;
      state[0] = 0.9 * state[0] + lr * weights.alpha * Math.sin(pull);
      tensors.get('output_head.output_proj.weight')!.data[step % 100] += state[0];
      faults.afterStep?.(step);
      const loss = step === faults.notFiniteAt ? NaN : 5 / step + state[0];
      return { loss, soft: loss, hard: loss + 0.1, hidden: 0, gradientNorm: 1 + state[0], firingRates: rates() };
    },
    async evaluate(batch) {
      return { loss: 2 + moved() + sumOf(batch) * 1e-6, firingRates: rates() };
    },
    forward: () => Promise.reject(new Error('not here')),
    async save(): Promise<TrainerState> {
      return {
        step,
        tensors: new Map([...tensors].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }])),
      };
    },
    async load(state) {
      step = state.step;
      tensors = new Map([...state.tensors].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]));
    },
    dispose() {},
  };
}
