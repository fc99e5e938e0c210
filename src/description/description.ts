/**
 * What a model is: numbers, checked once and frozen. Everything behind this file trusts them.
 * @module
 */
import type { Container, MetadataValue } from '../container/tensor.ts';
import { DescriptionError } from '../errors.ts';

/** How the two halves of a rotated pair lie in a head: neighbours, or half a head apart. */
export type RopePairing = 'adjacent' | 'halved';

export interface RopeDescription {
  readonly theta: number;
  /** Rotated dimensions of a head; the rest pass unchanged. */
  readonly dims: number;
  readonly pairing: RopePairing;
  /** Positions are divided by this (linear context extension); 1 for none. */
  readonly linear: number;
}

/** A decoder of the llama shape: RMSNorm, rotary attention with grouped keys, gated feed-forward. */
export interface LlamaDescription {
  readonly kind: 'llama';
  /** As the file names it: `llama`, `qwen2`, `bitnet-b1.58`, … */
  readonly architecture: string;
  readonly name: string;
  readonly layers: number;
  readonly width: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocab: number;
  /** Positions the model was trained for; a session may hold more or fewer. */
  readonly trainedContext: number;
  readonly normEps: number;
  readonly rope: RopeDescription;
  readonly activation: 'silu' | 'relu2' | 'gelu';
  /** The head is the embedding table. */
  readonly tied: boolean;
  /** Weights in all, counted from the tensors. */
  readonly parameters: number;
}

/** SymbolicLight V1: a spike encoder, blocks of a decay path, local attention and a spiking feed-forward, a head with a prior. */
export interface SymbolicLightDescription {
  readonly kind: 'symboliclight';
  readonly architecture: string;
  /** Which public variant: they differ in the prior's weight and in how a temperature adapts. */
  readonly variant: '0.8b' | '194m';
  readonly name: string;
  readonly layers: number;
  readonly width: number;
  readonly hidden: number;
  readonly heads: number;
  readonly headDim: number;
  readonly vocab: number;
  readonly trainedContext: number;
  readonly normEps: number;
  readonly rope: RopeDescription;
  /** Membrane potential from which a neuron fires, in the encoder and in every block. */
  readonly threshold: number;
  /** What is left of the encoder's membrane after a step. */
  readonly leak: number;
  /** How many positions back attention sees, besides itself and the anchors. */
  readonly window: number;
  /** First positions that stay visible for good. */
  readonly anchors: number;
  /** Whether blocks have the attention path at all. */
  readonly attention: boolean;
  /** Whether the prior depends on the context. */
  readonly dynamicPrior: boolean;
  readonly parameters: number;
}

/** A spiking BERT (arXiv 2308.10873): an encoder of integrate-and-fire neurons that classifies by rates over time steps. */
export interface SpikingBertDescription {
  readonly kind: 'spikingbert';
  readonly architecture: string;
  readonly name: string;
  /** Encoders; each has six layers of neurons, and the embedding one. */
  readonly layers: number;
  readonly width: number;
  readonly hidden: number;
  readonly heads: number;
  readonly headDim: number;
  readonly vocab: number;
  /** Positions of the longest text. */
  readonly trainedContext: number;
  /** Segments that the embedding tells apart: 2 for pairs of texts. */
  readonly segments: number;
  readonly normEps: number;
  /** Membrane potential from which a neuron fires, and by which it is lowered then. */
  readonly threshold: number;
  /** What is left of a membrane after a step; 1 for neurons that do not leak. */
  readonly leak: number;
  /** Time steps of a run. */
  readonly steps: number;
  /** Outputs of the classifier; 1 for a regression. */
  readonly classes: number;
  /** Names of the classes in their order; none for a regression. */
  readonly labels: readonly string[];
  /** Name of the task, such as `sst-2`; empty where it is not known. */
  readonly task: string;
  readonly parameters: number;
}

/** Models that generate. */
export type DecoderDescription = LlamaDescription | SymbolicLightDescription;

/** Every kind of model this engine runs. */
export type ModelDescription = DecoderDescription | SpikingBertDescription;

/** Typed access to metadata: a wrong type or a missing key is refused with the key's name. */
export class Metadata {
  readonly #map: ReadonlyMap<string, MetadataValue>;

  constructor(container: Container) {
    this.#map = container.metadata;
  }

  string(key: string, absent?: string): string {
    const value = this.#map.get(key) ?? absent;
    if (typeof value === 'string') return value;
    throw wrong(key, value, 'a string');
  }

  /** A finite number within [min, max]; `absent` where the key is missing. */
  number(key: string, min: number, max: number, absent?: number): number {
    const value = this.#map.get(key) ?? absent;
    if (typeof value === 'number' && value >= min && value <= max) return value;
    throw wrong(key, value, `a number in ${min} … ${max}`);
  }

  integer(key: string, min: number, max: number, absent?: number): number {
    const value = this.#map.get(key) ?? absent;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw wrong(key, value, `a whole number in ${min} … ${max}`);
  }

  boolean(key: string, absent?: boolean): boolean {
    const value = this.#map.get(key) ?? absent;
    if (typeof value === 'boolean') return value;
    throw wrong(key, value, 'true or false');
  }

  has(key: string): boolean {
    return this.#map.has(key);
  }
}

function wrong(key: string, value: MetadataValue | undefined, expected: string): DescriptionError {
  const found = value === undefined ? 'missing' : Array.isArray(value) ? 'an array' : String(value);
  return new DescriptionError('DESCRIPTION', `metadata "${key}" is ${found}, expected ${expected}`);
}
