/** `distill`: what is refused before anything is trained, and a whole run where training is possible. */
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DistillResult } from '../../src/distill/students/symboliclight/distill.ts';
import { folder, json, refused, speakingModel, ternspike } from './cli.ts';

const distill = suite('cli distill');
const files = folder();
const teacher = files.file('teacher.gguf', speakingModel());
const text = files.file('text.txt', 'hello world, a blow by a cold bear\n'.repeat(60));
const student = files.file('student.json', '{"layers": 1, "width": 256, "ffn": 256, "heads": 4}');
const out = join(files.path, 'student.gguf');
const BASE = ['distill', '--teacher', teacher, '--data', text, '--out', out];

distill.after(() => files.remove());

distill('wrong usage ends with 2 and says what is wrong', async () => {
  refused(await ternspike(['distill']), 2, 'USAGE', '--teacher FILE is missing');
  refused(await ternspike(BASE.slice(0, 5)), 2, '--out FILE is missing');
  refused(await ternspike([...BASE, '--alpha', '1.5']), 2, 'alpha is 1.5', '0 … 1');
  refused(await ternspike([...BASE, '--steps', '0']), 2, '--steps', 'from 1 on');
  refused(await ternspike([...BASE, '--holdout', '1']), 2, '--holdout', '0.9');
  refused(await ternspike([...BASE, '--documents', 'pages']), 2, '--documents', 'marker');
  refused(await ternspike([...BASE, '--hidden-pairs', '0-1']), 2, '--hidden-pairs', 'BLOCK:LAYER');
  refused(await ternspike([...BASE, '--sampling', 'temp']), 2, '--sampling', 'NAME=NUMBER');
  refused(await ternspike([...BASE, '--sampling', 'heat=1']), 2, 'heat', 'penalty_repeat');
  refused(await ternspike([...BASE, '--sampling', 'top_k=1.5']), 2, 'top_k is 1.5', 'an integer');
  refused(await ternspike([...BASE, 'more']), 2, 'more');
  refused(await ternspike([...BASE, '--resume', 'a', '--init', 'b']), 2, '--resume', '--init');
});

distill('files that are not there or not what they should be are refused', async () => {
  const gone = join(files.path, 'gone');
  refused(await ternspike(['distill', '--teacher', gone, '--data', text, '--out', out]), 1, 'IO', 'gone');
  refused(await ternspike(['distill', '--teacher', teacher, '--data', gone, '--out', out]), 1, 'IO', 'gone');
  refused(await ternspike([...BASE, '--student', text]), 1, 'OPTION', 'not JSON');
  const odd = files.file('odd.json', '{"depth": 3}');
  refused(await ternspike([...BASE, '--student', odd]), 1, 'OPTION', '"depth"', 'layers');
  refused(await ternspike([...BASE, '--seq', '5000']), 1, 'OPTION', 'tokens', '--seq');
  refused(await ternspike([...BASE, '--seq', '16', '--ctx', '250']), 1, 'OPTION', '500', 'windows of 250');
  assert.not(existsSync(out));
});

distill('only a run that was begun can be gone on with', async () => {
  refused(await ternspike(['distill', '--resume', join(files.path, 'nowhere')]), 1, 'CHECKPOINT', 'nowhere');
  const begun = join(files.path, 'begun.run');
  const noModel = BASE.map((word) => (word === teacher ? text : word));
  for (const late of [[...BASE, '--seq', '5000'], [...BASE, '--student', text], noModel]) {
    const ran = await ternspike([...late, '--dir', begun]);
    assert.is(ran.code, 1, ran.stderr);
    assert.not(existsSync(begun), 'a run that is refused leaves no folder');
  }
  mkdirSync(begun);
  files.file('begun.run/command.json', JSON.stringify({ teacher, data: text, out }));
  refused(await ternspike(['distill', '--resume', begun]), 1, 'CHECKPOINT', 'no checkpoint');
});

const RUN = [
  ...BASE,
  '--student',
  student,
  '--steps',
  '2',
  '--batch',
  '2',
  '--seq',
  '16',
  '--eval-windows',
  '2',
  '--ctx',
  '32',
];

