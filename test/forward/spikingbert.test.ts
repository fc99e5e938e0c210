/**
 * Spiking BERT against the public definition run in PyTorch: spike counts of every layer, logits and firing rates. The
 * smallest distance of a membrane to its threshold is 4e-6 in these cases, so a flipped spike is a fault of ours.
 */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Model, open } from '../../src/entries/index.ts';
import { builds } from '../kernels/harness.ts';
import { equilibrium, runSpikingBert } from '../reference-spikingbert.ts';
import { sharedTest } from '../shared.ts';
import { caseConfig, caseFile, CASES, spikingCase, weightsOf } from '../spikingbert-files.ts';

const test = suite('spiking BERT');

/** Options of a run as the case was made. */
const runOf = (name: string): { steps: number; threshold: number; leak: number } => {
  const { t_conv: steps, v_th: threshold, leaky: leak } = spikingCase(name);
  return { steps, threshold, leak };
};

async function equalsCase(model: Model, name: string, options: { stretchMs?: number } = {}): Promise<void> {
  const expected = spikingCase(name);
  const { input_ids: ids, token_type_ids: typeIds, attention_mask: mask } = expected;
  const result = await model.classify({ ids, typeIds, mask }, { ...runOf(name), ...options, counts: true });
  assert.is(result.spikeCounts?.length, expected.spike_counts.length);
  result.spikeCounts!.forEach((counts, j) => {
    const wanted = expected.spike_counts[j].flat();
    const other = wanted.filter((count, i) => count !== counts[i]).length;
    assert.is(other, 0, `${name}, layer ${j}: ${other} of ${wanted.length} spike counts differ`);
  });
  result.firingRates.forEach((rate, j) => {
    assert.ok(Math.abs(rate - expected.firing_rate[j]) < 1e-6, `${name}, layer ${j}: rate ${rate}`);
  });
  assert.is(result.logits.length, expected.logits.length);
  result.logits.forEach((logit, i) => {
    assert.ok(
      Math.abs(logit - expected.logits[i]) <= 1e-5,
      `${name}: logit ${i} is ${logit}, not ${expected.logits[i]}`,
    );
  });
}

for (const name of CASES) {
  for (const build of builds) {
    // case: N18
    sharedTest(test, `${name} (${build})`, caseFile(name, 'pytorch_model.bin'), async (file) => {
      using model = await open(file, { build });
      await equalsCase(model, name);
      // a look at the host's events after every step changes nothing
      await equalsCase(model, name, { stretchMs: 0.001 });
    });
  }

  sharedTest(test, `${name}: rates of the equilibrium`, caseFile(name, 'pytorch_model.bin'), async (file) => {
    const { input_ids: ids, token_type_ids: typeIds, attention_mask: mask, v_th: threshold } = spikingCase(name);
    const weights = await weightsOf(new Uint8Array(readFileSync(file)));
    const visible = mask.lastIndexOf(1) + 1;
    const expected = equilibrium(weights, caseConfig(spikingCase(name)), ids, typeIds, visible);
    using model = await open(file);
    const result = await model.classify({ ids, typeIds, mask }, { rate: true, threshold });
    assert.is(result.steps, 0);
    assert.is(result.spikes, null);
    result.logits.forEach((logit, i) => assert.ok(Math.abs(logit - expected.logits[i]) < 1e-5, `logit ${i}: ${logit}`));
    result.firingRates.forEach((rate, j) => {
      const all = expected.rates[j].flatMap((row) => Array.from(row));
      const mean = all.reduce((a, b) => a + b, 0) / all.length;
      assert.ok(Math.abs(rate - mean) < 1e-6, `layer ${j}: ${rate}, not ${mean}`);
    });
  });

  sharedTest(
    test,
    `${name}: every step, and fewer or more of them`,
    caseFile(name, 'pytorch_model.bin'),
    async (file) => {
      const { input_ids: ids, token_type_ids: typeIds, attention_mask: mask } = spikingCase(name);
      const weights = await weightsOf(new Uint8Array(readFileSync(file)));
      const config = { ...caseConfig(spikingCase(name)), steps: 40 };
      const visible = mask.lastIndexOf(1) + 1;
      const expected = runSpikingBert(weights, config, ids.slice(0, visible), typeIds.slice(0, visible));
      using model = await open(file);
      const rates: (readonly number[])[] = [];
      const logits: (readonly number[])[] = [];
      const input = { ids: ids.slice(0, visible), typeIds: typeIds.slice(0, visible) };
      const result = await model.classify(input, {
        ...runOf(name),
        steps: 40,
        counts: true,
        onStep: ({ step, steps, firingRates, logits: soFar }) => {
          assert.is(steps, 40);
          assert.is(step, rates.push(firingRates));
          logits.push(soFar);
        },
      });
      assert.is(rates.length, 40);
      rates.forEach((row, t) =>
        row.forEach((rate, j) => {
          const neurons = expected.counts[j].length;
          assert.is(Math.round(rate * neurons), expected.stepSpikes[t][j], `step ${t + 1}, layer ${j}`);
        })
      );
      logits.forEach((row, t) =>
        row.forEach((logit, i) =>
          assert.ok(Math.abs(logit - expected.stepLogits[t][i]) < 1e-5, `step ${t + 1}: ${logit}`)
        )
      );
      assert.equal(logits[39], result.logits);
      result.spikeCounts!.forEach((counts, j) => assert.equal(Array.from(counts), Array.from(expected.counts[j])));
      const short = await model.classify(input, { ...runOf(name), steps: 1, counts: true });
      assert.is(short.steps, 1);
      assert.equal(short.logits, logits[0]);
    },
  );
}
test.run();
