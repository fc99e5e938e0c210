/** `distill --task`: what is refused, a whole run, and one that was killed and goes on to the same file. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ClassifierResult } from '../../src/distill/students/spikingbert/distill.ts';
import { DenseTeacher, readTeacher } from '../../src/distill/students/bert/teacher.ts';
import { trainKernels } from '../../src/distill/train-kernels.ts';
import { resolveSource } from '../../src/bytes/resolve.ts';
import { open } from '../../src/entries/index.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { folder, json, refused, speakingModel, ternspike } from './cli.ts';
import { sharedTest } from '../shared.ts';
import { teacherFolder } from './teacher.ts';

const distill = suite('cli distill --task');
const files = folder();
const teacher = teacherFolder(join(files.path, 'teacher'), ['down', 'up']);
const WORDS = ['the', 'a', 'film', 'good', 'bad', 'not', 'hello', 'world'];
const lines = (count: number, from: number): string =>
  Array.from({ length: count }, (_, i) => {
    const words = Array.from({ length: 2 + (i % 3) }, (_, j) => WORDS[(i * 5 + j * 3 + from) % WORDS.length]);
    return `${words.join(' ')}\t${i % 2 === 0 ? 'up' : 'down'}`;
  }).join('\n');
const train = files.file('train.txt', `${lines(48, 0)}\n`);
const dev = files.file('dev.txt', `${lines(12, 1)}\n`);
const student = files.file(
  'student.json',
  JSON.stringify({
    layers: 1,
    tables: 'ternary',
    steps: 4,
    phases: [
      { kind: 'noise', steps: 4, lr: 0.01, warmup: 1 },
      { kind: 'spikes', steps: 4, lr: 0.005, warmup: 1, timeSteps: 2, attention: [0.5, 0], hard: 0.2, rate: 0.1 },
    ],
  }),
);
const out = join(files.path, 'student.gguf');
const base = (to: string, dir: string): string[] => [
  ...['distill', '--teacher', teacher, '--task', 'custom', '--labels', 'down,up', '--data', train, '--eval-data', dev],
  ...['--student', student, '--out', to, '--dir', dir, '--vocab', 'used', '--batch', '4', '--threads', '1'],
  ...['--eval-every', '4', '--eval-samples', '6', '--log-every', '1', '--save-every', '0', '--calibrate', '16'],
];
const BASE = base(out, join(files.path, 'student.run'));

distill.after(() => files.remove());

/** `BASE` with another value of one option. */
const changed = (name: string, value: string): string[] => BASE.map((arg, i) => (BASE[i - 1] === name ? value : arg));

distill('wrong usage ends with 2 and says what is wrong', async () => {
  refused(await ternspike([...BASE, '--lr', '1']), 2, '--lr', 'phases');
  refused(await ternspike(changed('--task', 'sst3')), 2, '--task');
  refused(await ternspike(changed('--labels', 'one')), 2, '--labels');
  refused(await ternspike(changed('--vocab', 'some')), 2, '--vocab', 'used:N');
  refused(await ternspike(changed('--batch', '99999')), 2, 'batch is 99999', '1 … 4096');
  refused(
    await ternspike(['distill', '--teacher', teacher, '--data', train, '--out', out, '--vocab', 'used']),
    2,
    '--task',
  );
  refused(await ternspike(['distill', '--teacher', teacher, '--task', 'sst2', '--out', out]), 2, '--data');
});

distill('files that are not what they should be are refused', async () => {
  const odd = files.file('odd.txt', 'a film\tsideways\n');
  refused(await ternspike([...BASE, '--texts', odd]), 1, 'DATASET_LINE', 'line 1', 'sideways', 'down, up');
  const wide = files.file('wide.txt', 'a\tb\tup\tmore\n');
  refused(await ternspike([...BASE, '--texts', wide]), 1, 'DATASET_LINE', '4 columns');
  const unlike = files.file('unlike.json', '{"depth": 1}');
  refused(await ternspike(changed('--student', unlike)), 1, 'OPTION', '"depth"');
  const speaks = files.file('speaks.gguf', speakingModel());
  refused(await ternspike(changed('--teacher', speaks)), 1, 'OPTION', 'not a dense BERT');
  refused(await ternspike(changed('--labels', 'down,up,sideways')), 1, 'OPTION', '2 classes', '3 labels');
  const empty = join(files.path, 'empty');
  mkdirSync(empty);
  refused(await ternspike(['distill', '--teacher', teacher, '--task', 'sst2', '--data', empty, '--out', out]), 1, 'IO');
  assert.not(existsSync(out));
});

