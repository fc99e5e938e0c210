/** A spiking BERT on any number of threads gives the spikes of one, on servers and in windows. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type SpikingBert,
  spikingBertProgram,
  type SpikingBertRecipe,
} from '../../src/architectures/spikingbert/forward.ts';
import { SpikingBertRun } from '../../src/architectures/spikingbert/run.ts';
import { PoolExecutor } from '../../src/threads/pool.ts';
import { startThread } from '../../src/threads/port.ts';
import { script } from '../../src/threads/script.generated.ts';
import { Arena } from '../../src/wasm/arena.ts';
import { builtin } from '../../src/wasm/builtin.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { builds, sameBits } from '../kernels/harness.ts';
import { type RandomShape, randomSpikingBert, SPIKE_LAYOUTS, type SpikeLayout } from '../spikingbert-random.ts';

const IDS = Array.from({ length: 22 }, (_, i) => (i * 17 + 3) % 50);
const TYPES = IDS.map((_, i) => Number(i > 4));
const STEPS = 30;

interface Outcome {
  readonly counts: readonly Uint16Array[];
  readonly stepSpikes: Float64Array;
  readonly logits: Float32Array;
}

/** More vectors than a chunk holds, in two pieces; the last tokens are padding. */
async function outcome(m: SpikingBert): Promise<Outcome> {
  const run = new SpikingBertRun(m, IDS, TYPES, { steps: STEPS, threshold: 0.8, leak: 0.95, visible: 20 });
  await run.advance(27);
  await run.advance(3);
  const counts = Array.from({ length: 6 * m.d.layers + 1 }, (_, j) => run.counts(j));
  const result = { counts, stepSpikes: run.stepSpikes.slice(), logits: run.logits() };
  run.free();
  return result;
}

async function compare(layout: SpikeLayout, shape: RandomShape, numbers: readonly number[], waits: boolean) {
  const threads = Math.max(...numbers);
  const build = builds[builds.length - 1];
  const modules = await builtin(build).modules(true);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 4096, shared: true });
  const executor = new PoolExecutor({
    threads,
    memory,
    modules,
    waits,
    start: startThread(script),
    notice: (message) => assert.unreachable(message),
  });
  try {
    const k = instantiate(modules, memory);
    const { m } = randomSpikingBert(k, new Arena(memory), layout, shape, 5);
    const expected = await outcome(m);
    assert.ok(expected.stepSpikes.some((spikes) => spikes > 0));
    const recipe: SpikingBertRecipe = { kind: 'spikingbert', d: m.d, w: m.w };
    executor.bind(spikingBertProgram(m, executor.words), recipe);
    await executor.ready();
    for (const count of numbers) {
      executor.use(count);
      const actual = await outcome({ ...m, executor });
      const what = `${layout}, ${count} threads`;
      actual.counts.forEach((counts, j) => assert.equal(counts, expected.counts[j], `${what}, layer ${j}`));
      assert.equal(actual.stepSpikes, expected.stepSpikes, what);
      sameBits(actual.logits, expected.logits, what);
    }
  } finally {
    executor.dispose();
  }
}

const test = suite('threads of a spiking BERT');

test('every layout: 1, 2 and 3 threads', async () => {
  for (const layout of SPIKE_LAYOUTS) {
    await compare(layout, { layers: 1, width: 200, hidden: 330, heads: 5 }, [3, 2, 1], true);
  }
});

test('more threads than units of rows', async () => {
  await compare('trit2', { layers: 2, width: 48, hidden: 96, heads: 4 }, [4], true);
});

test('in a window, where this thread is no thread', async () => {
  await compare('bit1', { layers: 1, width: 130, hidden: 200, heads: 10 }, [2, 1], false);
});
test.run();
