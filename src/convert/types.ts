/**
 * What a conversion is asked for, and what it answers.
 * @module
 */
import type { GgufEntry } from '../container/gguf-write.ts';
import type { ModelConfig } from '../description/config.ts';

import type { EncodedType } from './codec.ts';

/** Types that models can be converted to, as they are spelled on the command line. `i8` and `q1_0` are for models that
 *  spike. */
export type ConvertType = 'f32' | 'f16' | 'i8' | 'q8_0' | 'q4_0' | 'tq2_0' | 'tq1_0' | 'q1_0';

/** Types of tensors in files that are written. */
export type WrittenType = EncodedType | 'I8' | 'Q1_0';

/** What a run of a spiking classifier takes besides weights, and what its classes are called. */
export interface ClassifierNumbers {
  readonly steps?: number;
  readonly threshold?: number;
  readonly leak?: number;
  readonly initial?: number;
  readonly task?: string;
  readonly labels?: readonly string[];
}

export interface ConvertOptions {
  readonly type: ConvertType;
  /** Type of `token_embd.weight` and `output.weight`; of a SymbolicLight model: of its head and prior. */
  readonly head?: ConvertType;
  /** Type of `token_embd.weight`, where it differs from `head`. Of a SymbolicLight model: f32 by default for `i8`, q8_0 for the types below 8 bits. Of the tables of
   *  tokens and positions of a spiking BERT: f32 by default, f16 for `f16`. */
  readonly embedding?: ConvertType;
  /** Of models that spike: what shares one scale in block matrices below 8 bits; `tensor` (default) or `row`. Tables and heads
   *  of tokens have a scale for every row. */
  readonly scale?: 'tensor' | 'row';
  /** Of a spiking BERT: how weights become ternary; see convert-spikingbert.ts. `absmean` unless told. */
  readonly ternary?: 'absmean' | 'spikelm';
  /** Of a checkpoint: its `config.json`, where it does not lie beside the source. */
  readonly config?: ModelConfig;
  /** Of a spiking BERT: what the file shall say instead of what the source says. */
  readonly classifier?: ClassifierNumbers;
  /** Metadata to add, such as a tokenizer. */
  readonly metadata?: ReadonlyMap<string, GgufEntry>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number; readonly tensor: string }) => void;
}

/** What became of one tensor. Errors are absolute, over its elements. */
export interface ConvertedTensor {
  readonly name: string;
  readonly from: string;
  readonly to: WrittenType;
  readonly maxError: number;
  readonly rmsError: number;
  /** Its rows are no multiple of the block of the type that was asked for. */
  readonly fellBack: boolean;
}

export interface ConvertResult {
  readonly bytes: { readonly in: number; readonly out: number };
  readonly tensors: readonly ConvertedTensor[];
}
