/**
 * `history`: how figures have changed from run to run.
 * @module
 */
import { dashboardOf, defectsOf, readHistory, type Trend, trendsOf } from '../entries/eval.ts';
import { type Command, command } from './command.ts';
import { withSource } from './files.ts';
import { defectText } from './history-file.ts';
import { oneLine } from './output.ts';
import { writeReport } from './result-files.ts';

const BARS = '▁▂▃▄▅▆▇█';
/** Runs that a line draws, the latest. */
const MOST_BARS = 40;

export const historyCommand: Command = command(
  {
    name: 'history',
    summary: 'List recorded comparisons and their trends.',
    positionals: [{ name: 'FILE' }],
    options: {
      metric: {
        kind: 'text',
        repeatable: true,
        help: 'show only figures whose name contains this, such as perplexity or speed',
      },
      html: { kind: 'text', value: 'FILE', help: 'write a page with the trends' },
    } as const,
    notes: [
      'compare --history FILE and suites append to it. Runs with the same models, data, options and version must give the same ' +
      'quality: a difference is a defect, and the exit code is 3.',
    ],
    examples: ['ternspike history runs.jsonl', 'ternspike history runs.jsonl --metric kl.mean --json'],
  },
  async ({ values, positionals: [path] }, { out, signal }) => {
    const entries = await withSource(path, signal, (source) => readHistory(source, signal));
    const trends = trendsOf(entries, values.metric);
    const defects = defectsOf(entries);
    if (values.html !== undefined) {
      await writeReport(values.html, await dashboardOf([], { title: `History of ${path}`, entries }));
    }
    await out.result(
      { runs: entries.length, trends, defects },
      () => [
        ...(entries.length === 0 ? [`${path} has no runs yet`] : []),
        ...groups(trends).flatMap(([title, own]) => [title, ...own.map((trend) => `  ${trendText(trend)}`)]),
        ...defects.map(defectText),
      ],
    );
    return defects.length > 0 ? 3 : 0;
  },
);

/** Trends of one pair and its data together. */
function groups(trends: readonly Trend[]): [string, Trend[]][] {
  const found = new Map<string, Trend[]>();
  for (const trend of trends) {
    const title = oneLine(`${trend.name}, ${trend.data}: ${trend.points.length} runs`, 200);
    found.set(title, [...found.get(title) ?? [], trend]);
  }
  return [...found];
}

function trendText({ metric, points }: Trend): string {
  const values = points.slice(-MOST_BARS).map(({ value }) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const bar = (x: number): string => BARS[high > low ? Math.round(((x - low) / (high - low)) * (BARS.length - 1)) : 3];
  const last = values[values.length - 1];
  const change = values.length > 1 && values[0] !== 0 ? `  ${(100 * (last / values[0] - 1)).toFixed(1)} %` : '';
  return `${oneLine(metric, 40).padEnd(28)} ${values.map(bar).join('')}  ${Number(last.toPrecision(6))}${change}`;
}
