/**
 * Models of known shapes with random weights, for benchmarks: `ternspike/random`.
 *
 * @example
 * import { randomModel } from 'ternspike/random';
 * const model = await open(await randomModel('tinyllama', 'tq2_0'));
 * @module
 */
export { RANDOM_SHAPES, randomModel } from '../model/random.ts';
export { RANDOM_TYPES } from '../architectures/llama/random.ts';
