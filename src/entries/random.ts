/**
 * Models of known shapes with random weights, for benchmarks: `ternspike/random`.
 *
 * @example
 * import { randomModel } from 'ternspike/random';
 * const model = await open(await randomModel('tinyllama', 'tq2_0'));
 * @module
 */
export { RANDOM_SHAPES, RANDOM_TYPES, randomModel } from '../architectures/llama/random.ts';