distill('a run makes a classifier of the pieces that are used, a page and measurements', async () => {
  const unlabelled = files.file('more.txt', 'hello good film\nthe world\t\nbad\tgood\t\n');
  const made = await json<ClassifierResult>([...BASE, '--texts', unlabelled, '--name', 'tiny', '--type', 'tq1_0']);
  assert.equal([made.steps, made.samples, made.heldSamples, made.bytes], [8, 51, 12, statSync(out).size]);
  assert.ok((made.score.student as number) >= 0 && (made.score.teacher as number) <= 1);
  assert.is(made.firingRates.length, 7);
  const { dir } = made;
  const records = readFileSync(join(dir, 'metrics.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(records.filter(({ kind }) => kind === 'evaluation').map(({ step }) => step), [0, 4, 8]);
  assert.ok(records.filter(({ kind }) => kind === 'step').slice(4).every(({ attention }) => attention >= 0));
  assert.match(readFileSync(join(dir, 'index.html'), 'utf8'), /Score on held-out data/);
  assert.ok(readdirSync(dir).includes('checkpoint.previous.safetensors'));
  using model = await open(out);
  const { vocab, labels, steps, initial } = model.describe() as never as Record<string, unknown>;
  assert.equal([labels, steps, initial], [['down', 'up'], 4, 0.5]);
  assert.is(vocab, made.vocab);
  assert.equal(
    model.tokenizer.encode('good film').map((id) => model.tokenizer.piece(id)),
    ['▁good', '▁film'],
  );
  refused(await ternspike(BASE), 1, 'CHECKPOINT', '8 steps', 'resume');
});

distill('a run that was killed goes on to the same file', async () => {
  const whole = [join(files.path, 'whole.gguf'), join(files.path, 'whole.run')] as const;
  const cut = [join(files.path, 'cut.gguf'), join(files.path, 'cut.run')] as const;
  await json(base(...whole));
  let killed = false;
  await ternspike(base(...cut), {
    watchErrors: (child, said) => {
      if (!killed && /saved at step [3-6]\b/.test(said)) killed = child.kill('SIGKILL');
    },
  });
  assert.ok(killed && !existsSync(cut[0]), 'it was cut off');
  const ended = await json<ClassifierResult>(['distill', '--resume', cut[1]]);
  assert.is(ended.steps, 8);
  assert.ok(readFileSync(cut[0]).equals(readFileSync(whole[0])), 'the files are equal');
  const line = (dir: string): string[] =>
    readFileSync(join(dir, 'metrics.jsonl'), 'utf8').trim().split('\n').map((text) => {
      const { seconds: _, tokensPerSecond: __, ...rest } = JSON.parse(text);
      return JSON.stringify(rest);
    });
  assert.equal(line(cut[1]), line(whole[1]));
  // another student cannot go on with it, other texts neither
  const other = files.file('other.json', '{"layers": 2}');
  refused(await ternspike(['distill', '--resume', cut[1], '--student', other]), 1, 'CHECKPOINT', 'layers 1');
  refused(await ternspike(['distill', '--resume', cut[1], '--data', dev]), 1, 'CHECKPOINT', 'other data');
});

/** The trainer's own pass of the teacher against the engine's. */
async function agrees(path: string, texts: readonly string[], most: number): Promise<void> {
  const { module } = await builtinModule();
  const source = await resolveSource(path);
  const weights = await readTeacher(module, source).finally(() => source.close?.());
  const training = await trainKernels();
  const dense = new DenseTeacher(weights, training);
  await using model = await open(path);
  for (const text of texts) {
    const ids = model.tokenizer.encode(text, { special: true });
    const types = ids.map(() => 0);
    const twice = { texts: 2, length: ids.length, ids: [...ids, ...ids], types: [...types, ...types] };
    const { logits } = dense.forward(twice, null);
    const said = (await model.classify({ ids, typeIds: types })).logits;
    logits.forEach((z, i) => assert.ok(Math.abs(z - said[i % said.length]) < most, `${text}: ${logits}, ${said}`));
  }
}

distill(
  'the teacher says in training what it says in the engine',
  () => agrees(teacher, ['good film', 'hello world, not a bad film!', 'x'], 1e-4),
);
sharedTest(
  distill,
  'and so does a real one',
  'models/minilm-sst2',
  (path) => agrees(path, ['a charming and often affecting journey', 'it is dull .'], 2e-3),
);

distill.run();
