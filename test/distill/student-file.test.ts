/** A student's file as the first weights of a run: rounded again, they are those of the file. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { quantise, roundHalf } from '../../src/distill/students/symboliclight/quantise.ts';
import { spread } from '../../src/distill/students/symboliclight/student-file.ts';
import { Rng } from '../../src/sample/rng.ts';

const file = suite('distill student file');

file('latent weights differ in size and round to the ternary ones they were made of', () => {
  const rng = new Rng(3);
  for (const zeros of [0, 0.1, 0.4, 0.9]) {
    const scale = roundHalf(0.037);
    const stored = Float32Array.from(
      { length: 4096 },
      () => rng.uniform() < zeros ? 0 : rng.uniform() < 0.5 ? scale : -scale,
    );
    const latent = stored.slice();
    spread(latent, new Rng(1));
    const again = new Float32Array(stored.length);
    quantise('ternary', latent, 256, again);
    assert.equal(again, stored, `${zeros} zeros`);
    assert.ok(new Set(latent).size > 4000, `${new Set(latent).size} different ones`);
    assert.ok(latent.every((w) => Number.isFinite(w)));
  }
});

file('a tensor of zeros stays', () => {
  const zeros = new Float32Array(512);
  spread(zeros, new Rng(1));
  assert.equal(zeros, new Float32Array(512));
});

file.run();
