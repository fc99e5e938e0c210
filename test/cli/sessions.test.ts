/** Sessions as files: what is kept goes on as if it had never stopped, and no other file is harmed. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SPIKING_SHAPES } from '../../src/architectures/symboliclight/random.ts';
import { released } from '../released.ts';
import { folder, here, json, jsonHere, refused, speakingModel, ternspike } from './cli.ts';

interface RunResult {
  ids: number[];
  promptTokens: number;
  finishReason: string;
  session?: { loaded: number; saved: number | null };
}

const test = suite('cli sessions');
const files = folder();
const model = files.file('speaking.gguf', speakingModel());
const path = (name: string): string => join(files.path, name);
const run = (...args: string[]): string[] => [
  'run',
  '-m',
  model,
  '--logit-bias',
  '2=-inf',
  '--temp',
  '0',
  ...args,
];

test.after(() => files.remove());

test('a run that goes on from a file says what one run over everything says', async () => {
  const [a, b] = ['1,9,17,25', '33,41'];
  const first = await json<RunResult>(run('--ids', a, '-n', '6', '--save-session', path('a')));
  assert.equal(first.session, { loaded: 0, saved: 10 });
  const second = await json<RunResult>(run('--ids', b, '-n', '8', '--load-session', path('a')));
  assert.equal(second.session, { loaded: 10, saved: null });
  const whole = await jsonHere<RunResult>(run('--ids', [a, ...first.ids, b].join(), '-n', '8'));
  assert.equal(second.ids, whole.ids);
  assert.is(whole.session, undefined);
});

test('a text goes on without bos, and a session may be kept under its own name', async () => {
  const chat = (text: string, ...more: string[]): Promise<RunResult> =>
    jsonHere<RunResult>(run(text, '-n', '3', '--save-session', path('b'), ...more));
  const first = await chat('hello');
  const second = await chat('world', '--load-session', path('b'));
  const [{ ids: one }, { ids: two }] = await Promise.all(
    ['hello', 'world'].map((text) => jsonHere<{ ids: number[] }>(['tokenize', '-m', model, text])),
  );
  assert.equal([first.promptTokens, second.promptTokens], [1 + one.length, two.length]);
  assert.equal(second.session, { loaded: 1 + one.length + 3, saved: 1 + one.length + 3 + two.length + 3 });
  const whole = await jsonHere<RunResult>(run('--ids', [1, ...one, ...first.ids, ...two].join(), '-n', '3'));
  assert.equal(second.ids, whole.ids);
  const third = await jsonHere<RunResult>(run('ab', '--chat', '-n', '2', '--load-session', path('b')));
  const { ids: rendered } = await jsonHere<{ ids: number[] }>(['tokenize', '-m', model, 'u:ab a:']);
  assert.is(third.promptTokens, rendered.length);
});

test('-n 0 only reads; what follows is answered as if it had stood behind', async () => {
  const read = await jsonHere<RunResult>(run('--ids', '1,9,17', '-n', '0', '--save-session', path('c')));
  assert.equal([read.ids, read.session], [[], { loaded: 0, saved: 3 }]);
  const [after, whole] = await Promise.all([
    jsonHere<RunResult>(run('--ids', '25', '-n', '5', '--load-session', path('c'))),
    jsonHere<RunResult>(run('--ids', '1,9,17,25', '-n', '5')),
  ]);
  assert.equal(after.ids, whole.ids);
});

test('an end token that the model said is kept with its text', async () => {
  const args = ['run', '-m', model, 'hello', '--temp', '0', '--logit-bias', '2=9000', '--save-session', path('d')];
  const { ids, finishReason, promptTokens, session } = await jsonHere<RunResult>(args);
  assert.equal([ids, finishReason], [[], 'stop']);
  assert.is(session!.saved, promptTokens + 1);
});

test('a context is chosen that has room for what was kept; one that is too small is refused', async () => {
  const prompt = 'hello '.repeat(640);
  const first = await jsonHere<RunResult>(run(prompt, '-n', '2', '--ctx', '700', '--save-session', path('e')));
  const held = first.session!.saved!;
  assert.ok(held > 600, `${held}`);
  const on = ['--load-session', path('e')];
  const second = await jsonHere<RunResult>(run('hello', '-n', '9', ...on));
  assert.is(second.ids.length, 9);
  const [less, tight, kept] = await Promise.all([
    here(run('hello', '-n', '9', '--ctx', '512', ...on)),
    here(run('hello', '-n', '9', '--ctx', String(held + 5), ...on)),
    here(run('--ids', '1,2', '-n', '9', '--ctx', '10', '--save-session', path('never'))),
  ]);
  refused(less, 1, 'CONTEXT_OVERFLOW', `${held}`, '512');
  refused(tight, 1, 'CONTEXT_OVERFLOW', `${held + 5}`);
  refused(kept, 1, 'CONTEXT_OVERFLOW', '10');
  const slid = await jsonHere<RunResult>(run('hello', '-n', '400', '--overflow', 'slide', ...on));
  assert.is(slid.ids.length, 400);
});

// case: Z9
test('files that are no session of this model are refused, and nothing is written over', async () => {
  const other = files.file('other.gguf', speakingModel({ shape: { layers: 1 } }));
  await jsonHere(run('--ids', '1,9,17', '-n', '2', '--save-session', path('f')));
  const bytes = readFileSync(path('f'));
  bytes[bytes.length - 1] ^= 1;
  writeFileSync(path('damaged'), bytes);
  const text = files.file('notes.txt', 'these are notes that nobody wants to lose, and they are long enough');
  const load = (file: string, from: string = model): string[] => ['-m', from, '--load-session', file];
  const save = (file: string): string[] => ['-m', model, '--save-session', file];
  const cases: readonly (readonly [string[], ...string[]])[] = [
    [load(text), 'SNAPSHOT: ', 'notes.txt'],
    [load(path('damaged')), 'SNAPSHOT: ', 'damaged', 'checksum'],
    [load(path('f'), other), 'SNAPSHOT_MODEL', path('f')],
    [load(path('missing')), 'IO', 'missing'],
    [save(text), 'OPTION', 'not a session', 'notes.txt'],
    [save(model), 'OPTION', 'same file'],
    [save(join(files.path, 'nowhere', 'a')), 'IO', 'created'],
  ];
  const ran = await Promise.all(cases.map(([args]) => here(['run', '--ids', '5', '-n', '2', ...args])));
  cases.forEach(([, ...words], i) => refused(ran[i], 1, ...words));
  assert.match(readFileSync(text, 'utf8'), /^these are notes/);
  assert.equal(readFileSync(model), Buffer.from(speakingModel()));
  assert.equal(readdirSync(files.path).filter((name) => name.endsWith('.part')), []);
});

test('a recurrent state is kept as well', async () => {
  const { source } = released(SPIKING_SHAPES['symboliclight-tiny']);
  const bytes = new Uint8Array(source.size);
  await source.read(bytes, 0);
  const spiking = ['run', '-m', files.file('checkpoint.pt', bytes), '--temp', '0'];
  const first = await jsonHere<RunResult>([...spiking, '--ids', '5,6,7', '-n', '4', '--save-session', path('g')]);
  const second = await jsonHere<RunResult>([...spiking, '--ids', '8', '-n', '6', '--load-session', path('g')]);
  const whole = await jsonHere<RunResult>([...spiking, '--ids', ['5,6,7', ...first.ids, 8].join(), '-n', '6']);
  assert.equal(second.ids, whole.ids);
  assert.is(second.session!.loaded, 7);
});

if (process.platform !== 'win32') {
  test('an interrupted run keeps what it has said so far', async () => {
    let interrupted = false; // a second interrupt would end it at once
    const watch = (child: ChildProcess): void => {
      if (!interrupted) interrupted = child.kill('SIGINT');
    };
    const endless = run('hello', '-n', '1000000', '--overflow', 'slide', '--ctx', '64', '--save-session', path('h'));
    const ran = await ternspike(endless, { watch });
    assert.is(ran.code, 130, ran.stderr);
    assert.ok(existsSync(path('h')));
    const { ids } = await jsonHere<RunResult>(
      run('hello', '-n', '2', '--overflow', 'slide', '--load-session', path('h')),
    );
    assert.is(ids.length, 2);
  });
}

test.run();
