/** The page of a run: everything in it, nothing from elsewhere, and no text of a model taken for HTML. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { chart, escapeHtml, number } from '../../src/distill/charts.ts';
import { studentConfig } from '../../src/distill/students/symboliclight/config.ts';
import type { MetricsRecord } from '../../src/distill/metrics.ts';
import { type PageFacts, pageOf } from '../../src/distill/page.ts';
import { layerNames } from '../../src/distill/students/symboliclight/student.ts';
import { trainSettings } from '../../src/distill/students/symboliclight/settings.ts';

const page = suite('distill page');

const CONFIG = studentConfig({ layers: 2 }, 512);
const FACTS: PageFacts = {
  name: 'a <b> & "c"',
  step: 20,
  done: false,
  parameters: 1234567,
  settings: trainSettings({ steps: 40 }),
  config: CONFIG,
  layerNames: layerNames(CONFIG),
  kind: 'perplexity',
};

function records(): MetricsRecord[] {
  const rates = [0.1, 0.2, 0.05, 0.2, 0.15, 0.06, 0.2];
  return [0, 10, 20].flatMap((step): MetricsRecord[] => [
    {
      kind: 'step',
      step,
      seconds: step,
      lr: 0.01,
      loss: 5 - step / 10,
      soft: 4,
      hard: 5,
      hidden: 0,
      gradientNorm: 1,
      tokensPerSecond: 900,
      firingRates: rates,
    },
    {
      kind: 'evaluation',
      step,
      seconds: step,
      loss: 4 - step / 10,
      perplexity: Math.exp(4 - step / 10),
      firingRates: rates,
      sample: `sample of ${step} <script>alert(1)</script>`,
    },
  ]);
}

page('holds the curves, the numbers and the samples', () => {
  const html = pageOf(records(), FACTS);
  for (
    const text of ['step 20 of 40', '1,234,567', 'Held-out perplexity', 'encoder', '1 feed-forward', 'sample of 20']
  ) {
    assert.ok(html.includes(text), text);
  }
  assert.is(html.match(/<svg /g)?.length, 6);
  assert.ok(html.indexOf('sample of 20') < html.indexOf('sample of 0'), 'the newest first');
  assert.ok(/<polyline points="[\d., ]+"/.test(html));
});

page('loads nothing and runs nothing', () => {
  const html = pageOf(records(), FACTS);
  assert.not.match(html, /<script|<link|<img|<iframe|src=|href=|url\(|@import|https?:|onload/i);
  assert.ok(html.includes('sample of 20 &lt;script&gt;'));
  assert.ok(html.includes('<h1>a &lt;b&gt; &amp; &quot;c&quot;</h1>'));
});

page('shows itself anew while the run goes on, and not when it is over', () => {
  assert.match(pageOf(records(), FACTS), /http-equiv="refresh"/);
  assert.not.match(pageOf(records(), { ...FACTS, done: true }), /http-equiv="refresh"/);
});

page('a run that has nothing to show yet has a page too', () => {
  const html = pageOf([], FACTS);
  assert.is(html.match(/nothing yet/g)?.length, 6);
  assert.not.match(html, /NaN|Infinity|undefined/);
});

page('a student that classifies shows its scores instead', () => {
  const measured: MetricsRecord[] = [0, 10].map((step) => ({
    kind: 'evaluation',
    step,
    seconds: step,
    loss: 0.5,
    score: step === 0 ? null : 0.8125,
    rateScore: 0.75,
    firingRates: [0.5],
  }));
  const html = pageOf(measured, { ...FACTS, kind: 'score' });
  for (const text of ['Score on held-out data', 'by spikes', 'by rates', '0.8125']) {
    assert.ok(html.includes(text), text);
  }
  assert.not.match(html, /perplexity|What it writes|NaN|undefined/);
});

page('every coordinate is a number within the picture', () => {
  const odd = chart({
    title: 'odd',
    log: true,
    lines: [
      { label: 'zero and less', points: [[0, 0], [1, -1]] },
      { label: 'flat', points: [[5, 3], [5, 3]] },
      { label: 'one', points: [[5, 1e-12]] },
    ],
  });
  assert.not.match(odd, /NaN|Infinity/);
  assert.not.ok(odd.includes('zero and less'));
  const many = chart({
    title: 'many',
    lines: [{ label: 'x', points: Array.from({ length: 9999 }, (_, i) => [i, Math.sin(i)]) }],
  });
  const points = [...many.matchAll(/points="([^"]+)"/g)].flatMap(([, text]) => text!.split(' '));
  assert.ok(points.length > 100 && points.length < 500, `${points.length}`);
  for (const point of points) {
    const [x, y] = point.split(',').map(Number);
    assert.ok(x! >= 0 && x! <= 640 && y! >= 0 && y! <= 260, point);
  }
});

page('numbers for people, and text without markup', () => {
  assert.equal([0, 1234.567, 0.00012, 1e7, NaN].map(number), ['0', '1235', '1.20e-4', '1.00e+7', '–']);
  assert.is(escapeHtml(`<a href="x" b='y'>&`), '&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;');
});

page.run();
