/** `distill --finetune`: an encoder becomes a teacher, the best state is kept, a run that was killed goes on to the same file. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { FinetuneResult } from '../../src/distill/students/bert/finetune.ts';
import type { ClassifierResult } from '../../src/distill/students/spikingbert/distill.ts';
import { open } from '../../src/entries/index.ts';
import { folder, json, refused, ternspike } from './cli.ts';
import { teacherFolder } from './teacher.ts';

const test = suite('cli distill --finetune');
const files = folder();
const encoder = teacherFolder(join(files.path, 'encoder'), null);
/** A text is up where it says good and down where it says bad. */
const lines = (count: number, from: number): string =>
  Array.from({ length: count }, (_, i) => {
    const words = ['the', 'a', 'film', 'hello', 'world'].filter((_, j) => (((i >> 1) + from) >> j) % 2 === 1);
    return `${[...words, i % 2 === 0 ? 'good' : 'bad'].join(' ')}\t${i % 2 === 0 ? 'up' : 'down'}\n`;
  }).join('');
const train = files.file('train.txt', `${lines(64, 0)}without a label\n`);
const dev = files.file('dev.txt', lines(16, 3));
const command = (out: string, ...more: string[]): string[] =>
  withoutTwice([
    ...['distill', '--finetune', '--teacher', encoder, '--task', 'custom', '--labels', 'down,up', '--data', train],
    ...['--eval-data', dev, '--out', out, '--batch', '8', '--threads', '1', '--accumulate', '1', '--log-every', '1'],
    ...['--eval-every', '4', '--save-every', '0', '--epochs', '6', '--lr', '0.005', ...more],
  ]);

/** Options once each, as they come last. */
function withoutTwice(args: readonly string[]): string[] {
  return args.filter((arg, i) => {
    const again = (name: string, from: number): boolean => name.startsWith('--') && args.indexOf(name, from + 1) > 0;
    return !again(arg, i) && !(i > 0 && again(args[i - 1], i - 1));
  });
}

test.after(() => files.remove());

test('an encoder learns a task and teaches it', async () => {
  const out = join(files.path, 'teacher.gguf');
  const made = await json<FinetuneResult>(command(out, '--name', 'tiny'));
  assert.equal([made.samples, made.heldSamples], [64, 16]);
  assert.is(made.score, 1, 'good and bad are told apart');
  assert.is(made.best.score, 1);
  assert.ok(made.best.step <= made.steps && made.steps >= 48, `${made.steps} updates`);
  using model = await open(out);
  assert.equal((model.describe() as { labels?: readonly string[] }).labels, ['down', 'up']);
  assert.is((await model.classify('a good film')).label, 'up');
  // an interrupt keeps nothing but the run; the file is a teacher as any other
  const student = files.file(
    'student.json',
    JSON.stringify({ layers: 1, steps: 4, phases: [{ kind: 'noise', steps: 2, lr: 0.01 }] }),
  );
  const taught = await json<ClassifierResult>([
    ...['distill', '--teacher', out, '--task', 'custom', '--labels', 'down,up', '--data', train, '--eval-data', dev],
    ...[
      '--student',
      student,
      '--out',
      join(files.path, 'student.gguf'),
      '--vocab',
      'used',
      '--threads',
      '1',
      '--calibrate',
      '16',
    ],
  ]);
  assert.is(taught.score.teacher, 1);
  refused(await ternspike(command(out)), 1, 'CHECKPOINT', 'resume');
});

test('tables stay where they are frozen', async () => {
  const out = join(files.path, 'frozen.gguf');
  const made = await json<FinetuneResult>(command(out, '--freeze-embeddings', '--epochs', '1'));
  const all = await json<FinetuneResult>(command(join(files.path, 'all.gguf'), '--epochs', '1'));
  assert.ok(made.parameters < all.parameters && made.bytes === all.bytes, `${made.parameters}, ${all.parameters}`);
});

test('a run that was killed goes on to the same file', async () => {
  const [whole, cut] = ['whole.gguf', 'cut.gguf'].map((name) => join(files.path, name));
  await json(command(whole));
  let killed = false;
  await ternspike(command(cut), {
    watchErrors: (child, said) => {
      if (!killed && /saved at step [5-9]\b/.test(said)) killed = child.kill('SIGKILL');
    },
  });
  assert.ok(killed && !existsSync(cut), 'it was cut off');
  await json(['distill', '--resume', cut.replace('.gguf', '.run')]);
  const named = (path: string): string => readFileSync(path).toString('latin1');
  assert.ok(named(cut) === named(whole), 'the files are equal');
});

test('options of other runs are refused', async () => {
  const out = join(files.path, 'no.gguf');
  refused(await ternspike(command(out, '--vocab', 'used')), 2, '--vocab', '--finetune');
  refused(await ternspike(command(out, '--hidden', '1')), 2, '--hidden');
  refused(await ternspike(command(out, '--dropout', '1')), 2, 'dropout is 1', '0.9');
  refused(await ternspike(command(out).filter((arg) => arg !== '--finetune').concat('--epochs', '2')), 2, '--epochs');
  refused(await ternspike(['distill', '--finetune', '--teacher', encoder, '--data', train, '--out', out]), 2, '--task');
  const unlabelled = files.file('none.txt', 'hello\nworld\n');
  refused(
    await ternspike(command(out).map((arg, i, all) => (all[i - 1] === '--data' ? unlabelled : arg))),
    1,
    'OPTION',
    '0 labelled texts',
  );
});

test.run();
