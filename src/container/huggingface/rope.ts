/**
 * `rope_parameters` (transformers 5) and `rope_theta` with `rope_scaling` (before) → GGUF keys and frequency factors.
 * @module
 */
import { MAX_CONTEXT } from '../../limits.ts';
import type { Config } from './config.ts';
import { logarithm } from './logarithm.ts';
import type { Translation } from './table.ts';

/** By how much a context may be extended; as the descriptions have it. */
const MAX_FACTOR = 1024;
/** Factors of single frequencies. */
const MAX_FREQUENCY_FACTOR = 1e6;

/**
 * Writes the keys of rotary positions.
 * @param config of the model
 * @param rope `rope_parameters`, where the model has one set of them
 * @param dims rotated dimensions of a head
 */
export function ropeMetadata(config: Config, rope: Config | null, dims: number, to: Translation): void {
  const scaling = rope ?? config.object('rope_scaling');
  const source = rope?.has('rope_theta') ? rope : config;
  const theta = source.number('rope_theta', 1, 1e12, 10000);
  to.set('rope.freq_base', 'float32', Math.fround(theta));
  const type = scaling?.string(scaling.has('rope_type') ? 'rope_type' : 'type', 'default') ?? 'default';
  if (scaling === null || type === 'default') return;
  const trained = config.integer('max_position_embeddings', 1, MAX_CONTEXT);
  const original = (): number => {
    const from = scaling.has('original_max_position_embeddings') ? scaling : config;
    return from.integer('original_max_position_embeddings', 1, MAX_CONTEXT, trained);
  };
  const factor = (): number => scaling.number('factor', 1, MAX_FACTOR);
  const kind = KINDS[type as keyof typeof KINDS];
  if (!Object.hasOwn(KINDS, type)) {
    return scaling.refuse(
      `rope_type is "${type.slice(0, 40)}"; supported are default, ${Object.keys(KINDS).join(', ')}`,
    );
  }
  kind({ scaling, dims, trained, original, factor, to });
}

interface Parts {
  readonly scaling: Config;
  readonly dims: number;
  readonly trained: number;
  original(): number;
  factor(): number;
  readonly to: Translation;
}

const KINDS = {
  linear({ factor, to }: Parts): void {
    to.set('rope.scaling.type', 'string', 'linear');
    to.set('rope.scaling.factor', 'float32', Math.fround(factor()));
  },

  yarn({ scaling, original, factor, to }: Parts): void {
    scaling.only('truncate', true);
    to.set('rope.scaling.type', 'string', 'yarn');
    to.set('rope.scaling.factor', 'float32', Math.fround(factor()));
    to.set('rope.scaling.original_context_length', 'uint32', original());
    // llama.cpp leaves the keys of these numbers unread in most architectures; those of our own are always obeyed
    for (const [name, fallback] of [['beta_fast', 32], ['beta_slow', 1]] as const) {
      if (!scaling.has(name)) continue;
      const beta = Math.fround(scaling.number(name, 1e-3, 1e4, fallback));
      to.set(`rope.scaling.yarn_${name}`, 'float32', beta);
      to.setGlobal(`ternspike.rope.yarn.${name}`, 'float32', beta);
    }
    const magnitude = yarnMagnitude(scaling, factor());
    if (magnitude !== null) to.setGlobal('ternspike.rope.yarn.magnitude', 'float32', Math.fround(magnitude));
  },

  /** The formula stands in architectures/llama/rope.ts. */
  llama3({ scaling, original, factor, to }: Parts): void {
    const low = scaling.number('low_freq_factor', 1e-3, 1e4);
    const high = scaling.number('high_freq_factor', 1e-3, 1e4);
    if (high <= low) scaling.refuse(`high_freq_factor is ${high}, expected more than low_freq_factor, ${low}`);
    to.set('rope.scaling.type', 'string', 'llama3');
    to.setGlobal('ternspike.rope.llama3', 'float32[]', [factor(), low, high, original()].map(Math.fround));
  },

  longrope({ scaling, dims, trained, original, to }: Parts): void {
    const [length, half] = [original(), dims / 2];
    const extension = scaling.has('factor') ? scaling.number('factor', 1, MAX_FACTOR) : trained / length;
    const magnitude = extension <= 1 ? 1 : Math.sqrt(1 + logarithm(extension) / logarithm(length));
    const stated = scaling.number('attention_factor', 1e-3, 1e3, magnitude);
    to.set('rope.scaling.type', 'string', 'longrope');
    to.set('rope.scaling.original_context_length', 'uint32', length);
    to.set('rope.scaling.attn_factor', 'float32', Math.fround(stated));
    for (const which of ['long', 'short'] as const) {
      const factors = scaling.numbers(`${which}_factor`, half, 1e-3, MAX_FREQUENCY_FACTOR);
      to.vector(`rope_factors_${which}.weight`, Float32Array.from(factors));
    }
  },
};

/** What cosines and sines are multiplied by, where it is not the default. */
function yarnMagnitude(scaling: Config, factor: number): number | null {
  if (scaling.has('attention_factor')) return scaling.number('attention_factor', 1e-3, 1e3);
  if (!scaling.has('mscale') || !scaling.has('mscale_all_dim')) return null;
  const [scale, all] = ['mscale', 'mscale_all_dim'].map((key) => scaling.number(key, 0, 1e3));
  if (scale === 0 || all === 0) return null;
  const of = (by: number): number => factor <= 1 ? 1 : 0.1 * by * logarithm(factor) + 1;
  return of(scale) / of(all);
}
