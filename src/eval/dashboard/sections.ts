/**
 * The parts of a page about comparisons: what all models come to, each comparison by itself, and what has changed over time.
 * @module
 */
import { figure, reportRows } from '../compare/report.ts';
import type { ClassifierComparison, CompareResult, GeneratorComparison } from '../compare/result.ts';
import type { Sample } from '../compare/samples.ts';
import type { GateResult } from '../gate/gate.ts';
import { defectsOf, type HistoryEntry, nameOf, trendsOf } from '../history.ts';
import { bars, escapeHtml, lines, type Point, scatter, table } from './svg.ts';

/** A model as the charts of all models have it. */
interface ModelPoint {
  readonly name: string;
  readonly quality: number;
  readonly interval?: readonly [number, number];
  readonly speed: number | null;
  readonly energy: number | null;
  readonly size: number | null;
}

interface Group {
  readonly metric: string;
  readonly data: string;
  readonly better: 'lower' | 'higher';
  readonly models: ModelPoint[];
}

/** Models of comparisons over the same data by the same figure; a model that occurs twice counts once. */
function groupsOf(results: readonly CompareResult[]): Group[] {
  const groups = new Map<string, Group>();
  for (const result of results) {
    const [metric, better, values] = qualityOf(result);
    const key = JSON.stringify([metric, result.data]);
    const group = groups.get(key) ?? { metric, data: result.data.name, better, models: [] };
    groups.set(key, group);
    for (const side of ['a', 'b'] as const) {
      const name = nameOf(result[side]);
      const { value, interval } = values[side];
      if (value === null || group.models.some((model) => model.name === name && model.quality === value)) continue;
      const { speed, energy, memory } = result;
      const joules = [energy?.compute[side], energy?.memory[side]];
      group.models.push({
        name,
        quality: value,
        ...(interval && { interval }),
        speed: speed?.decodeTps[side] ?? null,
        energy: joules.every((x) => typeof x === 'number') ? (joules as number[]).reduce((x, y) => x + y, 0) : null,
        size: memory.weightsBytes[side],
      });
    }
  }
  return [...groups.values()];
}

type SideValue = { readonly value: number | null; readonly interval: readonly [number, number] | null };

/** The figure that stands for quality. */
function qualityOf(
  result: CompareResult,
): [string, 'lower' | 'higher', { readonly a: SideValue; readonly b: SideValue }] {
  if (result.kind === 'classifiers') {
    const [name, metric] = Object.entries(result.metrics)[0];
    return [name, 'higher', {
      a: { value: metric.a, interval: metric.aInterval },
      b: { value: metric.b, interval: metric.bInterval },
    }];
  }
  const { perplexity, bitsPerByte } = result;
  if (perplexity.lnRatio === null) {
    return ['bits per byte', 'lower', {
      a: { value: bitsPerByte.a, interval: null },
      b: { value: bitsPerByte.b, interval: null },
    }];
  }
  const around = (value: number, error: number): SideValue => ({
    value,
    interval: [value - 1.96 * error, value + 1.96 * error],
  });
  return ['perplexity', 'lower', {
    a: around(perplexity.a, perplexity.aError),
    b: around(perplexity.b, perplexity.bError),
  }];
}

/** All models side by side. */
export function overview(results: readonly CompareResult[]): string {
  return groupsOf(results).map(({ metric, data, better, models }, i) => {
    const direction = better === 'lower' ? 'lower is better' : 'higher is better';
    const points = (pick: (model: ModelPoint) => number | null, scale: number = 1): Point[] =>
      models.flatMap((model) => {
        const x = pick(model);
        return x === null ? [] : [{ name: model.name, x: x * scale, y: model.quality, yInterval: model.interval }];
      });
    const charts = [
      ['speed', 'tokens or sentences a second', points(({ speed }) => speed), 'higher'],
      ['energy', 'estimated µJ of a token or text', points(({ energy }) => energy), 'lower'],
      ['size', 'MB of weights in memory', points(({ size }) => size, 1e-6), 'lower'],
    ] as const;
    const list = models.map(({ name, quality, interval }, at) => ({ name, value: quality, interval, colour: at }));
    return `<section id="overview-${i}"><h2>${escapeHtml(`${metric}, ${data}`)}</h2><div class="charts">` +
      bars({
        title: `${metric} (${direction}), with 95 % intervals`,
        bars: list,
        unit: metric,
        head: ['model', metric],
      }) +
      charts.filter(([, , own]) => own.length > 0).map(([title, xName, own, xBetter]) =>
        scatter({
          title: `${metric} beside ${title}: ${direction}, and ${xBetter === 'lower' ? 'less' : 'more'} is better`,
          points: own,
          xName,
          yName: metric,
          xBetter,
          yBetter: better,
        })
      ).join('') +
      '</div></section>';
  }).join('');
}

