/** The page of comparisons as text: nothing from elsewhere, nothing that runs but its own script, numbers for every chart. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { dashboardOf } from '../../../src/eval/dashboard/page.ts';
import { runningSection } from '../../../src/eval/dashboard/sections.ts';
import { bars, lines, pareto, type Point, scatter } from '../../../src/eval/dashboard/svg.ts';
import { HOSTILE, samples } from './samples.ts';

const page = suite('dashboard');

let html: string;
page.before(async () => {
  const { results, gate, entries } = await samples();
  html = await dashboardOf(results, { title: `A ${HOSTILE}`, entries, gate });
});

const count = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length;
const base64 = async (text: string): Promise<string> =>
  Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).toString('base64');

page('names, samples and data are text, whatever they contain', () => {
  assert.is(count(html, /<script/g), 1);
  assert.is(count(html, /<img/g), 0);
  assert.is(count(html, /hacked/g), count(html, /globalThis\.hacked=1(&lt;\/script|&quot;)/g));
  assert.ok(count(html, /&lt;script&gt;/g) > 10, 'the hostile names are there');
  assert.is(count(html, /\son\w+=/g), count(html, / onerror=&quot;/g), 'no handler of an element');
});

page('the policy names the hashes of the only style and the only script; nothing is loaded', async () => {
  const [, style] = /<style>([^<]*)<\/style>/.exec(html)!;
  const [, script] = /<script>([^]*?)<\/script>/.exec(html)!;
  const [, policy] = /Content-Security-Policy" content="([^"]+)"/.exec(html)!;
  assert.ok(policy.includes(`style-src 'sha256-${await base64(style)}'`));
  assert.ok(policy.includes(`script-src 'sha256-${await base64(script)}'`));
  assert.ok(policy.includes("default-src 'none'") && !policy.includes('connect-src'));
  const own = html.replaceAll(script, '').replaceAll(style, '');
  assert.is(count(own, /\s(src|href|style|action)="(?!#main"|data:,")/g), 0);
  assert.is(count(html, /https?:\/\//g), 0);
  const live = await dashboardOf([], { title: 'x', live: true });
  assert.ok(live.includes("connect-src 'self'") && live.includes('aria-live="polite" id="status"'));
});

page('every chart has its numbers as a table, and every table a caption', () => {
  const charts = count(html, /<svg [^>]*role="img"/g);
  assert.ok(charts >= 12, String(charts));
  assert.is(count(html, /<details><summary>Numbers: /g), charts);
  assert.is(count(html, /<figure>/g), charts);
  assert.is(count(html, /<table>/g), count(html, /<caption>/g));
  assert.not.match(html, /NaN|Infinity|undefined/);
  const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map((match) => match[1]);
  assert.is(new Set(ids).size, ids.length, 'ids are unique');
});

page('all parts are there', () => {
  for (
    const words of [
      'Gate: <span class="verdict fail">fail</span>',
      'Perplexity along the text',
      'KL(A‖B) of the tokens',
      'Speed of B as a multiple of A',
      'Firing rates of A',
      'Samples by who has them right',
      'Samples on which A and B part',
      'Search the samples',
      'they part at token',
      '<mark>',
      'class="pareto"',
      'Trends over 2 runs',
      '<strong>Defect:</strong> kl.mean',
    ]
  ) assert.ok(html.includes(words), words);
});

page('the Pareto line has the points that no other beats in both', () => {
  const at = (x: number, y: number): Point => ({ name: `${x} ${y}`, x, y });
  const points = [at(1, 5), at(2, 3), at(3, 4), at(4, 1), at(4, 2)];
  const names = (found: Point[]): string[] => found.map(({ name }) => name);
  assert.equal(names(pareto(points, 'lower', 'lower')), ['1 5', '2 3', '4 1']);
  assert.equal(names(pareto(points, 'higher', 'higher')), ['1 5', '3 4', '4 2']);
  assert.equal(names(pareto([at(1, 1), at(1, 1)], 'lower', 'lower')), ['1 1', '1 1']);
});

page('charts of one point, of equal values, of zeros and of many points are drawn', () => {
  const frame = { title: 't', xName: 'x', yName: 'y' };
  const many = Array.from({ length: 5000 }, (_, i): [number, number] => [i, Math.sin(i)]);
  const drawn = [
    lines({ ...frame, lines: [{ name: 'a', points: [[0, 1]] }] }),
    lines({ ...frame, lines: [{ name: 'a', points: [[0, 0], [1, 0]] }], log: true }),
    lines({ ...frame, lines: [{ name: 'a', points: [] }] }),
    lines({ ...frame, lines: [{ name: 'a', points: many }] }),
    bars({ title: 't', unit: 'u', bars: [{ name: 'a', value: 0 }, { name: 'b', value: -1, interval: [-2, 0] }] }),
    bars({ title: 't', unit: 'u', bars: [{ name: 'a', value: 1e-6 }, { name: 'b', value: 1e6 }], log: true }),
    scatter({ ...frame, points: [{ name: 'a', x: 1, y: 1 }], xBetter: 'lower', yBetter: 'lower' }),
    scatter({
      ...frame,
      points: [{ name: 'a', x: 1e-3, y: 1 }, { name: 'b', x: 1e6, y: 1 }],
      xBetter: 'lower',
      yBetter: 'lower',
    }),
  ];
  for (const svg of drawn) assert.not.match(svg, /NaN|Infinity|undefined/, svg.slice(0, 300));
  assert.ok(drawn[3].length < 90_000, 'a long line is thinned, its table is cut');
  assert.match(drawn[3], /the first 1000 of 5000 rows/);
});

page('a running comparison shows its figures so far', () => {
  const section = runningSection(
    `window 3 ${HOSTILE}`,
    new Map([['perplexity so far', [{ a: 3, b: 4 }, { a: 3.5, b: 4.5 }]]]),
  );
  assert.match(section, /perplexity so far/);
  assert.not.match(section, /<script/);
});

page.run();
