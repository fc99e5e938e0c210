/** Gates: what they let through, what they stop, and that each is able to stop something. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { perplexityPair } from '../../src/eval/compare/statistics.ts';
import { type GateResult, judge } from '../../src/eval/gate/gate.ts';
import { candidate, changeBetween, valueAt } from '../../src/eval/gate/measure.ts';
import { annotationsOf, gateLines, gateMarkdown, junitOf } from '../../src/eval/gate/reports.ts';
import { defaultGates, directionOf, type Gates, readGates } from '../../src/eval/gate/rules.ts';
import { judgeSuite, type SuiteResult } from '../../src/eval/suite.ts';
import { Rng } from '../../src/sample/rng.ts';
import { refuses } from '../refusal.ts';

const gate = suite('gates');

const gates = (...rules: object[]): Gates => readGates({ rules }, 'test');
const ONE = gates({ metric: 'ppl', maxWorsening: 0.1 });
const verdictOf = (rule: object, before: object, after: object): string => {
  const { verdict, exitCode } = judge(before, after, gates(rule));
  assert.is(exitCode, verdict === 'fail' ? 3 : 0);
  return verdict;
};
const refused = (work: () => unknown, code: 'GATE', ...words: string[]) =>
  refuses(Promise.resolve().then(work), code, ...words);

/** A normal variable, by the sum of uniform ones. */
function normal(rng: Rng): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += rng.uniform();
  return sum;
}

gate('a figure may worsen by so much, absolutely or as a share, in the direction that is worse', () => {
  const base = { ppl: 10, stderr: 0.5, metrics: { accuracy: 0.8 } };
  assert.is(verdictOf({ metric: 'ppl', maxWorsening: 0.1 }, base, { ppl: 10.09 }), 'pass');
  assert.is(verdictOf({ metric: 'ppl', maxWorsening: 0.1 }, base, { ppl: 10.11 }), 'fail');
  assert.is(verdictOf({ metric: 'ppl', maxWorsening: 0.1 }, base, { ppl: 1 }), 'pass');
  assert.is(verdictOf({ metric: 'ppl', maxWorsening: 0.1, relative: true }, base, { ppl: 10.9 }), 'pass');
  assert.is(verdictOf({ metric: 'ppl', maxWorsening: 0.1, relative: true }, base, { ppl: 11.1 }), 'fail');
  assert.is(verdictOf({ metric: 'ppl', maxWorsening: 0, leastEffect: 0.2 }, base, { ppl: 10.19 }), 'pass');
  assert.is(verdictOf({ metric: 'ppl', maxWorsening: 0, leastEffect: 0.2 }, base, { ppl: 10.21 }), 'fail');
  assert.is(
    verdictOf({ metric: 'metrics.accuracy', maxWorsening: 0.01 }, base, { metrics: { accuracy: 0.78 } }),
    'fail',
  );
  assert.is(
    verdictOf({ metric: 'metrics.accuracy', maxWorsening: 0.01 }, base, { metrics: { accuracy: 0.9 } }),
    'pass',
  );
  assert.is(verdictOf({ metric: 'ppl', maxWorsening: 0.1, severity: 'warn' }, base, { ppl: 12 }), 'warn');
  assert.is(verdictOf({ metric: 'ppl', maxWorsening: 0.1, better: 'higher' }, base, { ppl: 12 }), 'pass');
  // a figure that is gone, or no number, is a regression
  for (const after of [{}, { ppl: null }, { ppl: 'good' }]) {
    assert.is(verdictOf({ metric: 'ppl', maxWorsening: 0.1 }, base, after), 'fail');
  }
});