/** One comparison. */
export function comparison(result: CompareResult, index: number): string {
  const title = `${nameOf(result.a)} against ${nameOf(result.b)}`;
  const rows = reportRows(result).map(({ name, a, b, note }) => [name, a, b, note]);
  const notes = result.unavailable.map(({ metric, reason }) =>
    `<li>${escapeHtml(metric)}: not available, ${escapeHtml(reason)}</li>`
  );
  return `<section id="comparison-${index}"><h2>${escapeHtml(title)}</h2>` +
    `<p>A is ${escapeHtml(nameOf(result.a))}, B ${escapeHtml(nameOf(result.b))}; data ${
      escapeHtml(result.data.name)
    }.</p>` +
    table(`Figures: ${title}`, ['figure', 'A', 'B', 'difference'], rows) +
    (notes.length > 0 ? `<ul>${notes.join('')}</ul>` : '') +
    `<div class="charts">${
      (result.kind === 'generators' ? generatorCharts(result) : classifierCharts(result)).join('')
    }${commonCharts(result).join('')}</div>` +
    (result.kind === 'generators' ? samples(result.texts, index) : parted(result, index)) +
    '</section>';
}

function generatorCharts({ kl, windows, perplexity }: GeneratorComparison): string[] {
  const along = (pick: (window: typeof windows[number]) => number): [number, number][] =>
    windows.map((window, i) => [i, pick(window)]);
  const charts = [
    lines({
      title: perplexity.lnRatio === null ? 'Loss along the text, each in its own tokens' : 'Perplexity along the text',
      lines: [
        { name: 'A', points: along(({ nllA }) => Math.exp(nllA)) },
        { name: 'B', points: along(({ nllB }) => Math.exp(nllB)) },
      ],
      xName: 'window',
      yName: 'perplexity',
    }),
  ];
  if (kl) {
    charts.push(
      bars({
        title: 'KL(A‖B) of the tokens',
        bars: kl.histogram.map(({ from, to, count }) => ({
          name: `${figure(from, 2)} … ${figure(to, 2)} nats`,
          value: count,
        })),
        unit: 'tokens',
        head: ['KL', 'tokens'],
      }),
    );
  }
  return charts;
}

function classifierCharts({ correct, metrics }: ClassifierComparison): string[] {
  const charts = [
    bars({
      title: 'Metrics, with 95 % intervals',
      bars: Object.entries(metrics).flatMap(([name, { a, b, aInterval, bInterval }]) =>
        [['A', a, aInterval, 0] as const, ['B', b, bInterval, 1] as const].flatMap(([side, value, interval, colour]) =>
          value === null ? [] : [{ name: `${name} of ${side}`, value, interval, colour }]
        )
      ),
      unit: 'metric',
      head: ['metric', 'value'],
    }),
  ];
  if (correct) {
    charts.push(
      bars({
        title: 'Samples by who has them right',
        bars: [['both', correct.both], ['only A', correct.onlyA], ['only B', correct.onlyB], [
          'neither',
          correct.neither,
        ]].map(
          ([name, value]) => ({ name: String(name), value: Number(value) }),
        ),
        unit: 'samples',
        head: ['right', 'samples'],
      }),
    );
  }
  return charts;
}

function commonCharts({ speed, spikes }: CompareResult): string[] {
  const charts: string[] = [];
  if (speed && speed.decodeTps.ratios.length > 0) {
    const rounds = (ratios: readonly number[]): [number, number][] => ratios.map((ratio, i) => [i + 1, ratio]);
    charts.push(
      lines({
        title: 'Speed of B as a multiple of A, round by round',
        lines: [
          { name: speed.unit === 'token' ? 'decode' : 'sentences', points: rounds(speed.decodeTps.ratios) },
          ...(speed.prefillTps ? [{ name: 'prefill', points: rounds(speed.prefillTps.ratios) }] : []),
        ],
        xName: 'round',
        yName: 'B / A',
        zero: true,
      }),
    );
  }
  for (const side of ['a', 'b'] as const) {
    const layers = spikes?.layers[side] ?? [];
    if (layers.length === 0) continue;
    charts.push(
      bars({
        title: `Firing rates of ${side.toUpperCase()}, layer by layer`,
        bars: layers.map(({ name, firingRate }) => ({ name, value: 100 * firingRate, colour: side === 'a' ? 0 : 1 })),
        unit: '% of neurons',
        head: ['layer', '% of neurons'],
      }),
    );
  }
  return charts;
}

