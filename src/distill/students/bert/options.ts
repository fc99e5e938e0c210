/**
 * What fine-tuning is asked for, tells, and answers.
 * @module
 */
import type { ModelSource } from '../../../bytes/resolve.ts';
import type { GlueTask } from '../../../eval/glue-tasks.ts';
import { ANY, CALL, FLAG, LIST, number, OBJECT, type Rules, SIGNAL, TEXT, whole } from '../../../options.ts';
import type { TrainEvent } from '../../run.ts';
import { checkedNumbers } from '../../settings.ts';
import type { Best } from './best.ts';
import type { LabelledText } from './texts.ts';

/** Numbers of a run. */
export interface FinetuneSettings {
  /** How often every text is learnt from. */
  readonly epochs: number;
  /** Ends the run after so many minutes; the learning rate then follows the clock where that is ahead. 0: no limit. */
  readonly minutes: number;
  /** Highest learning rate; it rises over `warmup` of the run and falls in a line to 0. */
  readonly lr: number;
  /** A share of the run. */
  readonly warmup: number;
  readonly weightDecay: number;
  readonly dropout: number;
  /** Texts and tokens of a pass, at most; passes of an update. */
  readonly batch: number;
  readonly tokens: number;
  readonly accumulate: number;
  /** Tokens to which texts are cut. */
  readonly maxLength: number;
  /** Largest norm of all gradients together. */
  readonly clip: number;
  readonly logEvery: number;
  readonly evalEvery: number;
  /** Texts of a measurement, evenly spread; at the end all are measured. */
  readonly evalSamples: number;
  readonly saveEvery: number;
  readonly seed: number;
}

/** Those of the BERT paper (arXiv 1810.04805, appendix A.3), for batches of about 32 texts. */
export const FINETUNE_SETTINGS: FinetuneSettings = {
  epochs: 3,
  minutes: 0,
  lr: 5e-5,
  warmup: 0.1,
  weightDecay: 0.01,
  dropout: 0.1,
  batch: 16,
  tokens: 512,
  accumulate: 2,
  maxLength: 128,
  clip: 1,
  logEvery: 10,
  evalEvery: 500,
  evalSamples: 1000,
  saveEvery: 5,
  seed: 1,
};

const RULES: Rules<FinetuneSettings> = {
  epochs: number(1e-3, 1000),
  minutes: number(0, 1e6),
  lr: number(1e-9, 10),
  warmup: number(0, 1),
  weightDecay: number(0, 1),
  dropout: number(0, 0.9),
  batch: whole(1, 4096),
  tokens: whole(4, 65536),
  accumulate: whole(1, 4096),
  maxLength: whole(4, 8192),
  clip: number(1e-6, 1e6),
  logEvery: whole(1, 1e9),
  evalEvery: whole(1, 1e9),
  evalSamples: whole(1, 1e6),
  saveEvery: number(0, 1e6),
  seed: whole(0, Number.MAX_SAFE_INTEGER),
};

export interface FinetuneOptions extends Partial<FinetuneSettings> {
  /** A BERT with word pieces, with or without a classifier: a folder of Hugging Face, or GGUF. */
  readonly base: ModelSource;
  readonly task: GlueTask;
  readonly train: readonly LabelledText[];
  /** To measure on and to choose the best state by; never learnt from. */
  readonly dev: readonly LabelledText[];
  /** The GGUF file, with weights in f32. */
  readonly out: string;
  /** Folder of the run: checkpoints, the best state, measurements, the page. */
  readonly dir: string;
  /** Go on from the checkpoint in `dir`. Default false: a folder that has one is refused. */
  readonly resume?: boolean;
  /** Keep the tables of tokens, positions and segments as they are: a third of the memory. Default false. */
  readonly freezeEmbeddings?: boolean;
  readonly name?: string;
  readonly license?: string;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: FinetuneEvent) => void;
}

export const OPTION_RULES: Rules<FinetuneOptions> = {
  ...RULES,
  base: ANY,
  task: OBJECT,
  train: LIST,
  dev: LIST,
  out: TEXT,
  dir: TEXT,
  resume: FLAG,
  freezeEmbeddings: FLAG,
  name: TEXT,
  license: TEXT,
  threads: whole(1),
  signal: SIGNAL,
  onEvent: CALL,
};

export type FinetuneEvent =
  | TrainEvent
  | {
    readonly kind: 'begin';
    readonly parameters: number;
    readonly samples: number;
    readonly heldSamples: number;
    readonly vocab: number;
    readonly step: number;
  }
  | { readonly kind: 'score'; readonly done: number; readonly all: number };

export interface FinetuneResult {
  readonly steps: number;
  /** Of training, over all sittings. */
  readonly seconds: number;
  readonly parameters: number;
  readonly samples: number;
  readonly heldSamples: number;
  /** Score of all texts to measure on, by the engine from the file. */
  readonly score: number | null;
  /** The update of which the file has the weights, and its measurement. */
  readonly best: Best;
  readonly out: string;
  readonly bytes: number;
  readonly dir: string;
}

/** The settings among options. @throws {OptionError} `OPTION` for a number out of range */
export function finetuneSettings(given: Partial<FinetuneSettings>): FinetuneSettings {
  return checkedNumbers(RULES, FINETUNE_SETTINGS, given);
}
