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
  steps: { kind: 'integer', least: 1, value: 'T', help: "time steps; default the model's" },
  'v-th': { kind: 'number', value: 'V', help: "potential from which neurons fire; default the model's" },
  leak: { kind: 'number', least: 0, value: 'L', help: "what is left of a membrane after a step; default the model's" },
  'v-init': { kind: 'number', value: 'V', help: "membrane before the first step; default the model's" },
  'early-exit': {
    kind: 'number',
    least: 0,
    value: 'MARGIN',
    help: 'end once the best logit leads by MARGIN at two looks; default never',
  },
  'exit-every': { kind: 'integer', least: 1, help: 'steps between two looks of --early-exit; default 8' },
  rate: { kind: 'flag', help: 'one pass of rates instead of spikes; faster, and not the same' },
  'max-length': { kind: 'integer', least: 4, help: 'cut texts to N tokens' },
  tokenizer: { kind: 'text', value: 'FILE', help: "a tokenizer instead of the model's, such as vocab.txt" },
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
    throw new UsageError('--rate has no time steps: leave --steps, --leak, --v-init and --early-exit out');
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
