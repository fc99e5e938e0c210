/** The plain spiking BERT of these tests against the public definition run in PyTorch: every spike of every layer. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { equilibrium, runSpikingBert } from '../reference-spikingbert.ts';
import { sharedTest } from '../shared.ts';
import { caseConfig, caseFile, CASES, spikingCase, weightsOf } from '../spikingbert-files.ts';

const test = suite('plain spiking BERT');

for (const name of CASES) {
  sharedTest(test, `${name}: spikes, rates and logits`, caseFile(name, 'pytorch_model.bin'), async (file) => {
    const expected = spikingCase(name);
    const config = caseConfig(expected);
    const weights = await weightsOf(new Uint8Array(readFileSync(file)));
    const { input_ids: ids, token_type_ids: types } = expected;
    const visible = expected.attention_mask.filter(Boolean).length;
    const run = runSpikingBert(weights, config, ids, types, visible);
    assert.is(run.counts.length, expected.spike_counts.length);
    run.counts.forEach((counts, j) => {
      const other = expected.spike_counts[j].flat().filter((count, i) => count !== counts[i]).length;
      assert.is(other, 0, `layer ${j}: ${other} of ${counts.length} spike counts differ`);
    });
    run.logits.forEach((logit, i) => assert.ok(Math.abs(logit - expected.logits[i]) <= 1e-5, `logit ${i}: ${logit}`));
    run.counts.forEach((counts, j) => {
      const rate = counts.reduce((a, b) => a + b, 0) / (counts.length * config.steps);
      assert.ok(Math.abs(rate - expected.firing_rate[j]) < 1e-6, `rate of layer ${j}`);
    });

    // without the padding, the same at the positions that are left
    const bare = runSpikingBert(weights, config, ids.slice(0, visible), types.slice(0, visible));
    assert.equal(bare.logits, run.logits);
    bare.counts.forEach((counts, j) => assert.equal(counts, run.counts[j].subarray(0, counts.length), `layer ${j}`));

    // the equilibrium is another function: where the currents are constant in time it is the limit of the rates
    const { rates, logits } = equilibrium(weights, config, ids, types, visible);
    assert.is(rates.length, run.counts.length);
    assert.ok(logits.every(Number.isFinite));
    assert.ok(rates.every((layer) => layer.every((row) => row.every((rate) => rate >= 0 && rate <= 1))));
    if (config.leak === 1) {
      const largest = Math.max(
        ...rates[0].flatMap((row, t) =>
          Array.from(row, (rate, i) => Math.abs(rate - run.counts[0][t * config.width + i] / config.steps))
        ),
      );
      assert.ok(largest <= 1 / config.steps, `rates of the embedding differ by ${largest}`);
    }
  });
}
test.run();
