/**
 * A run over windows of text: what the common run asks of a student that writes.
 * @module
 */
import { OptionError } from '../../../errors.ts';
import { type Measured, train as trainAny, type TrainParts as CommonParts, type TrainResult } from '../../run.ts';
import { learningRate } from '../../schedule.ts';
import type { Windows } from './data.ts';
import { lossWeights, type TrainSettings } from './settings.ts';
import type { Batch, LossWeights, Trainer, TrainerState } from './types.ts';

export interface TrainParts
  extends Pick<CommonParts<Batch, LossWeights>, 'folder' | 'options' | 'from' | 'page' | 'signal' | 'onEvent'> {
  readonly trainer: Trainer;
  readonly windows: Windows;
  /** Adds what the teacher says. @param ids batch × (seq + 1) */
  batch(ids: Int32Array): Promise<Batch>;
  /** Windows to measure on, of seq + 1 ids each. */
  readonly held: readonly Int32Array[];
  readonly hiddenPairs: LossWeights['hiddenPairs'];
  readonly settings: TrainSettings;
  /** What a student in this state writes. */
  sample?(state: TrainerState): Promise<string>;
}

/**
 * Trains to the end.
 * @throws {OptionError} `OPTION` where too little text is left to measure on; what the common run throws
 */
export async function train(parts: TrainParts): Promise<TrainResult> {
  const { trainer, windows, batch, held, hiddenPairs, settings, sample: _sample, ...common } = parts;
  if (held.length < settings.batch) {
    throw new OptionError(
      'OPTION',
      `the held-out text has ${held.length} windows of ${settings.seq}, at least one batch of ` +
        `${settings.batch} is needed; use a longer text, a larger --holdout or --eval-data`,
    );
  }
  return await trainAny({
    ...common,
    trainer,
    settings,
    feed: {
      take() {
        const rows = Array.from({ length: settings.accumulate }, () => windows.take(settings.batch));
        return async () => {
          const batches: Batch[] = [];
          for (const ids of rows) batches.push(await batch(ids));
          return batches;
        };
      },
      state: () => windows.state(),
      restore: (state) => windows.restore(state),
    },
    tokens: ({ batch, length }) => batch * length,
    plan: (step, progress) => ({
      lr: learningRate({ rate: settings.lr, warmup: settings.warmup, floor: settings.floor }, step, progress),
      losses: lossWeights(settings, hiddenPairs, progress),
    }),
    measure: () => measure(parts),
    layerName: (layer) => (layer === 0 ? 'the encoder' : `block ${Math.floor((layer - 1) / 3)}`),
  });
}

async function measure({ trainer, held, settings, sample, signal }: TrainParts): Promise<Measured> {
  const { batch, seq } = settings;
  let loss = 0;
  let rates: number[] = [];
  const passes = Math.floor(Math.min(held.length, Math.max(batch, settings.evalWindows)) / batch);
  for (let i = 0; i < passes; i++) {
    signal?.throwIfAborted();
    const ids = new Int32Array(batch * (seq + 1));
    for (let b = 0; b < batch; b++) ids.set(held[i * batch + b], b * (seq + 1));
    const result = await trainer.evaluate({ batch, length: seq, ids });
    loss += result.loss / passes;
    rates = result.firingRates.map((rate, layer) => (rates[layer] ?? 0) + rate / passes);
  }
  const text = sample && Number.isFinite(loss) ? await sample(await trainer.save()) : undefined;
  return { loss, perplexity: Math.exp(loss), firingRates: rates, ...(text !== undefined && { sample: text }) };
}
