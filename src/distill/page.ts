/**
 * The page of a run: curves and what the student wrote, in one HTML file without scripts, fonts or images from elsewhere.
 * @module
 */
import { chart, escapeHtml, type Line, number } from './charts.ts';
import type { EvaluationRecord, MetricsRecord, StepRecord } from './metrics.ts';
import { type RunSettings, UNLIMITED_STEPS } from './settings.ts';

export interface PageFacts {
  readonly name: string;
  readonly step: number;
  readonly done: boolean;
  readonly parameters: number;
  readonly settings: RunSettings;
  /** Shown as it is. */
  readonly config: object;
  /** Of every layer of neurons, in the order of `firingRates`. */
  readonly layerNames: readonly string[];
  /** What measurements are of: text that is written, or classes. */
  readonly kind: 'perplexity' | 'score';
}

/** Seconds after which a browser shows a running page anew. */
const REFRESH_SECONDS = 60;
/** Samples that are shown, the newest first. */
const MOST_SAMPLES = 30;

/** The page as it stands. */
export function pageOf(records: readonly MetricsRecord[], facts: PageFacts): string {
  const steps = records.filter((record): record is StepRecord => record.kind === 'step');
  const measured = records.filter((record): record is EvaluationRecord => record.kind === 'evaluation');
  const { settings, config, done, kind } = facts;
  const scores = kind === 'score';
  const place = settings.steps === UNLIMITED_STEPS ? String(facts.step) : `${facts.step} of ${settings.steps}`;
  const title = `${facts.name}: step ${place}`;
  const curve = (label: string, pick: (record: StepRecord) => number): Line => ({
    label,
    points: steps.map((record) => [record.step, pick(record)] as const),
  });
  const held = (pick: (record: EvaluationRecord) => number | null | undefined): Line['points'] =>
    measured.flatMap((record) => {
      const value = pick(record);
      return value === undefined || value === null ? [] : [[record.step, value] as const];
    });
  const charts = [
    chart({
      title: 'Loss in nats',
      lines: [
        curve('in training', ({ loss }) => loss),
        curve('against the text', ({ hard }) => hard),
        curve('against the teacher', ({ soft }) => soft),
        { label: 'held out', points: held(({ loss }) => loss) },
      ],
    }),
    scores
      ? chart({
        title: 'Score on held-out data',
        lines: [
          { label: 'by spikes', points: held((e) => e.score) },
          { label: 'by rates', points: held((e) => e.rateScore) },
        ],
      })
      : chart({
        title: 'Held-out perplexity',
        log: true,
        lines: [{ label: 'perplexity', points: held((e) => e.perplexity) }],
      }),
    chart({ title: 'Firing rate by layer', from: 0, lines: rateLines(measured, facts.layerNames) }),
    chart({ title: 'Norm of the gradients', log: true, lines: [curve('norm', ({ gradientNorm }) => gradientNorm)] }),
    chart({ title: 'Learning rate', from: 0, lines: [curve('rate', ({ lr }) => lr)] }),
    chart({ title: 'Tokens a second', from: 0, lines: [curve('tokens/s', ({ tokensPerSecond }) => tokensPerSecond)] }),
  ];
  const last = measured.at(-1);
  const summary: readonly (readonly [string, string])[] = [
    ['step', place],
    ['time', duration(records.at(-1)?.seconds ?? 0)],
    ['weights', facts.parameters.toLocaleString('en-GB')],
    ['held-out loss', number(last?.loss ?? NaN)],
    scores ? ['held-out score', number(last?.score ?? NaN)] : ['held-out perplexity', number(last?.perplexity ?? NaN)],
    ['mean firing rate', last ? `${number(100 * mean(last.firingRates))} %` : number(NaN)],
  ];
  return [
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    done ? '' : `<meta http-equiv="refresh" content="${REFRESH_SECONDS}">`,
    `<title>${escapeHtml(title)}</title><style>${STYLE}</style>`,
    `<h1>${escapeHtml(facts.name)}</h1>`,
    `<dl>${summary.map(([key, value]) => `<div><dt>${key}</dt><dd>${escapeHtml(value)}</dd></div>`).join('')}</dl>`,
    `<main>${charts.join('')}</main>`,
    scores ? '' : '<h2>Samples</h2>',
    ...measured.filter(({ sample }) => sample !== undefined).slice(-MOST_SAMPLES).reverse().map((record) =>
      `<section><h3>step ${record.step}, perplexity ${number(record.perplexity ?? NaN)}</h3>` +
      `<p>${escapeHtml(record.sample ?? '')}</p></section>`
    ),
    '<h2>Settings</h2>',
    `<pre>${escapeHtml(JSON.stringify({ student: config, training: settings }, null, 2))}</pre></html>`,
  ].join('\n');
}

/** A line for each layer of neurons, in the order of `firingRates`. */
function rateLines(measured: readonly EvaluationRecord[], labels: readonly string[]): Line[] {
  return labels.flatMap((label, layer) => {
    const points = measured.flatMap(({ step, firingRates }) =>
      firingRates[layer] === undefined ? [] : [[step, firingRates[layer]] as const]
    );
    return points.length === 0 ? [] : [{ label, points }];
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}

/** 3725 → "1 h 2 min". */
function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes < 1
    ? `${Math.round(seconds)} s`
    : minutes < 60
    ? `${minutes} min`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const STYLE =
  'body{font:15px/1.5 system-ui,sans-serif;max-width:1360px;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}' +
  'h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}h3{font-size:.9rem;margin:0;color:#777}' +
  'dl{display:flex;flex-wrap:wrap;gap:1rem 2rem}dt{font-size:.8rem;color:#777}dd{margin:0;font-size:1.2rem}' +
  'main{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:1.5rem}' +
  'figure{margin:0}figcaption{font-weight:600}svg{width:100%;height:auto}svg text{font-size:11px;fill:#777}' +
  '.grid line{stroke:#8884;stroke-width:1}.lines *{fill:none;stroke-width:1.6}' +
  '.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;margin:0;font-size:.8rem}' +
  '.legend i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.3em}' +
  'section{border-left:3px solid #8884;padding-left:1rem;margin:1rem 0}section p{margin:.2rem 0;white-space:pre-wrap}' +
  'pre{font-size:12px;overflow:auto}' +
  '@media(prefers-color-scheme:dark){body{color:#ddd;background:#16181c}}';