if (typeof navigator === 'undefined') {
  distill('training says which runtimes can', async () => {
    refused(await ternspike(RUN), 1, 'TRAINER', 'Node 22');
  });
} else if ('deno' in process.versions || 'bun' in process.versions) {
  // jax-js leaves threads of its own behind there, which keep the process alive
  distill.skip('a run makes a student (skipped: the process would not end by itself here)', () => {});
} else {
  distill('a run makes a student that speaks, a page and measurements, and can be gone on with', async () => {
    const made = await json<DistillResult>([...RUN, '--generate', '200', '--name', 'tiny', '--sampling', 'temp=0.7']);
    assert.is(made.steps, 2);
    assert.is(made.bytes, statSync(out).size);
    assert.ok(made.perplexity.student.ppl > 1 && made.perplexity.teacher.ppl > 1);
    const { dir } = made;
    assert.ok(readFileSync(join(dir, 'index.html'), 'utf8').includes('tiny'));
    const lines = readFileSync(join(dir, 'metrics.jsonl'), 'utf8').trim().split('\n');
    assert.equal(lines.map((line) => (JSON.parse(line) as { kind: string }).kind), [
      'evaluation',
      'step',
      'evaluation',
    ]);
    const spoken = await json<{ text: string }>(['run', '-m', out, 'hello', '-n', '4', '--temp', '0']);
    assert.type(spoken.text, 'string');

    refused(await ternspike(RUN), 1, 'CHECKPOINT', 'contains a run of 2 steps', 'resume');
    const bytes = readFileSync(out);
    const again = await json<DistillResult>(['distill', '--resume', dir], { cwd: '/' });
    assert.equal({ ...again, seconds: 0 }, { ...made, seconds: 0 });
    assert.equal(readFileSync(out), bytes);

    const other = ['--dir', join(files.path, 'other.run'), '--init', dir];
    const onward = await json<DistillResult>([...RUN, ...other, '--minutes', '0.0001']);
    const [begun] = readFileSync(join(onward.dir, 'metrics.jsonl'), 'utf8').split('\n');
    const lossOf = (line: string): string => (JSON.parse(line) as { loss: number }).loss.toFixed(3);
    assert.is(lossOf(begun), lossOf(lines[2]), 'it begins where the other ended');
    assert.is.not(lossOf(begun), lossOf(lines[0]));
    const fromFile = ['--dir', join(files.path, 'file.run'), '--init', out];
    const { dir: restarted } = await json<DistillResult>([...RUN, ...fromFile, '--minutes', '0.0001']);
    const [restart] = readFileSync(join(restarted, 'metrics.jsonl'), 'utf8').split('\n');
    const loss = (line: string): number => (JSON.parse(line) as { loss: number }).loss;
    assert.ok(Math.abs(loss(restart) - loss(begun)) < 0.01, 'a file holds the student as its run does');
    const odd = files.file('odd.json', '{"layers": 3}');
    const nowhere = join(files.path, 'nowhere');
    refused(await ternspike([...BASE, '--dir', nowhere, '--init', dir, '--student', odd]), 1, 'CHECKPOINT', 'layers');
    refused(
      await ternspike([...BASE, '--dir', join(files.path, 'fresh'), '--init', teacher]),
      1,
      'CHECKPOINT',
      'no student',
    );
    refused(
      await ternspike([...BASE, '--dir', join(files.path, 'fresh'), '--init', nowhere]),
      1,
      'CHECKPOINT',
      'nowhere',
    );

    refused(await ternspike(['distill', '--resume', dir, '--student', odd]), 1, 'CHECKPOINT', 'layers');
    assert.not(readFileSync(join(dir, 'command.json'), 'utf8').includes('odd.json'), 'what was refused is not kept');

    const more = await json<DistillResult>(['distill', '--resume', dir, '--steps', '3', '--batch', '1']);
    assert.is(more.steps, 3);
    const last = await json<DistillResult>(['distill', '--resume', dir]);
    assert.equal({ ...last, seconds: 0 }, { ...more, seconds: 0 }, 'options of the last time stay');
  });
}

distill.run();
