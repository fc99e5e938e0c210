/**
 * Spiking BERTs for tests: the conformance cases, and small random ones in the containers they come in.
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { memorySource } from '../src/bytes/memory.ts';
import { openContainer } from '../src/container/open.ts';
import type { SpikingBertConfig, SpikingBertWeights } from './reference-spikingbert.ts';
import { json, shared } from './shared.ts';

/** What `reference.json` of a conformance case holds. */
export interface SpikingBertCase {
  config: { hidden_size: number; intermediate_size: number; num_attention_heads: number; num_hidden_layers: number };
  t_conv: number;
  v_th: number;
  leaky: number;
  input_ids: number[];
  token_type_ids: number[];
  attention_mask: number[];
  logits: number[];
  /** Layer, position, feature. */
  spike_counts: number[][][];
  firing_rate: number[];
}

/** Names of the conformance cases. */
export const CASES: readonly string[] = ['float-t16', 'ternary-t16', 'ternary-leaky-t12', 'binary-t8'];

/** Path of a file of a case below the conformance material. */
export const caseFile = (name: string, file: string): string => `conformance/spikingbert/${name}/${file}`;

/** The expected numbers of a case. */
export function spikingCase(name: string): SpikingBertCase {
  return json<SpikingBertCase>(shared(caseFile(name, 'reference.json')) as string);
}

/** The numbers of a case as the reference takes them. */
export function caseConfig(
  { config, t_conv: steps, v_th: threshold, leaky: leak }: SpikingBertCase,
): SpikingBertConfig {
  return {
    layers: config.num_hidden_layers,
    width: config.hidden_size,
    hidden: config.intermediate_size,
    heads: config.num_attention_heads,
    steps,
    threshold,
    leak,
  };
}

/** F32 tensors of a checkpoint by name, straight from its bytes. */
export async function weightsOf(bytes: Uint8Array): Promise<SpikingBertWeights> {
  const { tensors } = await openContainer(memorySource(bytes));
  const read = new Map<string, Float32Array>();
  return (name) => {
    const info = tensors.get(name);
    if (info?.type !== 'F32') throw new Error(`no F32 tensor "${name}"`);
    let values = read.get(name);
    if (!values) {
      values = new Float32Array(bytes.slice(info.offset, info.offset + info.byteLength).buffer);
      read.set(name, values);
    }
    return values;
  };
}

/** Bytes of a file beside the checkpoint of a case. */
export const beside = (checkpoint: string, file: string): Uint8Array =>
  new Uint8Array(readFileSync(join(checkpoint, '..', file)));