gate('with a confidence a failure has to be sure; what is not sure is a warning', () => {
  const base = { ppl: 10, stderr: 0.1 };
  const rule = { metric: 'ppl', maxWorsening: 0.05, confidence: 0.95 };
  // the errors of both: 1.645 · √2 · 0.1 = 0.233
  assert.is(verdictOf(rule, base, { ppl: 10.2, stderr: 0.1 }), 'warn');
  assert.is(verdictOf(rule, base, { ppl: 10.3, stderr: 0.1 }), 'fail');
  assert.is(verdictOf({ ...rule, confidence: 0.999 }, base, { ppl: 10.3, stderr: 0.1 }), 'warn');
  assert.is(verdictOf(rule, base, { ppl: 10.2 }), 'fail'); // without an error figures are what they are
  const [verdict] = judge(base, { ppl: 10.3, stderr: 0.1 }, gates(rule)).rules;
  assert.ok(Math.abs(verdict.atLeast! - (0.3 - 1.6448536269514722 * Math.SQRT2 * 0.1)) < 1e-12);
});

gate('within a comparison B is judged against A, distances against none', () => {
  const pair = perplexityPair([1, 2, 3, 2], [1.1, 2.1, 3.2, 2.1]);
  const result = { perplexity: pair, kl: { mean: 0.2, error: 0.01 }, sameTop1: 0.9, sameTop1Interval: [0.88, 0.92] };
  const within = (rule: object): string => judge(null, result, gates(rule)).verdict;
  assert.is(within({ metric: 'perplexity', maxWorsening: 0.05, relative: true, confidence: 0.95 }), 'fail'); // e^0.125
  assert.is(within({ metric: 'perplexity', maxWorsening: 0.2, relative: true }), 'pass');
  assert.is(within({ metric: 'kl.mean', maxWorsening: 0.1, confidence: 0.99 }), 'fail');
  assert.is(within({ metric: 'kl.mean', maxWorsening: 0.19, confidence: 0.99 }), 'warn');
  assert.is(within({ metric: 'sameTop1', maxWorsening: 0.05, confidence: 0.95 }), 'fail');
  assert.is(within({ metric: 'sameTop1', maxWorsening: 0.11 }), 'pass');
  const speed = { speed: { decodeTps: { a: 10, b: 5, ratio: 0.5, ratios: [0.4, 0.5, 0.6] } } };
  const [rule] =
    judge(null, speed, gates({ metric: 'speed.decodeTps', maxWorsening: 0.1, relative: true, confidence: 0.9 })).rules;
  assert.equal([rule.verdict, rule.worsening], ['fail', 0.5]);
});

gate('golden items may not change at all', () => {
  const text = (...ids: number[]) => ({ ids, text: 'x' });
  const same = { texts: [{ prompt: 'p', a: text(1, 2), b: text(1, 2) }], ppl: 1 };
  const changed = { texts: [{ prompt: 'p', a: text(1, 2), b: text(1, 3) }], ppl: 1 };
  const golden = { rules: [], golden: ['texts.0'] };
  const codes = (before: object | null, after: object): number => judge(before, after, readGates(golden, 'g')).exitCode;
  assert.equal([codes(null, same), codes(null, changed), codes(same, same), codes(same, changed)], [0, 4, 0, 4]);
  assert.is(codes(same, { ppl: 1 }), 4);
  // a golden item weighs more than a regression
  const both = judge(
    same,
    { ...changed, ppl: 9 },
    readGates({ rules: [{ metric: 'ppl', maxWorsening: 1 }], golden: ['texts.0'] }, 'g'),
  );
  assert.equal([both.verdict, both.exitCode], ['fail', 4]);
});

