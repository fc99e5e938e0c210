/**
 * The trainer's forward pass against the engine on the exported file: the same logits and the same spikes. Where activations
 * are rounded, sums in another order turn a rounding now and then, and what follows moves a little; where they are not, nothing
 * does.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import type { ByteSink } from '../../src/container/gguf-write.ts';
import { exportStudent } from '../../src/distill/students/symboliclight/export.ts';
import { joined } from '../../src/distill/safetensors-write.ts';
import { createTrainer } from '../../src/distill/students/symboliclight/trainer.ts';
import type { StudentConfig, Trainer, TrainerState } from '../../src/distill/students/symboliclight/types.ts';
import { open } from '../../src/entries/index.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { convertModel } from '../../src/model/convert.ts';
import { jaxTest, TINY } from './student.ts';

const test = suite('distill: trainer and engine');

const POSITIONS = 200;
const IDS = Array.from({ length: POSITIONS }, (_, i) => (i * 11 + (i >> 3)) % TINY.vocab);
/** Largest difference of logits that count as the same, and largest where nothing is rounded. */
const BOUND = 1e-3;
const EXACT_BOUND = 1e-4;

/** Spikes that may differ behind a rounding that turned, of some 300,000 neurons in all positions together. */
const MOST_STRAYS = 15;

/** A state whose slowest head forgets two thousandths per token, as trained ones do. */
function remembering({ step, tensors }: TrainerState): TrainerState {
  const slow = [...tensors].map(([key, { shape, data }]) =>
    [key, { shape, data: key.endsWith('decay_raw') ? data.map((_, i) => 6.5 - 2 * i) : data }] as const
  );
  return { step, tensors: new Map(slow) };
}

async function collected(write: (sink: ByteSink) => Promise<unknown>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  await write({ write: (bytes) => Promise.resolve(void parts.push(bytes.slice())) });
  return joined(parts);
}

/** The student's file; its weights written out in floats where `plain`. */
async function fileOf(trainer: Trainer, plain: boolean): Promise<Uint8Array> {
  const { module } = await builtinModule();
  const state = await trainer.save();
  const bytes = await collected((sink) => exportStudent(module, trainer.config, state, sink));
  if (!plain) return bytes;
  const options = { type: 'f32', head: 'f32', embedding: 'f32' } as const;
  return await collected((sink) => convertModel(module, memorySource(bytes), sink, options));
}

/** How many positions agree, and how many spikes there are too many or too few. */
async function compared(
  config: Partial<StudentConfig>,
  activations: boolean,
): Promise<{ close: number; best: number; strays: number; worst: number }> {
  const trainer = await createTrainer({ ...TINY, context: 256, window: 60, ...config }, { activations });
  try {
    await trainer.load(remembering(await trainer.save()));
    const { logits, spikes } = await trainer.forward(IDS);
    assert.is(spikes.length, 1 + 3 * trainer.config.layers);
    assert.ok(spikes.every((layer) => layer.every((s) => s <= 1)));
    await using model = await open(await fileOf(trainer, !activations));
    const session = model.session();
    const { vocab } = trainer.config;
    const found = { close: 0, best: 0, strays: 0, worst: 0 };
    let before = spikes.map(() => 0);
    for (let t = 0; t < POSITIONS; t++) {
      const row = await session.step(IDS[t]);
      const own = logits.subarray(t * vocab, (t + 1) * vocab);
      const error = row.reduce((most, x, i) => Math.max(most, Math.abs(x - own[i])), 0);
      found.worst = Math.max(found.worst, error);
      if (error < BOUND) found.close++;
      if (own[row.indexOf(Math.max(...row))] > Math.max(...own) - BOUND) found.best++;
      const counts = [...session.spikes!.spikes];
      spikes.forEach((layer, n) => {
        const width = layer.length / POSITIONS;
        const wanted = layer.subarray(t * width, (t + 1) * width).reduce((sum, s) => sum + s, 0);
        found.strays += Math.abs(counts[n] - before[n] - wanted);
      });
      before = counts;
    }
    session.dispose();
    return found;
  } finally {
    trainer.dispose();
  }
}

const STUDENTS: readonly Partial<StudentConfig>[] = [
  { quantisation: 'none', tables: 'none' },
  { quantisation: 'ternary', tables: 'int8', layers: 2 },
  { quantisation: 'binary', tables: 'ternary' },
];

for (const student of STUDENTS) {
  const { quantisation, tables } = student;
  const name = `${quantisation} blocks and ${tables} tables`;
  jaxTest(test, `${name}: activations as they are, every logit and every spike`, async () => {
    const { close, strays, worst } = await compared({ ...student, layers: 2 }, false);
    assert.is(close, POSITIONS);
    assert.ok(worst < EXACT_BOUND, `largest error ${worst}`);
    assert.is(strays, 0);
  });
  if (quantisation === 'none') continue;
  jaxTest(test, `${name}: activations rounded, all but a handful`, async () => {
    const { close, best, strays } = await compared(student, true);
    console.log(`  ${name}: ${close} of ${POSITIONS} positions within ${BOUND}, ${strays} spikes differ`);
    assert.ok(close >= 0.9 * POSITIONS, `${close} of ${POSITIONS} positions`);
    assert.ok(best >= 0.99 * POSITIONS, `${best} of ${POSITIONS} best tokens`);
    assert.ok(strays <= MOST_STRAYS, `${strays} spikes`);
  });
}

test.run();
