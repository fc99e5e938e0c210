/**
 * Inputs that once were a finding are answered as they should be, and some new ones of every target, the same at every run. The name of a
 * file of the corpus begins with that of its target.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkout } from '../house/checkout.ts';
import { inputOf, outcome, TARGETS } from './run.ts';

const SEED = 1;
/** Inputs of each target; `equal` opens four models for each. */
const INPUTS = 40;
const FEW: Readonly<Record<string, number>> = { equal: 3 };

const corpus = suite('fuzz corpus');
const folder = join(checkout(), 'test', 'fuzz', 'corpus');
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name !== 'README.md') : [];

// case: B3 P4 T13
corpus('what was found once is answered', async () => {
  for (const file of files) {
    const target = TARGETS.find(({ name }) => file.startsWith(`${name}-`));
    assert.ok(target, `${file} belongs to no target`);
    assert.type(await outcome(target, new Uint8Array(readFileSync(join(folder, file)))), 'string');
  }
});

for (const target of TARGETS) {
  corpus(
    `${target.name}: inputs are accepted or refused by a code, and the same when they are made again`,
    async () => {
      const codes = new Set<string>();
      for (let index = 0; index < (FEW[target.name] ?? INPUTS); index++) {
        const input = await inputOf(target, SEED, index);
        assert.equal(await inputOf(target, SEED, index), input);
        codes.add(await outcome(target, input));
      }
      assert.ok(codes.has('accepted'), `${[...codes].join(', ')}: none was accepted`);
      if (target.name !== 'equal') assert.ok(codes.size > 1, 'none was refused');
    },
  );
}

corpus(
  'a finding is one: a foreign error and an answer that contradicts itself are not taken for refusals',
  async () => {
    const throws = { name: 'x', make: () => new Uint8Array(0), use: () => void (null as unknown as { a: number }).a };
    await outcome(throws, new Uint8Array(0)).then(
      () => assert.unreachable('a TypeError was taken for an answer'),
      (error) => assert.instance(error, TypeError),
    );
  },
);

corpus.run();