gate('a gate that could not fail is refused', async () => {
  await refused(() => readGates({}, 'g.json'), 'GATE', 'g.json', 'neither a rule');
  await refused(() => judge({}, { ppl: 1 }, ONE), 'GATE', 'empty');
  await refused(() => judge([], { ppl: 1 }, ONE), 'GATE', 'empty');
  await refused(() => judge({ loss: 1 }, { ppl: 1 }, ONE), 'GATE', 'ppl', 'no figure of the baseline');
  await refused(() => judge({ ppl: null }, { ppl: 1 }, ONE), 'GATE', 'no figure');
  await refused(() => judge({ other: 1 }, { other: 1 }, defaultGates({ other: 1 })), 'GATE', 'no rule applies');
  const rule = (more: object): Gates => gates({ metric: 'score', maxWorsening: 0.5, ...more });
  await refused(() => judge({ score: 0.3 }, { score: 0 }, rule({})), 'GATE', 'cannot fail', '0.3');
  await refused(() => judge({ score: 0.9 }, { score: 0 }, rule({ leastEffect: 0.95 })), 'GATE', 'cannot fail');
  await refused(
    () => judge({ score: 0.9 }, { score: 0 }, rule({ maxWorsening: 1, relative: true })),
    'GATE',
    'cannot fail',
  );
  await refused(
    () =>
      judge({ score: 0.9, scoreInterval: [0.1, 1] }, { score: 0, scoreInterval: [0, 0.9] }, rule({ confidence: 0.99 })),
    'GATE',
    'error is so large',
  );
  await refused(
    () => judge({ ppl: 0 }, { ppl: 1 }, gates({ metric: 'ppl', maxWorsening: 1, relative: true })),
    'GATE',
    'baseline is 0',
  );
  await refused(
    () => judge({ ppl: 1, data: { digest: 'x' } }, { ppl: 1, data: { digest: 'y' } }, ONE),
    'GATE',
    'digest',
    'x',
    'y',
  );
  await refused(() => judge({ ppl: 1 }, { ppl: 1 }, readGates({ golden: ['texts.0'] }, 'g')), 'GATE', 'texts.0');
  await refused(() => judge(null, { kl: { mean: 1 } }, readGates({ golden: ['kl.mean'] }, 'g')), 'GATE', 'kl.mean');
  assert.is(judge({ score: 0.6 }, { score: 0.05 }, rule({})).verdict, 'fail'); // its neighbour can
});

gate('rules are checked completely', async () => {
  const bad = (rule: unknown, ...words: string[]) =>
    refused(() => readGates({ rules: [rule] }, 'g.json'), 'GATE', 'g.json', ...words);
  for (const bound of [NaN, Infinity, -1, '0.1', null, undefined]) {
    await bad({ metric: 'ppl', maxWorsening: bound }, 'rules[0].maxWorsening');
  }
  await bad({ metric: 'ppl', maxWorsening: 1, confidence: 95 }, 'confidence', '95');
  await bad({ metric: 'ppl', maxWorsening: 1, maxWorsning: 1 }, 'maxWorsning');
  await bad({ metric: 'ppl', maxWorsening: 1, severity: 'bad' }, 'severity');
  await bad({ metric: 'ppl', maxWorsening: 1, relative: 'yes' }, 'relative');
  await bad({ metric: 'weather', maxWorsening: 1 }, 'better', 'weather');
  await bad({ metric: '', maxWorsening: 1 }, 'metric');
  await bad('ppl', 'rules[0]');
  await refused(() => readGates([], 'g.json'), 'GATE', 'object');
  await refused(() => readGates({ rule: [] }, 'g.json'), 'GATE', '"rule"');
  await refused(() => readGates({ rules: {} }, 'g.json'), 'GATE', 'lists');
  await refused(() => readGates({ golden: [1] }, 'g.json'), 'GATE', 'golden[0]');
  assert.is(readGates({ $schema: 'x', rules: [{ metric: 'ppl', maxWorsening: 0 }] }, 'g').rules[0].better, 'lower');
  assert.equal(
    [
      'metrics.f1',
      'sameTop1',
      'speed.decodeTps',
      'speed.decodeTps.b',
      'perplexity',
      'kl.percentiles.99.9',
      'memory.weightsBytes',
      'weather',
    ]
      .map(directionOf),
    ['higher', 'higher', 'higher', 'higher', 'lower', 'lower', 'lower', null],
  );
});

