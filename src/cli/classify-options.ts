/**
 * What the commands that classify have in common: options of a run, and what they mean to the library.
 * @module
 */
import type { ClassifyOptions } from '../forward/classifier.ts';
import type { Model } from '../model/model.ts';
import type { ActivationType } from '../wasm/load-options.ts';
import { UsageError } from './args.ts';
import type { Context } from './command.ts';
import { load } from './load.ts';
import { tokenizerOfFile } from './tokenizer-file.ts';
import { withModel } from './stored.ts';

/** Options of a run over time steps. */
export const STEP_OPTIONS = {
  steps: { kind: 'integer', least: 1, value: 'T', help: "number of time steps; default: the model's" },
  'v-th': { kind: 'number', value: 'V', help: "firing threshold; default: the model's" },
  leak: {
    kind: 'number',
    least: 0,
    value: 'L',
    help: "fraction of a membrane potential left after a step; default: the model's",
  },
  'v-init': { kind: 'number', value: 'V', help: "membrane potential before the first step; default: the model's" },
  'early-exit': {
    kind: 'number',
    least: 0,
    value: 'MARGIN',
    help: 'stop once the best logit leads by MARGIN at two checks in a row; default: never',
  },
  'exit-every': { kind: 'integer', least: 1, help: 'steps between checks of --early-exit; default: 8' },
  rate: { kind: 'flag', help: 'one pass of firing rates instead of spikes; faster, but a different function' },
  'max-length': { kind: 'integer', least: 4, help: 'truncate texts to N tokens' },
  tokenizer: { kind: 'text', value: 'FILE', help: "use this tokenizer instead of the model's, such as vocab.txt" },
} as const;

/** The values of `STEP_OPTIONS`. */
export interface StepValues {
  readonly steps?: number;
  readonly 'v-th'?: number;
  readonly leak?: number;
  readonly 'v-init'?: number;
  readonly 'early-exit'?: number;
  readonly 'exit-every'?: number;
  readonly rate?: boolean;
  readonly 'max-length'?: number;
  readonly tokenizer?: string;
}

/** What of them the library takes. @throws {UsageError} for options that contradict each other */
export function classifyOptions(values: StepValues): Omit<ClassifyOptions, 'signal' | 'stretchMs'> {
  const { steps, leak, rate, 'v-th': threshold, 'v-init': initial, 'early-exit': margin, 'exit-every': every } = values;
  const { 'max-length': maxLength } = values;
  if (every !== undefined && margin === undefined) throw new UsageError('--exit-every needs --early-exit');
  if (rate && (steps ?? leak ?? initial ?? margin) !== undefined) {
    throw new UsageError('--rate has no time steps: omit --steps, --leak, --v-init and --early-exit');
  }
  return {
    steps,
    threshold,
    leak,
    initial,
    rate,
    maxLength,
    earlyExit: margin === undefined ? undefined : { margin, every },
  };
}

/** How a classifier is opened. */
export interface OpenValues extends StepValues {
  readonly build?: 'base' | 'relaxed';
  readonly activations?: ActivationType;
  readonly threads?: number;
}

/** Opens a classifier. @throws what `open` throws */
export async function openClassifier(path: string, values: OpenValues, context: Context): Promise<Model> {
  const tokenizer = values.tokenizer === undefined ? undefined : await tokenizerOfFile(values.tokenizer, context);
  const { build, activations, threads } = values;
  return await withModel(path, context, (source) => load(source, { build, activations, threads, tokenizer }, context));
}
