/** The trainer of spiking BERTs: it learns, goes on to the same bits, and its spikes are those of the file it writes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createSpikingTrainer, type SpikingTrainer } from '../../src/distill/students/spikingbert/trainer.ts';
import { batchOf } from '../../src/distill/students/bert/data.ts';
import { exportSpikingStudent } from '../../src/distill/students/spikingbert/export.ts';
import type { Tables } from '../../src/distill/students/spikingbert/spikes.ts';
import { joined } from '../../src/distill/safetensors-write.ts';
import { open, type SpikingBertDescription } from '../../src/entries/index.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { refuses } from '../refusal.ts';
import { LOSSES, SHAPE, tinySamples, tinyStudent, tinyTeacher } from './spiking.ts';

const test = suite('distill: spiking trainer');

const BATCHES = [5, 6, 7, 5].map((length, i) => batchOf(tinySamples(8, [length]).map((s) => ({ ...s })), i));

async function using(choices: object, use: (trainer: SpikingTrainer) => Promise<void>, threads = 1): Promise<void> {
  const { options, state } = await tinyStudent(choices);
  const trainer = await createSpikingTrainer(options, { threads });
  try {
    await trainer.load(state);
    await use(trainer);
  } finally {
    trainer.dispose();
  }
}

/** The state as text: equal for equal bits. */
async function bits(trainer: SpikingTrainer): Promise<string> {
  const { step, tensors } = await trainer.save();
  return JSON.stringify([step, [...tensors].map(([key, { data }]) => [key, [...new Uint32Array(data.buffer)]])]);
}

test('every kind of weights and of phase learns the teacher', async () => {
  for (const weights of ['ternary', 'binary', 'none'] as const) {
    await using({ weights, levels: 16 }, async (trainer) => {
      for (const kind of ['rates', 'noise', 'spikes'] as const) {
        const losses: number[] = [];
        for (let step = 0; step < 12; step++) {
          const { loss } = await trainer.step(BATCHES.slice(0, 2), 0.01, {
            ...LOSSES,
            kind,
            fit: step === 0 && kind === 'noise',
          });
          losses.push(loss);
        }
        const [first, last] = [losses[0], losses[losses.length - 1]];
        assert.ok(last < first || kind !== 'rates', `${weights}, ${kind}: ${losses}`);
        assert.ok(losses.every(Number.isFinite));
      }
    });
  }
});

test('the same bits on any number of threads, and from a state that was saved', async () => {
  const seen: string[] = [];
  for (const threads of [1, 2]) {
    await using({}, async (trainer) => {
      await trainer.step(BATCHES, 0.01, LOSSES);
      const state = await trainer.save();
      await trainer.step(BATCHES.slice(2), 0.01, { ...LOSSES, kind: 'spikes' });
      seen.push(await bits(trainer));
      await trainer.load(state);
      await trainer.step(BATCHES.slice(2), 0.01, { ...LOSSES, kind: 'spikes' });
      seen.push(await bits(trainer));
    }, threads);
  }
  assert.is(new Set(seen).size, 1);
});

test('batches that do not fit are refused', async () => {
  await using({}, async (trainer) => {
    const bad = (change: object, ...words: string[]): Promise<unknown> =>
      refuses(trainer.step([{ ...BATCHES[0], ...change }], 0.01, LOSSES), 'OPTION', ...words);
    await bad({ length: 13 }, '13 tokens', '12 positions');
    await bad({ texts: 9 }, '40 ids', '9 × 5');
    await bad({ ids: BATCHES[0].ids.map(() => 40) }, 'id 40', '40');
    await bad({ types: BATCHES[0].types.map(() => 2) }, 'segment 2');
    await bad({ labels: BATCHES[0].labels.map(() => 3) }, 'label 3', '3 classes');
    await trainer.step([{ ...BATCHES[0], labels: BATCHES[0].labels.map(() => NaN) }], 0.01, LOSSES);
  });
});

test('a NaN ends a step with its layer', async () => {
  await using({}, async (trainer) => {
    const state = await trainer.save();
    state.tensors.get('network_s6.LayerNorm.bias')!.data[3] = NaN;
    await trainer.load(state);
    await refuses(trainer.step(BATCHES, 0.01, LOSSES), 'NOT_FINITE', 'step 1', 'layer 6 (0 output)');
  });
});

/** A student as a file, in memory. */
async function fileOf(trainer: SpikingTrainer, tables: Tables, type: 'tq2_0' | 'tq1_0'): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const sink = { write: (bytes: Uint8Array) => Promise.resolve(void parts.push(bytes.slice())) };
  const { module } = await builtinModule();
  const labels = ['a', 'b', 'c'];
  const about = { type, labels, task: 'custom', metadata: new Map() };
  await exportSpikingStudent(module, trainer.config, tables, await trainer.save(), sink, about);
  return joined(parts);
}

for (
  const [weights, tables, type] of [
    ['ternary', 'ternary', 'tq1_0'],
    ['ternary', 'int8', 'tq2_0'],
    ['binary', 'none', 'tq2_0'],
    ['none', 'int8', 'tq2_0'],
  ] as const
) {
  test(`spikes in training are those of the file: ${weights} weights, ${tables} tables, 50 texts`, async () => {
    await using({ weights, tables }, async (trainer) => {
      await trainer.step(BATCHES, 0.02, LOSSES);
      await trainer.fitClassifier(
        BATCHES,
        BATCHES.map(({ texts }) => new Float32Array(texts * SHAPE.classes).fill(0.5)),
      );
      const { words, positions, segments } = tinyTeacher();
      using model = await open(await fileOf(trainer, { words, positions, segments }, type));
      const d = model.describe() as SpikingBertDescription;
      assert.equal([d.steps, d.threshold, d.initial, d.leak, d.labels], [16, 1, 0.5, 1, ['a', 'b', 'c']]);
      const samples = tinySamples(50, [3, 4, 6, 9, 12]);
      for (const [i, sample] of samples.entries()) {
        const [{ counts = [], logits }] = await trainer.look([batchOf([sample])], { steps: 16, neurons: true });
        const said = await model.classify({ ids: sample.ids, typeIds: sample.types }, { counts: true });
        counts[0].forEach((layer, j) => assert.equal(layer, said.spikeCounts![j], `text ${i}, layer ${j}`));
        assert.equal([...logits], said.logits, `text ${i}`);
      }
      // a network that is silent, or always fires, would prove little
      const [{ firing }] = await trainer.look(BATCHES, { steps: 16 });
      assert.ok(firing.every((rate) => rate > 0.005 && rate < 0.95), `${firing}`);
    });
  });
}

test.run();