gate('places may have dots in their names', () => {
  const result = { kl: { percentiles: { '99.9': 3, '99': 2 } }, list: [{ a: 1 }], 'a.b': 7 };
  assert.equal(
    ['kl.percentiles.99.9', 'kl.percentiles.99', 'list.0.a', 'a.b', 'kl.x', 'list.length.x', 'constructor'].map((at) =>
      valueAt(result, at)
    ),
    [3, 2, 1, 7, undefined, undefined, undefined],
  );
  assert.equal([candidate({ a: 1, b: 2 }), candidate(3), candidate({ b: 2 })], [2, 3, { b: 2 }]);
});

/** A run over windows whose losses are `more` worse than those of the seed alone. */
function windowsRun(noise: Rng, own: Rng, more: number): object {
  const windows = Array.from(
    { length: 40 },
    () => ({ tokens: 128, nllB: 2 + 0.3 * normal(noise) + 0.01 * normal(own) + more, nllA: 2 }),
  );
  const mean = windows.reduce((sum, { nllB }) => sum + nllB, 0) / windows.length;
  return { perplexity: { a: Math.exp(2), b: Math.exp(mean), bError: 0.3 }, windows };
}

/** A run over 800 samples: everything is right but what the seed of the data and the own noise make wrong. */
function samplesRun(seed: number, own: Rng, worse: number): object {
  const rng = new Rng(seed);
  const items = Array.from({ length: 800 }, (_, line) => {
    const wrong = rng.uniform() < 0.12;
    const flips = own.uniform() < 0.02 + (wrong ? 0 : worse);
    return { line, label: 1, b: wrong !== flips ? 0 : 1 };
  });
  return { metrics: { accuracy: items.filter(({ b }) => b === 1).length / items.length }, items };
}

gate(
  '200 runs without a regression raise as many false alarms as the confidence allows, and 200 with one are found',
  () => {
    const rules = {
      perplexity: gates({ metric: 'perplexity', maxWorsening: 0, relative: true, confidence: 0.95 }),
      accuracy: gates({ metric: 'metrics.accuracy', maxWorsening: 0, confidence: 0.95 }),
    };
    const count = { perplexity: [0, 0], accuracy: [0, 0] };
    for (let seed = 1; seed <= 200; seed++) {
      const own = new Rng(10_000 + seed);
      const verdict = (before: object, after: object, gates: Gates): number =>
        judge(before, after, gates).exitCode === 3 ? 1 : 0;
      // +1 % of perplexity is 0.01 nats: seven errors of the mean of 40 windows, 0.01 · √2 / √40
      [0, 0.01].forEach((more, i) => {
        const [before, after] = [windowsRun(new Rng(seed), own, 0), windowsRun(new Rng(seed), own, more)];
        count.perplexity[i] += verdict(before, after, rules.perplexity);
      });
      // four points of accuracy: five errors of the difference, √(0.04 / 800)
      [0, 0.045].forEach((worse, i) => {
        count.accuracy[i] += verdict(samplesRun(seed, own, 0), samplesRun(seed, own, worse), rules.accuracy);
      });
    }
    console.log(`  false alarms of 200 at 0.95, and regressions found: ${JSON.stringify(count)}`);
    for (const [falseAlarms, found] of Object.values(count)) {
      assert.ok(falseAlarms <= 20, `${falseAlarms} false alarms of 200, about 10 are expected`); // 99.9 % of the binomial
      assert.ok(falseAlarms > 0, 'a gate that never rings is not at this confidence');
      assert.ok(found >= 196, `${found} of 200 found`);
    }
  },
);

gate('runs over the same windows are paired: what the text does to both cancels', () => {
  const [before, after] = [windowsRun(new Rng(3), new Rng(4), 0), windowsRun(new Rng(3), new Rng(5), 0)];
  const paired = changeBetween(before, after, 'perplexity')!;
  const apart = changeBetween({ ...before, windows: [] }, { ...after, windows: [] }, 'perplexity')!;
  assert.ok(paired.relativeError! < 0.1 * apart.relativeError!, `${paired.relativeError} of ${apart.relativeError}`);
});

