/**
 * What a distillation of a classifier is asked for, tells, and answers.
 * @module
 */
import type { ModelSource } from '../../../bytes/resolve.ts';
import type { GlueTask } from '../../../eval/glue-tasks.ts';
import { ANY, CALL, FLAG, LIST, number, OBJECT, oneOf, type Rules, SIGNAL, TEXT, whole } from '../../../options.ts';
import type { TrainEvent } from '../../run.ts';
import { checkedNumbers } from '../../settings.ts';
import type { LabelledText } from '../bert/texts.ts';

/** Numbers of a run besides its phases. */
export interface ClassifierSettings {
  /** Ends the run after so many minutes; phases then go by the clock where that is ahead of the steps. 0: no limit. */
  readonly minutes: number;
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
  /** Texts of which the teacher's states and its logits give the first weights. */
  readonly calibrate: number;
  readonly seed: number;
}

export const CLASSIFIER_SETTINGS: ClassifierSettings = {
  minutes: 0,
  batch: 24,
  tokens: 512,
  accumulate: 2,
  maxLength: 128,
  clip: 1,
  logEvery: 10,
  evalEvery: 200,
  evalSamples: 200,
  saveEvery: 5,
  calibrate: 2048,
  seed: 1,
};

/** Which values are right. */
const RULES: Rules<ClassifierSettings> = {
  minutes: number(0, 1e6),
  batch: whole(1, 4096),
  tokens: whole(4, 65536),
  accumulate: whole(1, 4096),
  maxLength: whole(4, 8192),
  clip: number(1e-6, 1e6),
  logEvery: whole(1, 1e9),
  evalEvery: whole(1, 1e9),
  evalSamples: whole(1, 1e6),
  saveEvery: number(0, 1e6),
  calibrate: whole(2, 1e6),
  seed: whole(0, Number.MAX_SAFE_INTEGER),
};

/** The settings among options. @throws {OptionError} `OPTION` for a number out of range */
export function classifierSettings(given: Partial<ClassifierSettings>): ClassifierSettings {
  return checkedNumbers(RULES, CLASSIFIER_SETTINGS, given);
}

export interface DistillClassifierOptions extends Partial<ClassifierSettings> {
  /** A BERT with a classifier: a folder of Hugging Face, or GGUF. */
  readonly teacher: ModelSource;
  /** What is learnt: its labels and its score. */
  readonly task: GlueTask;
  readonly train: readonly LabelledText[];
  /** To measure on, never learnt from. */
  readonly dev: readonly LabelledText[];
  /** The student and its phases; what is left out has its default. See docs/distillation.md. */
  readonly student?: object;
  readonly out: string;
  /** Folder of the run: checkpoints, measurements, the page. */
  readonly dir: string;
  /** Go on from the checkpoint in `dir`. Default false: a folder that has one is refused. */
  readonly resume?: boolean;
  /** Folder of a run whose student, as it was last saved, is the first of this one. */
  readonly init?: string;
  /** Word pieces that stay: all, those that occur so often in the texts to learn from, or those listed. */
  readonly vocabulary?: 'all' | number | readonly string[];
  /** Type of ternary matrices in the file: `tq2_0` (default) or `tq1_0`, smaller; both hold the same weights. */
  readonly type?: 'tq2_0' | 'tq1_0';
  readonly name?: string;
  readonly license?: string;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: ClassifierEvent) => void;
}

export const OPTION_RULES: Rules<DistillClassifierOptions> = {
  ...RULES,
  teacher: ANY,
  task: OBJECT,
  train: LIST,
  dev: LIST,
  student: OBJECT,
  out: TEXT,
  dir: TEXT,
  resume: FLAG,
  init: TEXT,
  vocabulary: ANY,
  type: oneOf('tq2_0', 'tq1_0'),
  name: TEXT,
  license: TEXT,
  threads: whole(1),
  signal: SIGNAL,
  onEvent: CALL,
};

export type ClassifierEvent =
  | TrainEvent
  | { readonly kind: 'prepare'; readonly what: string }
  | {
    readonly kind: 'begin';
    readonly parameters: number;
    readonly samples: number;
    readonly heldSamples: number;
    readonly vocab: number;
    readonly step: number;
  }
  | { readonly kind: 'score'; readonly done: number; readonly all: number };

export interface ClassifierResult {
  readonly steps: number;
  /** Of training, over all sittings. */
  readonly seconds: number;
  readonly parameters: number;
  readonly samples: number;
  readonly heldSamples: number;
  readonly vocab: number;
  /** Of all texts to measure on: the student's file by the engine, at the steps it asks for; and the teacher. */
  readonly score: { readonly student: number | null; readonly teacher: number | null };
  readonly firingRates: readonly number[];
  readonly out: string;
  readonly bytes: number;
  readonly dir: string;
}

/** The settings among options that are given. */
export function givenSettings(options: DistillClassifierOptions): Partial<ClassifierSettings> {
  const names = Object.keys(RULES) as (keyof ClassifierSettings)[];
  return Object.fromEntries(names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])));
}
