/**
 * The result of a comparison, as JSON has it. Wherever a figure is of both sides it is an object with `a` and `b`.
 * @module
 */
import type { ENERGY_PICOJOULES } from '../../forward/spike-report.ts';
import type { ClassifierQuality } from './classifiers.ts';
import type { Account, Cost } from './energy.ts';
import type { PairedQuality } from './generators.ts';
import type { PieceQuality } from './pieces.ts';
import type { Sample } from './samples.ts';
import type { Both, SpeedResult } from './speed.ts';

export const RESULT_VERSION = 1;

/** What a side is. */
export interface SideFacts {
  readonly name: string;
  readonly kind: 'local' | 'remote';
  readonly architecture: string | null;
  /** Types of its matrices, the most frequent first; null of a server. */
  readonly types: string | null;
  readonly parameters: number | null;
  /** Tells its weights, numbers and vocabulary from others; null where nobody computed it. */
  readonly digest: string | null;
  /** What it was opened and asked with, where that is not the default. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

/** What was compared on. */
export interface DataFacts {
  readonly name: string;
  readonly digest: string | null;
}

/** A figure of the two sides; null where a side has none. */
export interface Figures {
  readonly a: number | null;
  readonly b: number | null;
}

/** A figure that is not there, and why. */
export interface Unavailable {
  readonly metric: string;
  readonly reason: string;
}

export interface SpikePairs {
  readonly unit: Account['unit'];
  readonly firingRate: Figures;
  readonly spikes: Figures;
  readonly effectiveAcs: Figures;
  readonly effectiveMacs: Figures;
  readonly denseAcs: Figures;
  readonly denseMacs: Figures;
  readonly weightBytesTouched: Figures;
  readonly weightBytesDense: Figures;
  readonly layers: { readonly a: Account['layers']; readonly b: Account['layers'] };
}

export interface EnergyPairs {
  readonly unit: Account['unit'];
  readonly process: string;
  readonly picojoules: typeof ENERGY_PICOJOULES;
  /** Microjoules of operations, and of weights fetched from DRAM: an estimate of an ideal machine. */
  readonly compute: Figures;
  readonly memory: Figures;
  /** Joules by the processor's own counters. */
  readonly joules: Both | 'not measured';
}

/** What every comparison has. */
export interface CompareCommon {
  readonly ternspike: 'compare';
  readonly version: typeof RESULT_VERSION;
  readonly a: SideFacts;
  readonly b: SideFacts;
  readonly data: DataFacts;
  /** What quality depends on besides sides and data. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
  readonly speed: SpeedResult | null;
  readonly memory: {
    readonly fileBytes: Figures;
    readonly weightsBytes: Figures;
    readonly stateBytes: Figures;
    readonly memoryBytes: Figures;
    /** Of this process, which held both. */
    readonly peakRssBytes: number | null;
  };
  /** Operations of both, where one of them spikes or multiplies here; null where both are servers. */
  readonly spikes: SpikePairs | null;
  readonly energy: EnergyPairs | null;
  readonly cost?: Cost;
  readonly unavailable: readonly Unavailable[];
  readonly engine: string | null;
  readonly machine: Readonly<Record<string, unknown>> | null;
}

export interface GeneratorComparison extends CompareCommon {
  readonly kind: 'generators';
  readonly perplexity: PairedQuality['perplexity'] | PieceQuality['perplexity'];
  readonly bitsPerByte: PairedQuality['bitsPerByte'];
  readonly kl: PairedQuality['kl'];
  readonly deltaP: PairedQuality['deltaP'] | null;
  readonly sameTop1: number | null;
  readonly sameTop1Interval: PairedQuality['sameTop1Interval'] | null;
  readonly top5Overlap: number | null;
  readonly windows: PairedQuality['windows'] | PieceQuality['windows'];
  /** What both write after the same prompts. */
  readonly texts: readonly Sample[];
}

export interface ClassifierComparison extends CompareCommon, ClassifierQuality {
  readonly kind: 'classifiers';
}

export type CompareResult = GeneratorComparison | ClassifierComparison;