gate('results of perplexity are paired by their windows, those of eval glue have intervals', () => {
  const result = (...sums: number[]) => ({
    ppl: Math.exp(sums.reduce((x, y) => x + y) / 40),
    stderr: 9,
    windows: sums.map((nll) => ({ nll, tokens: 10, bytes: 30 })),
  });
  const rule = { metric: 'ppl', maxWorsening: 0, confidence: 0.95 };
  assert.is(verdictOf(rule, result(10, 30, 20, 40), result(11.1, 31, 21, 41)), 'fail');
  assert.is(verdictOf(rule, result(10, 30, 20, 40), result(9, 32, 19, 42)), 'warn');
  const glue = (accuracy: number, low: number, high: number) => ({
    metrics: { accuracy },
    intervals: { accuracy: [low, high] },
  });
  const accuracy = { metric: 'metrics.accuracy', maxWorsening: 0.01, confidence: 0.95 };
  assert.is(verdictOf(accuracy, glue(0.9, 0.88, 0.92), glue(0.88, 0.86, 0.9)), 'warn');
  assert.is(verdictOf(accuracy, glue(0.9, 0.88, 0.92), glue(0.8, 0.78, 0.82)), 'fail');
});

gate('suites are judged comparison by comparison; one that is gone fails', () => {
  const suiteOf = (results: object): SuiteResult => ({
    ternspike: 'suite',
    version: 1,
    name: 's',
    gate: null,
    results: results as SuiteResult['results'],
  });
  const base = suiteOf({ x: { ppl: 1 }, y: { ppl: 2 } });
  assert.is(judgeSuite(base, base, ONE).exitCode, 0);
  const worse = judgeSuite(base, suiteOf({ x: { ppl: 1 }, y: { ppl: 3 } }), ONE);
  assert.equal([worse.exitCode, worse.rules.map(({ metric, verdict }) => `${metric} ${verdict}`)], [3, [
    'x: ppl pass',
    'y: ppl fail',
  ]]);
  assert.is(judgeSuite(base, suiteOf({ x: { ppl: 1 } }), ONE).exitCode, 3);
});

gate('defaults are for the figures that the baseline has', () => {
  const names = (result: object): string[] => defaultGates(result).rules.map(({ metric }) => metric);
  assert.equal(names({ ppl: 3, stderr: 0.1 }), ['ppl']);
  assert.equal(names({ metrics: { accuracy: 0.9, f1: 0.8 } }), ['metrics.accuracy', 'metrics.f1']);
  assert.equal(names({ perplexity: { lnRatio: null } }), ['bitsPerByte']);
  assert.equal(names({ threads: [{ decodeTps: 3 }] }), ['threads.0.decodeTps']);
  assert.equal(names([]), []);
});

gate('reports say the same in every form, and hostile names stay text', () => {
  const result: GateResult = judge(
    { 'x.<b>"&|,:%\n\u0001': 1 },
    { 'x.<b>"&|,:%\n\u0001': 2 },
    gates({ metric: 'x.<b>"&|,:%\n\u0001', better: 'lower', maxWorsening: 0 }),
  );
  const xml = junitOf(result, 'a<b>&"');
  assert.match(xml, /tests="1" failures="1" skipped="0"/);
  assert.match(xml, /name="x\.&lt;b&gt;&quot;&amp;\|,:%\n\ufffd"/);
  assert.not.match(xml, /<b>/);
  const [annotation] = annotationsOf(result);
  assert.match(annotation, /^::error title=x\.<b>"&\|%2C%3A%25%0A/);
  assert.not.match(annotation, /\n/);
  assert.match(gateMarkdown(result), /\\\|/);
  assert.not.match(gateMarkdown(result), /<b>/);
  assert.is(gateLines(result).at(-1), 'verdict: fail');
});

gate.run();
