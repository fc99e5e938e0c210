/**
 * SymbolicLight V1 against the public definition run in PyTorch: logits at every position in one pass, after a cached
 * prefill and step by step, greedy ids, and the firing rate over all of it. The smallest distance of a membrane to its
 * threshold is 2e-5 in these cases, so a flipped spike is a fault of ours.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open } from '../../src/entries/index.ts';
import { builds, sameBits } from '../kernels/harness.ts';
import { argmax } from '../models.ts';
import { json, shared, sharedTest } from '../shared.ts';

interface Reference {
  readonly ids: number[];
  readonly prefill: number;
  readonly full_logits: number[][];
  readonly cached_prefill_last_logits: number[];
  readonly cached_step_logits: number[][];
  readonly greedy_from_prefill: number[];
  readonly spike_rate: number;
}

const BOUND = 2e-4;

const worst = (row: Float32Array, expected: readonly number[]): number =>
  row.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i])), 0);

const test = suite('SymbolicLight');
for (const name of ['0.8b-small', '194m-small', '0.8b-odd', '0.8b-decay-only']) {
  for (const build of builds) {
    // case: N18
    sharedTest(
      test,
      `${name} (${build}) equals the public definition`,
      `conformance/symboliclight/${name}/checkpoint.pt`,
      async (file) => {
        const reference = json<Reference>(shared(`conformance/symboliclight/${name}/reference.json`) as string);
        const { ids, prefill } = reference;
        using model = await open(file, { build });
        let error = 0;
        const full = await model.logits(ids);
        full.forEach((row, i) => error = Math.max(error, worst(row, reference.full_logits[i])));

        const session = model.session();
        const last = await session.prefill(ids.slice(0, prefill));
        error = Math.max(error, worst(last, reference.cached_prefill_last_logits));
        for (let i = prefill; i < ids.length; i++) {
          error = Math.max(error, worst(await session.step(ids[i]), reference.cached_step_logits[i - prefill]));
        }

        const again = model.session();
        let row = await again.prefill(ids.slice(0, prefill));
        const greedy: number[] = [];
        while (greedy.length < reference.greedy_from_prefill.length) {
          greedy.push(argmax(row));
          row = await again.step(greedy[greedy.length - 1]);
        }
        assert.equal(greedy, reference.greedy_from_prefill);
        const { tokens, spikes } = model.stats();
        assert.is(tokens, 2 * ids.length + prefill + greedy.length);
        const rate = spikes?.overall.firingRate ?? NaN;
        assert.ok(
          Math.abs(rate - reference.spike_rate) <= 1e-12,
          `firing rate ${rate}, expected ${reference.spike_rate}`,
        );
        console.log(`  ${name} (${build}): largest logit error ${error.toExponential(1)}`);
        assert.ok(error <= BOUND, `logit error ${error}, at most ${BOUND}`);
      },
    );
  }

  sharedTest(
    test,
    `${name}: batches, steps and forks give the same bits`,
    `conformance/symboliclight/${name}/checkpoint.pt`,
    async (file) => {
      using model = await open(file);
      const ids = Array.from({ length: 200 }, (_, i) => (i * 37 + 11) % model.describe().vocab);
      const whole = await model.logits(ids);
      for (const size of [1, 3, 64]) {
        using session = model.session();
        for (let at = 0; at < ids.length; at += size) {
          const end = Math.min(at + size, ids.length);
          sameBits(await session.prefill(ids.slice(at, end)), whole[end - 1], `chunks of ${size}, position ${end - 1}`);
        }
      }
      using a = model.session();
      await a.prefill(ids.slice(0, 100));
      using b = a.fork();
      await a.prefill([1, 2, 3]);
      sameBits(await b.prefill(ids.slice(100, 150)), whole[149], 'fork');
      a.reset();
      sameBits(await a.prefill(ids.slice(0, 40)), whole[39], 'reset');
      assert.throws(() => a.rewind(10), /rewind/);
    },
  );
}
test.run();