/** What both write; from where they part on it is marked. */
function samples(texts: readonly Sample[], index: number): string {
  if (texts.length === 0) return '';
  const side = (name: string, text: string, from: number | null): string =>
    `<div><h4>${name}</h4><p class="text">${
      from === null
        ? escapeHtml(text)
        : `${escapeHtml(text.slice(0, from))}<mark>${escapeHtml(text.slice(from))}</mark>`
    }</p></div>`;
  const list = texts.map(({ prompt, temperature, seed, a, b, firstDifference }, i) => {
    const where = firstDifference === null
      ? 'the same'
      : firstDifference.token === null
      ? `they part at character ${firstDifference.character + 1}`
      : `they part at token ${firstDifference.token + 1}`;
    const how = temperature === 0 ? 'greedy' : `temperature ${temperature}, seed ${seed}`;
    const from = firstDifference?.character ?? null;
    return `<article aria-labelledby="sample-${index}-${i}"><h3 id="sample-${index}-${i}">${
      escapeHtml(prompt)
    } …</h3>` +
      `<p>${how}; ${where}</p><div class="beside">${side('A', a.text, from)}${side('B', b.text, from)}</div></article>`;
  });
  return `<div class="samples">${list.join('')}</div>`;
}

/** The sentences on which two classifiers part, with a search. */
function parted({ parted: items, labels }: ClassifierComparison, index: number): string {
  if (items.length === 0) return '';
  const label = (at: number): string => labels[at] ?? String(at);
  const rows = items.map(({ line, text, label: truth, a, b }) => [
    String(line),
    text,
    label(truth),
    label(a),
    label(b),
    a === truth ? 'A' : b === truth ? 'B' : 'neither',
  ]);
  const id = `search-${index}`;
  return `<div class="search" data-search="${id}"><label for="${id}">Search the samples</label>` +
    `<input id="${id}" type="search" autocomplete="off"><output for="${id}" aria-live="polite"></output>` +
    `${table('Samples on which A and B part', ['line', 'text', 'label', 'A', 'B', 'right'], rows)}</div>`;
}

/** The verdict of a gate. */
export function verdict(gate: GateResult): string {
  const rows = [
    ...gate.rules.map(({ verdict, metric, message }) => [metric, verdict, message]),
    ...gate.golden.map((
      { item, changed },
    ) => [item, changed ? 'fail' : 'pass', changed ? 'golden item has changed' : 'golden item is as it was']),
  ];
  return `<section id="gate"><h2>Gate: <span class="verdict ${gate.verdict}">${gate.verdict}</span></h2>` +
    `${table('Rules of the gate', ['rule', 'verdict', 'why'], rows)}</section>`;
}

/** Figures of the history that have their own charts. */
const CHARTED = [
  'perplexity.b',
  'bitsPerByte.b',
  'kl.mean',
  'sameTop1',
  'metrics.',
  'agreement',
  'speed.decodeTps.b',
  'spikes.firingRate.b',
];
/** Charts of trends; a history of more models is better read model by model. */
const MOST_TRENDS = 60;

/** How figures have changed. */
export function trends(entries: readonly HistoryEntry[]): string {
  if (entries.length === 0) return '';
  const defects = defectsOf(entries).map(({ metric, first, later }) =>
    `<li><strong>Defect:</strong> ${escapeHtml(metric)} was ${first.value} at ${
      escapeHtml(first.time)
    } and is ${later.value} at ${escapeHtml(later.time)}, although the runs are equal.</li>`
  );
  const all = trendsOf(entries, CHARTED).slice(0, MOST_TRENDS);
  const charts = all.map(({ name, data, metric, points }) =>
    lines({
      title: `${metric}: ${name}, ${data}`,
      lines: [{ name: metric, points: points.map(({ value }, i) => [i, value]) }],
      xName: 'run',
      yName: metric,
      xNames: points.map(({ time, engine }) => `${time}${engine === null ? '' : `, ${engine}`}`),
    })
  );
  return `<section id="trends"><h2>Trends over ${entries.length} runs</h2>${
    defects.length > 0 ? `<ul class="defects">${defects.join('')}</ul>` : ''
  }<div class="charts">${charts.join('')}</div></section>`;
}

/** What is known while a comparison runs. @param points figure → its values so far */
export function runningSection(
  line: string,
  points: ReadonlyMap<string, readonly { readonly a: number; readonly b: number }[]>,
): string {
  const charts = [...points].map(([figure, values]) =>
    lines({
      title: figure,
      lines: (['a', 'b'] as const).map((side) => ({
        name: side.toUpperCase(),
        points: values.map((value, i): [number, number] => [i + 1, value[side]]),
      })),
      xName: 'done',
      yName: figure,
    })
  );
  return `<section id="running"><h2>Now</h2><p>${escapeHtml(line)}</p><div class="charts">${
    charts.join('')
  }</div></section>`;
}
