/** Runs over a trainer that only counts: order, measurements, and going on after whatever cut one off. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CURRENT, loadCheckpoint } from '../../src/distill/checkpoint.ts';
import { studentConfig } from '../../src/distill/students/symboliclight/config.ts';
import { fixedWindows, Windows } from '../../src/distill/students/symboliclight/data.ts';
import type { RunFolder } from '../../src/distill/folder.ts';
import type { TrainEvent, TrainResult } from '../../src/distill/run.ts';
import { train, type TrainParts } from '../../src/distill/students/symboliclight/run.ts';
import { type TrainSettings, trainSettings } from '../../src/distill/students/symboliclight/settings.ts';
import type { Batch } from '../../src/distill/students/symboliclight/types.ts';
import { refuses } from '../refusal.ts';
import { fakeTrainer, type Faults } from './fake-trainer.ts';
import { memoryFolder } from './memory-folder.ts';

const run = suite('distill run');

const CONFIG = studentConfig({ width: 8, layers: 1, ffn: 8, heads: 1, quantisation: 'none' }, 8);
const IDS = Int32Array.from({ length: 403 }, (_, i) => (i * i + 3 * i) % 8);
const SMALL = { steps: 12, batch: 2, seq: 10, accumulate: 2, evalEvery: 4, evalWindows: 4, logEvery: 3, saveEvery: 0 };

interface Choices {
  readonly folder?: RunFolder;
  readonly settings?: Partial<TrainSettings>;
  readonly faults?: Faults;
  readonly parts?: Partial<TrainParts>;
  readonly resume?: boolean;
}

async function start({ folder = memoryFolder(), settings = {}, faults, parts, resume }: Choices): Promise<TrainResult> {
  const all = trainSettings({ ...SMALL, ...settings });
  const answer = async (ids: Int32Array): Promise<Batch> => ({
    batch: all.batch,
    length: all.seq,
    ids,
    teacherLogits: Float32Array.of(ids[1] / 7),
  });
  return await train({
    trainer: fakeTrainer(CONFIG, all.seed, faults),
    windows: new Windows(IDS, all.seq, all.seed),
    held: fixedWindows(IDS, all.seq, 4),
    batch: answer,
    hiddenPairs: [],
    folder,
    settings: all,
    options: {},
    from: resume ? ((await loadCheckpoint(folder)) ?? undefined) : undefined,
    ...parts,
  });
}

/** What must be equal of two runs: all but times. */
function essence({ steps, state, records }: TrainResult): unknown {
  return {
    steps,
    tensors: [...state.tensors].map(([name, { data }]) => [name, [...data.subarray(0, 200)]]),
    records: records.map((record) => ({ ...record, seconds: 0, tokensPerSecond: 0 })),
  };
}

run('measures at the beginning, every so many steps, and at the end', async () => {
  const events: string[] = [];
  const tell = (event: TrainEvent): void => {
    if (event.kind === 'evaluation') events.push(`e${event.record.step}`);
    else if (event.kind === 'checkpoint') events.push(`c${event.step}`);
    else if (event.kind === 'step') events.push(String(event.step));
  };
  const { last, records } = await start({ settings: { steps: 6, saveEvery: 1e6 }, parts: { onEvent: tell } });
  assert.is(events.join(' '), 'e0 1 2 3 4 e4 5 6 c6 e6');
  assert.is(last.step, 6);
  assert.ok(Math.abs((last.perplexity ?? NaN) - Math.exp(last.loss)) < 1e-9);
  assert.equal(records.map(({ kind, step }) => `${kind[0]}${step}`), ['e0', 's3', 'e4', 's6', 'e6']);
});

run('a run that was interrupted goes on to the same numbers', async () => {
  const whole = essence(await start({}));
  for (const at of [1, 4, 7, 11]) {
    const folder = memoryFolder();
    const controller = new AbortController();
    const stop = (step: number): void => {
      if (step === at) controller.abort(new Error('enough'));
    };
    const cut = start({
      folder,
      settings: { saveEvery: 1e6 },
      faults: { afterStep: stop },
      parts: { signal: controller.signal },
    });
    await cut.then(() => assert.unreachable(), (error: Error) => assert.is(error.message, 'enough'));
    assert.is((await loadCheckpoint(folder))?.run.step, at);
    assert.equal(essence(await start({ folder, resume: true })), whole, `cut off at ${at}`);
  }
});

