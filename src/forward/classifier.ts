/**
 * What every architecture that classifies offers: a text, a pair of texts or ids in, a class out. The contract between
 * models and their callers.
 * @module
 */
import { CALL_RULES, type CallOptions } from '../bytes/pace.ts';
import { MAX_STEPS } from '../limits.ts';
import { CALL, FLAG, number, OBJECT, type Rules, whole } from '../options.ts';
import type { ClassifySpikes } from './classify-report.ts';
import type { OnSpikes } from './spike-record.ts';

/** Ids as they are: nothing is added to them. */
export interface ClassifyIds {
  /** `[CLS]` first. */
  readonly ids: readonly number[];
  /** The segment of each; 0 unless told. */
  readonly typeIds?: readonly number[];
  /** 1 for each token, then 0 for each id of padding behind them. Padding is run, counted, and seen by nobody. */
  readonly mask?: readonly number[];
}

/** A text, two texts that belong together, or ids. */
export type ClassifyInput = string | readonly [string, string] | ClassifyIds;

/** When a run ends before its last step. */
export interface EarlyExit {
  /** By how much the best logit of the mean so far leads the next; of a regression: by how much the value may have moved. */
  readonly margin: number;
  /** Steps between two looks; 8 unless told. */
  readonly every?: number;
}

/** One time step of a run, as it is reported. */
export interface ClassifyStep {
  /** From 1 on. */
  readonly step: number;
  readonly steps: number;
  /** Share of each layer's neurons that fired in this step. */
  readonly firingRates: readonly number[];
  /** Logits of the mean over the steps so far. */
  readonly logits: readonly number[];
}

export interface ClassifyOptions extends CallOptions {
  /** Time steps, 1 to 10 000; default the model's. */
  readonly steps?: number;
  /** Potential from which neurons fire; default the model's. */
  readonly threshold?: number;
  /** What is left of a membrane after a step, 0 to 1; default the model's. */
  readonly leak?: number;
  /** Potential of every membrane before the first step; default the model's. */
  readonly initial?: number;
  /**
   * End after the first look, from the second on, at which the class that leads is that of the look before and leads the
   * next by the margin at both; of a regression: at which the value has moved by no more than the margin. Off by default.
   */
  readonly earlyExit?: EarlyExit;
  /** Instead of spikes, one pass of the rates that training takes for their equilibrium. Fast, and not the same: the norms of
   *  spikes are not those of rates. */
  readonly rate?: boolean;
  /** Cut texts to this many tokens; without it a text longer than the model is refused. */
  readonly maxLength?: number;
  /** Return how often each neuron fired. */
  readonly counts?: boolean;
  /** Called for every time step, in order; several at a time where steps are short. */
  readonly onStep?: (step: ClassifyStep) => void;
  /** Sees which neurons fire, layer by layer in every time step, before `onStep` is called for it. Steps are then run one at a
   *  time, which takes longer and gives the same bits. */
  readonly onSpikes?: OnSpikes;
}

/** Which values are right. */
export const CLASSIFY_RULES: Rules<ClassifyOptions> = {
  ...CALL_RULES,
  steps: whole(1, MAX_STEPS),
  threshold: number(1e-6, 1e6),
  leak: number(0, 1),
  initial: number(-1e6, 1e6),
  earlyExit: OBJECT,
  rate: FLAG,
  maxLength: whole(3),
  counts: FLAG,
  onStep: CALL,
  onSpikes: CALL,
};

/** The same of `earlyExit`. */
export const EARLY_EXIT_RULES: Rules<EarlyExit> = { margin: number(0), every: whole(1, MAX_STEPS) };

export interface Classification {
  /** The class with the largest logit, the first of equal ones; null of a regression. */
  readonly label: string | null;
  readonly labelId: number | null;
  /** Softmax of the logits; of a regression its value. */
  readonly scores: readonly number[];
  readonly logits: readonly number[];
  /** Mean over tokens, features and steps, for the embedding and the six layers of each encoder. */
  readonly firingRates: readonly number[];
  readonly tokens: number;
  /** Steps that were run; 0 with `rate`. */
  readonly steps: number;
  /** What it took; null with `rate`. */
  readonly spikes: ClassifySpikes | null;
  /** With `counts`: for each layer how often each neuron fired, tokens × features. */
  readonly spikeCounts?: readonly Uint16Array[];
}

/** Calls wait for one another. */
export interface Classifier {
  /** See `Model.classify`. */
  classify(input: ClassifyInput, options?: ClassifyOptions): Promise<Classification>;
  /** See `Model.classifyAll`; absent where inputs gain nothing by running together. */
  classifyAll?(inputs: Iterable<ClassifyInput>, options?: ClassifyOptions): AsyncGenerator<Classification, void>;
  /** Ends the run that is under way, and those that wait. */
  dispose(): void;
}
