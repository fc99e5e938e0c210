/**
 * The tensors of a student in one flat array of latent weights, by the keys of a SymbolicLight checkpoint.
 * @module
 */
import { OptionError } from '../../../errors.ts';
import { MAX_CONTEXT, MAX_HEADS, MAX_LAYERS, MAX_VOCAB, MAX_WIDTH } from '../../../limits.ts';
import { symbolicLightShapes } from '../../../architectures/symboliclight/description.ts';
import { Rng } from '../../../sample/rng.ts';
import { type Slot, slotsOf } from '../../slots.ts';
import type { StudentConfig } from './types.ts';

export const EMBEDDING: string = 'spike_encoder.frontend.text_embedding.weight';
export const ENCODER_WEIGHT: string = 'spike_encoder.norm.weight';
export const ENCODER_BIAS: string = 'spike_encoder.norm.bias';

/** Every tensor of a student, in the order of the checkpoint. Starts are multiples of 4 elements. */
export function studentSlots(config: Pick<StudentConfig, 'layers' | 'width' | 'ffn' | 'heads' | 'vocab'>): Slot[] {
  const { layers, width, ffn, heads, vocab } = config;
  const shapes = symbolicLightShapes({
    variant: '0.8b',
    layers,
    width,
    hidden: ffn,
    heads,
    vocab,
    attention: true,
    dynamicPrior: true,
  });
  return slotsOf(shapes);
}

/** What pages call the layers of neurons, in the order of firing rates. */
export function layerNames({ layers }: Pick<StudentConfig, 'layers'>): string[] {
  const kinds = ['in', 'feed-forward', 'out'];
  return ['encoder', ...Array.from({ length: 3 * layers }, (_, i) => `${Math.floor(i / 3)} ${kinds[i % 3]}`)];
}

/** @throws {OptionError} `OPTION` for a number out of its range */
export function checkStudent(config: StudentConfig): void {
  const whole = (name: keyof StudentConfig, least: number, most: number, multiple = 1): void => {
    const value = config[name];
    if (
      !Number.isInteger(value) || (value as number) < least || (value as number) > most || (value as number) % multiple
    ) {
      const of = multiple === 1 ? 'a whole number' : `a multiple of ${multiple}`;
      throw new OptionError('OPTION', `student ${name} is ${value}, expected ${of} from ${least} to ${most}`);
    }
  };
  const real = (name: keyof StudentConfig, least: number, most: number): void => {
    const value = config[name];
    if (typeof value !== 'number' || !(value >= least && value <= most)) {
      throw new OptionError('OPTION', `student ${name} is ${value}, expected a number from ${least} to ${most}`);
    }
  };
  const word = (name: keyof StudentConfig, ...values: readonly string[]): void => {
    if (!values.includes(config[name] as string)) {
      throw new OptionError(
        'OPTION',
        `student ${name} is ${JSON.stringify(config[name])}, expected one of ${values.join(', ')}`,
      );
    }
  };
  word('quantisation', 'none', 'ternary', 'binary');
  word('tables', 'none', 'int8', 'ternary');
  word('surrogate', 'arctan', 'sigmoid', 'triangle');
  // columns of ternary matrices fill whole blocks of 256, of binary ones of 128; heads are multiples of 4 wide
  const block = config.quantisation === 'ternary' ? 256 : config.quantisation === 'binary' ? 128 : 4;
  whole('vocab', 2, MAX_VOCAB);
  whole('width', block, MAX_WIDTH, block);
  whole('layers', 1, MAX_LAYERS);
  whole('heads', 1, MAX_HEADS);
  if (config.width % (config.heads * 4) !== 0) {
    throw new OptionError(
      'OPTION',
      `student heads is ${config.heads}, expected a number that divides a width of ${config.width} into multiples of 4`,
    );
  }
  whole('ffn', block, MAX_WIDTH, block);
  whole('context', 1, MAX_CONTEXT);
  whole('window', 1, MAX_CONTEXT);
  whole('anchors', 0, MAX_CONTEXT);
  whole('truncation', 1, MAX_CONTEXT);
  real('threshold', 1e-6, 1e6);
  real('leak', 0, 1);
  real('surrogateWidth', 1e-3, 1e3);
}

/** Spread of the embedding's first weights. Only its direction counts: a normalisation stands behind. */
const EMBEDDING_SPREAD = 0.1;
/** First gain of the normalisations in blocks: of normal numbers with this spread 13 % are over a threshold of 1. */
const BLOCK_GAIN = 0.9;

/**
 * First weights: normal with a variance of 1 / columns, projections back into the stream smaller by √(2·layers); decays
 * spread from 0.5 to 0.98 over the heads; gates half open; the prior all but absent.
 */
export function initialise(config: StudentConfig, slots: readonly Slot[], flat: Float32Array, seed: number): void {
  const rng = new Rng(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - rng.uniform())) * Math.cos(2 * Math.PI * rng.uniform());
  const back = 1 / Math.sqrt(2 * config.layers);
  for (const { key, shape, at, size } of slots) {
    const part = flat.subarray(at, at + size);
    if (key === EMBEDDING) fill(part, () => EMBEDDING_SPREAD * normal());
    else if (key === ENCODER_WEIGHT) part.fill(1);
    else if (key.endsWith('norm.weight')) part.fill(BLOCK_GAIN * config.threshold);
    else if (key.endsWith('decay_raw')) {
      fill(part, (i) => {
        const keep = 0.5 + (0.48 * i) / Math.max(1, size - 1);
        return Math.log(keep / (1 - keep));
      });
    } else if (key.endsWith('prior_weight')) part.fill(0.1);
    else if (shape.length === 2) {
      const spread = Math.sqrt(1 / shape[1]) * (/out_proj|ffn\.down/.test(key) ? back : 1);
      fill(part, () => spread * normal());
    }
  }
}

function fill(part: Float32Array, of: (i: number) => number): void {
  for (let i = 0; i < part.length; i++) part[i] = of(i);
}
