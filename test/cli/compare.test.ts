/** `compare`, `gate`, `history` and suites, as a user runs them. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { energyMeter } from '../../src/cli/rapl.ts';
import { startLive } from '../../src/cli/live.ts';
import type { ClassifierComparison, GateResult, GeneratorComparison, SuiteResult } from '../../src/entries/eval.ts';
import { classifierFolder } from './classifier.ts';
import { folder, here, json, jsonHere, refused, speakingModel, ternspike } from './cli.ts';

const test = suite('cli compare');
const files = folder();
const at = (name: string): string => join(files.path, name);
test.after(() => files.remove());

const a = files.file('a.gguf', speakingModel({ seed: 1 }));
const b = files.file('b.gguf', speakingModel({ seed: 2 }));
const text = files.file('text.txt', 'hello world, hello again. '.repeat(20));
const classifier = classifierFolder(at('classifier'));
mkdirSync(at('SST-2'));
writeFileSync(
  at('SST-2/dev.tsv'),
  `sentence\tlabel\n${
    Array.from(
      { length: 8 },
      (_, i) => `${['good', 'bad film', 'not a', 'hello'][i % 4]} ${'the '.repeat(i)}\t${i % 2}`,
    ).join('\n')
  }\n`,
);
const quick = ['--data', text, '--ctx', '16', '--chunks', '4', '--prompts', '1', '-n', '4', '--rounds', '1'];
const compare = (...args: string[]): string[] => ['compare', ...args, ...quick];
const gates = (name: string, rules: object[], golden: string[] = []): string =>
  files.file(name, JSON.stringify({ rules, golden }));

test('prints figures of both, writes every report, and appends to the history', async () => {
  const reports = ['html', 'markdown', 'csv', 'history'].flatMap((kind) => [`--${kind}`, at(`first.${kind}`)]);
  const result = await json<GeneratorComparison>(compare(a, b, ...reports));
  assert.equal([result.kind, result.a.name, result.b.name, result.data.name], ['generators', 'a.gguf', 'b.gguf', text]);
  assert.ok(
    result.perplexity.a > 1 && result.perplexity.error! > 0 && result.kl!.mean > 0 && result.kl!.percentiles['99'] > 0,
  );
  assert.ok(result.memory.fileBytes.a! > 0 && result.memory.peakRssBytes! > 0 && result.engine !== null);
  assert.match(readFileSync(at('first.html'), 'utf8'), /^<!doctype html>[^]*a\.gguf against b\.gguf/);
  assert.match(readFileSync(at('first.markdown'), 'utf8'), /\| perplexity \|/);
  assert.is(readFileSync(at('first.csv'), 'utf8').split('\r\n').length, 1 + 4 + 1);
  await jsonHere(compare(a, b, '--history', at('first.history')));
  const ran = await here(['history', at('first.history'), '--metric', 'kl.mean']);
  assert.is(ran.code, 0, ran.stderr);
  assert.match(ran.stdout, /a\.gguf → b\.gguf.*: 2 runs\n {2}kl\.mean +▄▄/);
});

test('a model against itself has no divergence; options make sides of one file', async () => {
  const same = await jsonHere<GeneratorComparison>(compare(a));
  assert.equal([same.kl!.max, same.sameTop1, same.perplexity.lnRatio], [0, 1, 0]);
  const kv = await jsonHere<GeneratorComparison>(
    compare(a, '--a', 'kv=f32,name=exact', '--b', 'kv=f16', '--both', 'threads=1'),
  );
  assert.equal([kv.a.name, kv.a.options, kv.b.options], ['exact', { threads: 1, kv: 'f32' }, {
    threads: 1,
    kv: 'f16',
  }]);
  assert.ok(kv.kl!.mean > 0 && kv.kl!.mean < 1e-3);
  const plain = await here(compare(a));
  assert.match(plain.stdout, /^A {2}a\.gguf, f32\nB {2}a\.gguf, f32\n[^]*same top 1 .*100 % /);
});

test('classifiers are compared on a task, by the name of its folder or of itself', async () => {
  const run = (...args: string[]) => jsonHere<ClassifierComparison>(['compare', classifier, '--b', 'steps=2', ...args]);
  const result = await run('--data', at('SST-2'), '--csv', at('items.csv'));
  assert.equal([result.kind, result.samples, result.task, result.spikes!.unit], ['classifiers', 8, 'sst2', 'text']);
  assert.ok(result.metrics.accuracy!.interval !== null && result.mcnemar!.p <= 1 && result.spikes!.firingRate.a! > 0);
  assert.is(readFileSync(at('items.csv'), 'utf8').split('\r\n')[0], 'line,label,a,b');
  for (
    const data of [['--data', at('SST-2/dev.tsv')], ['--data', 'sst2', '--folder', files.path], [
      '--data',
      files.path,
      '--task',
      'SST-2',
    ]]
  ) {
    assert.equal((await run(...data)).metrics, result.metrics);
  }
  assert.is((await run('--data', at('SST-2'), '--limit', '3')).samples, 3);
});

test('gates end with 3 for a regression and 4 for a golden item, and leave JUnit', async () => {
  const strict = gates('strict.json', [{ metric: 'kl.mean', maxWorsening: 1e-6, confidence: 0.95 }]);
  const ran = await ternspike([...compare(a, b, '--gates', strict, '--junit', at('gate.xml')), '--json']);
  assert.is(ran.code, 3, ran.stderr);
  assert.is((JSON.parse(ran.stdout) as { gate: GateResult }).gate.verdict, 'fail');
  assert.match(readFileSync(at('gate.xml'), 'utf8'), /tests="1" failures="1"/);
  assert.is((await here(compare(a, '--gates', strict))).code, 0);
  const golden = gates('golden.json', [], ['texts.0']);
  assert.equal(
    [(await here(compare(a, b, '--gates', golden))).code, (await here(compare(a, '--gates', golden))).code],
    [4, 0],
  );
});

test('gate judges a run against a baseline; worsened by hand it ends with 3', async () => {
  const result = await jsonHere<GeneratorComparison>(compare(a, b));
  const save = (name: string, change: Partial<GeneratorComparison> = {}): string =>
    files.file(name, JSON.stringify({ ...result, ...change }));
  const base = save('base.json');
  const windows = result.windows.map((window) => ({ ...window, nllB: window.nllB + 0.05 }));
  const perplexity = {
    ...result.perplexity,
    b: result.perplexity.b * Math.exp(0.05),
  } as GeneratorComparison['perplexity'];
  const worse = save('worse.json', { windows: windows as GeneratorComparison['windows'], perplexity });
  const judged = (current: string, ...more: string[]) =>
    here(['gate', '--baseline', base, '--current', current, '--json', ...more]);
  const [good, bad] = [await judged(base), await judged(worse)];
  assert.equal([good.code, bad.code], [0, 3]);
  assert.is((JSON.parse(good.stdout) as GateResult).verdict, 'pass');
  const failed = (JSON.parse(bad.stdout) as GateResult).rules.filter(({ verdict }) => verdict === 'fail');
  assert.equal(failed.map(({ metric }) => metric), ['perplexity']);
  const texts = result.texts.map((sample, i) => (i === 0 ? { ...sample, b: { text: 'other', ids: [1] } } : sample));
  const golden = gates('texts.json', [{ metric: 'perplexity', maxWorsening: 1, relative: true }], ['texts.0']);
  assert.equal([
    (await judged(base, '--gates', golden)).code,
    (await judged(save('changed.json', { texts }), '--gates', golden)).code,
  ], [0, 4]);
  // in a workflow of GitHub the step is annotated and summed up
  const summary = at('summary.md');
  const annotated = await ternspike(['gate', '--baseline', base, '--current', worse], {
    env: { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: summary },
  });
  assert.is(annotated.code, 3);
  assert.match(annotated.stderr, /::error title=perplexity::/);
  assert.match(readFileSync(summary, 'utf8'), /### Gate: fail/);
  // what cannot fail is refused
  refused(await here(['gate', '--baseline', files.file('empty.json', '{}'), '--current', base]), 1, 'GATE', 'empty');
  refused(
    await here(['gate', '--baseline', base, '--current', base, '--gates', gates('none.json', [])]),
    1,
    'GATE',
    'neither a rule',
  );
  refused(
    await here([
      'gate',
      '--baseline',
      base,
      '--current',
      base,
      '--gates',
      gates('no.json', [{ metric: 'ppl', maxWorsening: 1 }]),
    ]),
    1,
    'GATE',
    'ppl',
  );
  refused(await here(['gate', '--baseline', base, '--current', files.file('bad.json', '{"a":')]), 1, 'IO', 'JSON');
  refused(await here(['gate', '--baseline', base]), 2, '--current');
});

test('an interrupted run is resumed from its journal, and its result is that of one run', async () => {
  const log = at('run.jsonl');
  const whole = await jsonHere<GeneratorComparison>(compare(a, b, '--log', log));
  const lines = readFileSync(log, 'utf8').split('\n');
  const cut = (count: number): void =>
    writeFileSync(log, `${lines.slice(0, count).join('\n')}\n${lines[count].slice(0, 20)}`);
  cut(4);
  const resumed = await ternspike([...compare(a, b, '--log', log, '--resume'), '--json']);
  assert.is(resumed.code, 0, resumed.stderr);
  assert.match(resumed.stderr, /3 finished parts/);
  const again = JSON.parse(resumed.stdout) as GeneratorComparison;
  assert.equal([again.perplexity, again.kl, again.texts], [
    whole.perplexity,
    whole.kl,
    JSON.parse(JSON.stringify(whole.texts)),
  ]);
  refused(await here(compare(a, b, '--log', log)), 1, 'OPTION', '--resume');
  refused(await here(compare(a, a, '--log', log, '--resume')), 1, 'EVAL_LOG', 'another run', 'b is');
  writeFileSync(log, readFileSync(log, 'utf8').replace(/"nllA":\[\d/, '"nllA":[7'));
  refused(await here(compare(a, b, '--log', log, '--resume')), 1, 'EVAL_LOG', 'damaged');
  refused(await here(compare(a, b, '--log', text, '--resume')), 1, 'EVAL_LOG', 'not the journal');
  refused(await here(compare(a, b, '--resume')), 2, '--log');
});

test('a suite runs its comparisons, keeps its state, and is killed without losing what is finished', async () => {
  const file = files.file(
    'suite.json',
    JSON.stringify({
      models: {
        one: 'a.gguf',
        two: { path: 'b.gguf', options: { kv: 'f32' } },
        snn: 'classifier',
        few: { path: 'classifier', options: { steps: 2 } },
      },
      data: { greetings: 'text.txt', films: { task: 'sst2', folder: '.', limit: 5 } },
      defaults: { ctx: 16, rounds: 1, prompts: 1, tokens: 4 },
      comparisons: [{ name: 'texts', a: 'one', b: 'two', data: 'greetings' }, {
        name: 'films',
        a: 'snn',
        b: 'few',
        data: 'films',
        gates: { rules: [{ metric: 'agreement', maxWorsening: 0.9 }] },
      }],
    }),
  );
  const state = at('state');
  const run = (...more: string[]) =>
    ternspike(['compare', '--suite', file, '--log', state, '--json', ...more], {
      cwd: '/',
      watchErrors: (child) =>
        void (more.length === 0 && existsSync(join(state, '002-films.jsonl')) && child.kill('SIGKILL')),
    });
  // ends by itself where the machine is faster than the signal
  await run();
  assert.ok(existsSync(join(state, '001-texts.json')), 'the first comparison is finished');
  refused(await run('--markdown', at('suite.md')), 1, 'OPTION', '--resume');
  const resumed = await run('--resume', '--html', at('suite.html'), '--history', at('suite.history'));
  assert.is(resumed.code, 0, resumed.stderr);
  const { results, gate, name } = JSON.parse(resumed.stdout) as SuiteResult;
  assert.equal([Object.keys(results), gate!.verdict, name], [['texts', 'films'], 'pass', file]);
  assert.match(readFileSync(at('suite.html'), 'utf8'), /a\.gguf[^]*classifier/);
  const saved = files.file('suite-base.json', resumed.stdout);
  assert.is((await here(['gate', '--baseline', saved, '--current', saved])).code, 0);
  rmSync(state, { recursive: true });
  refused(await here(['compare', '--suite', file, '--csv', at('x.csv')]), 2, 'USAGE', '--csv', '--suite');
  refused(await here(['compare', '--suite', file, '--ctx', '64']), 2, 'USAGE', '--ctx');
  refused(await here(['compare', '--suite', files.file('bad-suite.json', '{"models":{}}')]), 1, 'SUITE', 'missing');
  refused(await here(['compare', a, '--suite', file]), 2, 'not both');
});

test('equal runs of a history with other quality are a defect, and end with 3', async () => {
  const line = readFileSync(at('first.history'), 'utf8').split('\n')[0];
  const entry = JSON.parse(line) as { quality: Record<string, number> };
  entry.quality['kl.mean'] *= 2;
  const path = files.file('bad.history', `${line}\n${JSON.stringify(entry)}\n`);
  const ran = await here(['history', path, '--html', at('history.html')]);
  assert.is(ran.code, 3);
  assert.match(ran.stdout, /DEFECT kl\.mean/);
  assert.match(readFileSync(at('history.html'), 'utf8'), /Defect:/);
  refused(await here(['history', text]), 1, 'EVAL_LOG', 'line 1');
});

test('one page about several results and their history', async () => {
  const first = files.file('one.json', JSON.stringify(await jsonHere(compare(a, b))));
  const second = files.file('two.json', JSON.stringify(await jsonHere(compare(a))));
  const ran = await jsonHere<{ comparisons: number; runs: number }>([
    'dashboard',
    first,
    second,
    '--history',
    at('first.history'),
    '--html',
    at('all.html'),
  ]);
  assert.equal([ran.comparisons, ran.runs], [2, 2]);
  assert.match(readFileSync(at('all.html'), 'utf8'), /id="comparison-1"[^]*Trends over 2 runs/);
  refused(await here(['dashboard', first]), 2, '--html');
  refused(await here(['dashboard', '--html', at('x.html')]), 2, 'RESULT');
  refused(await here(['dashboard', files.file('not.json', '{"a":1}'), '--html', at('x.html')]), 1, 'IO', 'not.json');
});

test('wrong usage is said before anything is opened', async () => {
  const wrong = async (args: string[], ...words: string[]) => refused(await here(args), 2, ...words);
  await wrong(['compare'], 'A is missing');
  await wrong(['compare', a], '--data');
  await wrong(compare(a, '--a', 'kv=f64'), '--a', 'kv', 'f16, f32');
  await wrong(compare(a, '--b', 'colour=red'), '--b', 'colour', 'kv, activations');
  await wrong(compare(a, '--both', 'threads=0'), 'threads', 'from 1 on');
  await wrong(compare(a, '--b', 'rate=1'), 'rate', 'no value');
  await wrong(compare(a, '--b', 'model=x'), 'model', 'servers');
  await wrong(compare(a, '--confidence', '95'), '--confidence', '95');
  await wrong(compare(a, '--junit', at('x.xml')), '--gates');
  await wrong(['compare', a, '--data', files.path], '--task');
  await wrong(['compare', a, '--data', text, '--task', 'weather'], 'weather');
  refused(await here(['compare', a, '--data', at('nothing.txt')]), 1, 'IO', 'nothing.txt');
  refused(await here(['compare', a, '--data', 'sst2', '--folder', at('classifier')]), 1, 'IO', 'dev.tsv');
  refused(await here(['compare', a, '--data', at('SST-2')]), 1, 'ARCHITECTURE');
});

test('joules are those of the packages, where they may be read', () => {
  const tree = at('powercap');
  const counter = (name: string, microjoules: string): void => {
    mkdirSync(join(tree, name), { recursive: true });
    writeFileSync(join(tree, name, 'energy_uj'), microjoules);
  };
  counter('intel-rapl:0', '1500000\n');
  counter('intel-rapl:1', '500000\n');
  counter('intel-rapl:0:0', '9000000\n');
  assert.is(energyMeter(tree)(), 2);
  assert.is(energyMeter(at('nothing'))(), null);
  counter('intel-rapl:2', 'none\n');
  assert.is(energyMeter(tree)(), null);
});

test('a running comparison is shown to this machine alone', async () => {
  const notes: string[] = [];
  const out = {
    json: true,
    note: (line: string) => void notes.push(line),
    text: async () => {},
    result: async () => {},
    progress: () => {},
  };
  const live = await startLive(0, out);
  try {
    assert.match(notes[0], /shown on http:\/\/127\.0\.0\.1:\d+\/$/);
    live.progress('scoring 1 of 2', {
      phase: 'score',
      done: 1,
      total: 2,
      note: '',
      figure: 'perplexity so far',
      values: { a: 3, b: 4 },
    });
    const page = await (await fetch(live.url)).text();
    assert.match(page, /scoring 1 of 2[^]*perplexity so far/);
    const events = (await fetch(`${live.url}events`)).body!.getReader();
    const first = new TextDecoder().decode((await events.read()).value);
    assert.match(first, /^event: progress\ndata: scoring 1 of 2\n\n/);
    live.show('<p>done</p>');
    assert.is(await (await fetch(live.url)).text(), '<p>done</p>');
    await events.cancel();
    const status = async (path: string, options: RequestInit = {}): Promise<number> => {
      const response = await fetch(live.url + path, options);
      await response.body?.cancel();
      return response.status;
    };
    assert.equal([await status('etc/passwd'), await status('', { method: 'POST' })], [404, 405]);
    await startLive(Number(new URL(live.url).port), out).then(
      () => assert.unreachable(),
      (error) => assert.is(error.code, 'IO'),
    );
  } finally {
    await live.close();
  }
});

test.run();