run('a run that was killed goes on from its last checkpoint to the same numbers', async () => {
  const whole = essence(await start({}));
  const folder = memoryFolder();
  const kill = (step: number): void => {
    if (step === 8) throw new Error('killed');
  };
  await start({ folder, faults: { afterStep: kill } }).then(() => assert.unreachable(), () => {});
  assert.is((await loadCheckpoint(folder))?.run.step, 7);
  assert.equal(essence(await start({ folder, resume: true })), whole);
});

run('another seed gives other numbers', async () => {
  assert.not.equal(essence(await start({})), essence(await start({ settings: { seed: 2 } })));
});

run('a loss that is no number stops the run and leaves the last checkpoint', async () => {
  const folder = memoryFolder();
  const error = await refuses(start({ folder, faults: { notFiniteAt: 6 } }), 'NOT_FINITE', 'step 6', 'loss NaN');
  assert.match(error.message, /weights are finite/);
  assert.is((await loadCheckpoint(folder))?.run.step, 5);
});

run('a full disk stops nothing, and saving begins again when there is room', async () => {
  const folder = memoryFolder();
  const notes: string[] = [];
  const saved: number[] = [];
  const onEvent = (event: TrainEvent): void => {
    if (event.kind === 'note') notes.push(event.text);
    if (event.kind === 'checkpoint') saved.push(event.step);
  };
  const afterStep = (step: number): void => void (folder.full = step >= 3 && step < 9);
  await start({ folder, faults: { afterStep }, parts: { onEvent } });
  assert.equal(saved, [1, 2, 9, 10, 11, 12]);
  assert.ok(notes.every((note) => note.includes('ENOSPC')), notes.join('\n'));
  assert.is(notes.filter((note) => note.startsWith('measurements')).length, 1);
  assert.is((await loadCheckpoint(folder))?.run.step, 12);
});

run('a run that is over is not trained further', async () => {
  const folder = memoryFolder();
  const first = await start({ folder });
  const again = await start({ folder, resume: true, faults: { afterStep: () => assert.unreachable() } });
  assert.equal(essence(again), essence(first));
});

run('minutes end a run, and let the learning rate fall by the clock', async () => {
  const rates: number[] = [];
  const onEvent = (event: TrainEvent): void => {
    if (event.kind === 'step') rates.push(event.lr);
  };
  const settings = { steps: undefined, minutes: 0.002, warmup: 0, lr: 1, floor: 0.1 };
  const { steps, seconds } = await start({ settings: { ...settings }, parts: { onEvent } });
  assert.ok(steps >= 1 && seconds >= 0.12, `${steps} steps, ${seconds} s`);
  assert.ok(rates.every((rate, i) => rate <= (rates[i - 1] ?? 1) && rate >= 0.1));
  assert.is(rates.length, steps);
});

run('a run taken up with fewer minutes than it has had is over, and measured where it stands', async () => {
  const folder = memoryFolder();
  const kill = (step: number): void => {
    if (step === 7) throw new Error('killed');
  };
  await start({ folder, faults: { afterStep: kill } }).then(() => assert.unreachable(), () => {});
  const ended = await start({ folder, resume: true, settings: { minutes: 1e-9 } });
  assert.equal([ended.steps, ended.last.step], [6, 6]);
});

run('samples are made at every measurement, the page then and at every checkpoint', async () => {
  const folder = memoryFolder();
  let pages = 0;
  const { last } = await start({
    folder,
    parts: {
      sample: async ({ step }) => `text of ${step}`,
      page: (records, { step, done }) => `${++pages} ${records.length} ${step} ${done}`,
    },
  });
  assert.is(last.sample, 'text of 12');
  assert.is(new TextDecoder().decode(folder.files.get('index.html')), '16 8 12 true');
  assert.ok(folder.files.has(CURRENT));
});

run('too little text to measure on is refused', async () => {
  await refuses(
    start({ parts: { held: fixedWindows(IDS, 10, 1) } }),
    'OPTION',
    '1 windows',
    'one batch of 2',
    '--holdout',
  );
});

run('an interrupt before the first step leaves a checkpoint of step 0', async () => {
  const folder = memoryFolder();
  const signal = AbortSignal.abort(new Error('at once'));
  await start({ folder, parts: { signal } }).then(() => assert.unreachable(), () => {});
  assert.is((await loadCheckpoint(folder))?.run.step, 0);
});

run.run();
