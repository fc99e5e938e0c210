/**
 * Models of known shapes with random weights, made in memory. They go through the same loader as real files, and serve
 * benchmarks and comparisons between hosts; their text means nothing.
 * @module
 */
import { ARCHITECTURES } from '../architectures/index.ts';
import type { ByteSource } from '../bytes/source.ts';
import { wrongValue } from '../options.ts';
import type { RandomModels } from '../architectures/architecture.ts';

/** Names of all shapes. */
export const RANDOM_SHAPES: readonly string[] = ARCHITECTURES.flatMap(({ shapes = [] }) => shapes);

/**
 * A random model as a byte source for `open`.
 * @param layers fewer layers of the same shape
 * @param head type of the head of a spiking model instead of the one that goes with `type`
 * @throws {OptionError} for an unknown shape or type
 * @example
 * const model = await open(await randomModel('tinyllama', 'tq2_0'));
 */
export async function randomModel(shape: string, type: string, layers?: number, head?: string): Promise<ByteSource> {
  const random = await randomOf(shape);
  known('type', type, random.types);
  return await random.make(shape, type, layers, head);
}

/** Types that a shape can have, the default first. @throws {OptionError} for an unknown shape */
export async function randomTypes(shape: string): Promise<readonly string[]> {
  return (await randomOf(shape)).types;
}

async function randomOf(shape: string): Promise<RandomModels> {
  known('shape', shape, RANDOM_SHAPES);
  const entry = ARCHITECTURES.find(({ shapes }) => shapes?.includes(shape));
  return await (entry as { random(): Promise<RandomModels> }).random();
}

function known(what: string, value: string, all: readonly string[]): void {
  if (all.includes(value)) return;
  throw wrongValue(what, value, `one of ${all.join(', ')}`);
}
