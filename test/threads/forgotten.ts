/** A program that never disposes of its model. */
import { randomModel } from '../../src/model/random.ts';
import { open } from '../../src/entries/index.ts';

const model = await open(await randomModel('tiny', 'q8_0', 1), { threads: 2 });
await model.logits([1, 2, 3]);
console.log(`${model.stats().threads} threads`);
