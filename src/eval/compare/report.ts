/**
 * A comparison as rows for people: the same in a terminal, in Markdown and on a page.
 * @module
 */
import type { ClassifierComparison, CompareResult, Figures, GeneratorComparison } from './result.ts';

/** One figure. */
export interface ReportRow {
  readonly group: string;
  readonly name: string;
  readonly a: string;
  readonly b: string;
  /** How the two differ. */
  readonly note: string;
}

/** A number of at most `digits` significant digits. */
export function figure(value: number | null | undefined, digits: number = 5): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e7)) {
    return value.toExponential(Math.min(3, digits - 1));
  }
  return String(Number(value.toPrecision(digits)));
}

const percent = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : `${figure(100 * value, 4)} %`;
const interval = (value: readonly [number, number] | null, show: (x: number) => string = figure): string =>
  value ? `${show(value[0])} … ${show(value[1])}` : '';
const plusMinus = (value: number, error: number): string => `${figure(value)} ± ${figure(error, 2)}`;

/** 1234567 → "1.23 MB". */
export function sizeText(bytes: number | null): string {
  if (bytes === null) return '–';
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let [unit, value] = [0, bytes];
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

/** Every figure of a comparison. */
export function reportRows(result: CompareResult): ReportRow[] {
  const quality = result.kind === 'generators' ? generatorRows(result) : classifierRows(result);
  return [...quality, ...speedRows(result), ...sizeRows(result), ...energyRows(result)]
    .filter(({ a, b, note }) => a !== '–' || b !== '–' || note !== '');
}

function generatorRows(result: GeneratorComparison): ReportRow[] {
  const { perplexity, bitsPerByte, kl, deltaP, sameTop1, sameTop1Interval, top5Overlap } = result;
  const row = (name: string, a: string, b: string, note: string): ReportRow => ({ group: 'quality', name, a, b, note });
  const rows = [
    row(
      'perplexity',
      plusMinus(perplexity.a, perplexity.aError),
      plusMinus(perplexity.b, perplexity.bError),
      perplexity.lnRatio === null
        ? 'of different tokens: not comparable'
        : `ln ratio ${plusMinus(perplexity.lnRatio, perplexity.error)}, ratio ${
          plusMinus(perplexity.ratio, perplexity.ratioError)
        }, correlation ${percent(perplexity.correlation)}`,
    ),
    row(
      'bits per byte',
      figure(bitsPerByte.a),
      figure(bitsPerByte.b),
      `difference ${plusMinus(bitsPerByte.difference, bitsPerByte.error)}`,
    ),
  ];
  if (kl) {
    const { '50': median, '99': high } = kl.percentiles;
    rows.push(
      row(
        'KL(A‖B)',
        '',
        '',
        `mean ${plusMinus(kl.mean, kl.error)} nats, median ${figure(median)}, 99 % ${figure(high)}, ` +
          `max ${figure(kl.max)}`,
      ),
    );
  }
  if (deltaP) {
    rows.push(
      row(
        'Δp of the text',
        '',
        '',
        `mean ${plusMinus(100 * deltaP.mean, 100 * deltaP.error)} %, RMS ${percent(deltaP.rms)}`,
      ),
    );
  }
  if (sameTop1 !== null) {
    rows.push(row('same top 1', '', '', `${percent(sameTop1)} (${interval(sameTop1Interval, percent)})`));
  }
  if (top5Overlap !== null) rows.push(row('top 5 in common', '', '', percent(top5Overlap)));
  const greedy = result.texts.filter(({ temperature }) => temperature === 0);
  const parted = greedy.filter(({ firstDifference }) => firstDifference !== null);
  if (greedy.length > 0) {
    const first = parted.map(({ firstDifference }) => firstDifference?.token ?? null).filter((x) => x !== null);
    const where = first.length > 0 ? `, first at token ${Math.min(...first as number[]) + 1}` : '';
    rows.push(row('greedy texts', '', '', `${parted.length} of ${greedy.length} part${where}`));
  }
  return rows;
}

function classifierRows(result: ClassifierComparison): ReportRow[] {
  const { metrics, agreement, agreementInterval, correct, mcnemar, samples } = result;
  const row = (name: string, a: string, b: string, note: string): ReportRow => ({ group: 'quality', name, a, b, note });
  const rows = Object.entries(metrics).map(([name, { a, b, difference, aInterval, bInterval, interval: both }]) =>
    row(
      name,
      `${figure(a, 4)}${aInterval ? ` (${interval(aInterval, (x) => figure(x, 4))})` : ''}`,
      `${figure(b, 4)}${bInterval ? ` (${interval(bInterval, (x) => figure(x, 4))})` : ''}`,
      difference === null ? '' : `difference ${figure(difference, 4)} (${interval(both, (x) => figure(x, 4))})`,
    )
  );
  if (correct && mcnemar) {
    rows.push(
      row(
        'right',
        String(correct.both + correct.onlyA),
        String(correct.both + correct.onlyB),
        `of ${samples}: both ${correct.both}, only A ${correct.onlyA}, only B ${correct.onlyB}, neither ${correct.neither}`,
      ),
      row('McNemar, exact', '', '', `p = ${figure(mcnemar.p, 3)}`),
      row('agreement', '', '', `${percent(agreement)} (${interval(agreementInterval, percent)})`),
    );
  }
  return rows;
}

function speedRows({ speed, cost }: CompareResult): ReportRow[] {
  if (!speed) return [];
  const row = (name: string, a: string, b: string, note: string = ''): ReportRow => ({
    group: 'speed',
    name,
    a,
    b,
    note,
  });
  const { prefillTps, decodeTps, firstTokenMs, p50Ms, p95Ms, joules, unit } = speed;
  const timed = (name: string, pair: typeof decodeTps | null): ReportRow[] =>
    pair === null ? [] : [
      row(
        name,
        figure(pair.a, 4),
        figure(pair.b, 4),
        `ratio ${figure(pair.ratio, 3)} (${pair.ratios.map((ratio) => figure(ratio, 3)).join(', ')})`,
      ),
    ];
  const rows = [
    ...timed('prefill, tokens/s', prefillTps),
    ...timed(unit === 'token' ? 'decode, tokens/s' : 'sentences/s', decodeTps),
    ...timed('first token, ms', firstTokenMs),
    row(`a ${unit}, median ms`, figure(p50Ms.a, 4), figure(p50Ms.b, 4)),
    row(`a ${unit}, 95 % ms`, figure(p95Ms.a, 4), figure(p95Ms.b, 4)),
    joules === 'not measured'
      ? row('joules', '', '', 'not measured')
      : row(`joules a ${unit}`, figure(joules.a, 4), figure(joules.b, 4)),
  ];
  if (cost?.perMillion) {
    rows.push(row(`cost of a million ${unit}s`, figure(cost.perMillion.a, 4), figure(cost.perMillion.b, 4)));
  }
  if (cost?.gramsCo2PerMillion) {
    const { a, b } = cost.gramsCo2PerMillion;
    rows.push(row(`gCO₂ of a million ${unit}s`, figure(a, 4), figure(b, 4), `joules ${cost.joulesFrom}`));
  }
  return rows;
}

function sizeRows({ memory }: CompareResult): ReportRow[] {
  const row = (name: string, pair: Figures): ReportRow => ({
    group: 'size',
    name,
    a: sizeText(pair.a),
    b: sizeText(pair.b),
    note: ratioText(pair),
  });
  return [
    row('file', memory.fileBytes),
    row('weights in memory', memory.weightsBytes),
    row('state', memory.stateBytes),
    ...(memory.peakRssBytes === null ? [] : [
      { group: 'size', name: 'peak of the process', a: '', b: '', note: `${sizeText(memory.peakRssBytes)}, with both` },
    ]),
  ];
}

function energyRows({ spikes, energy }: CompareResult): ReportRow[] {
  if (!spikes || !energy) return [];
  const row = (name: string, pair: Figures, show: (x: number | null) => string = figure): ReportRow => ({
    group: `energy of a ${spikes.unit}`,
    name,
    a: show(pair.a),
    b: show(pair.b),
    note: ratioText(pair),
  });
  return [
    row('firing rate', spikes.firingRate, percent),
    row('effective AC', spikes.effectiveAcs),
    row('effective MAC', spikes.effectiveMacs),
    row('dense AC', spikes.denseAcs),
    row('dense MAC', spikes.denseMacs),
    row('weights touched', spikes.weightBytesTouched, sizeText),
    row('operations, µJ at 45 nm', energy.compute),
    row('weights from DRAM, µJ', energy.memory),
  ];
}

function ratioText({ a, b }: Figures): string {
  return a === null || b === null || a === 0 ? '' : `ratio ${figure(b / a, 3)}`;
}

/** A table for a terminal. */
export function textLines(result: CompareResult): string[] {
  const rows = reportRows(result);
  const cells = [['', 'A', 'B', ''], ...rows.map(({ name, a, b, note }) => [name, a, b, note])];
  const widths = [0, 1, 2].map((i) => Math.max(...cells.map((row) => row[i].length)));
  const line = (row: readonly string[]): string =>
    [row[0].padEnd(widths[0]), row[1].padStart(widths[1]), row[2].padStart(widths[2]), row[3]].join('  ').trimEnd();
  return [
    `A  ${describe(result.a)}`,
    `B  ${describe(result.b)}`,
    line(cells[0]),
    ...rows.flatMap((row, i) => [...(rows[i - 1]?.group === row.group ? [] : [row.group]), line(cells[i + 1])]),
    ...result.unavailable.map(({ metric, reason }) => `${metric}: not available, ${reason}`),
  ];
}

function describe({ name, kind, types, options }: CompareResult['a']): string {
  const own = Object.entries(options).map(([key, value]) => `${key} ${value}`);
  return [name, ...(kind === 'remote' ? ['server'] : [types ?? '']), ...own].filter((part) => part !== '').join(', ');
}

/** A table for a pull request or a step summary. */
export function markdownOf(result: CompareResult): string {
  const rows = reportRows(result);
  return [
    `### ${escapeMarkdown(result.a.name)} against ${escapeMarkdown(result.b.name)}`,
    '',
    `A: ${escapeMarkdown(describe(result.a))}. B: ${escapeMarkdown(describe(result.b))}. Data: ${
      escapeMarkdown(result.data.name)
    }.`,
    '',
    '| | A | B | |',
    '|---|---:|---:|---|',
    ...rows.map(({ name, a, b, note }) => `| ${[name, a, b, note].map(escapeMarkdown).join(' | ')} |`),
    '',
    ...result.unavailable.map(({ metric, reason }) => `- ${metric}: not available, ${escapeMarkdown(reason)}`),
  ].join('\n').trimEnd() + '\n';
}

/** Text that Markdown takes as text. */
export function escapeMarkdown(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').replace(
    /[\\`*_[\]<>|#&!@]/g,
    (c) => c === '<' ? '&lt;' : c === '&' ? '&amp;' : `\\${c}`,
  );
}

/** The items of a comparison: samples of a task, windows of a text. */
export function csvOf(result: CompareResult): string {
  const rows: readonly (readonly (string | number | null)[])[] = result.kind === 'classifiers'
    ? [['line', 'label', 'a', 'b'], ...result.items.map(({ line, label, a, b }) => [line, label, a, b])]
    : [
      ['window', 'tokens', 'nll_a', 'nll_b', 'kl'],
      ...result.windows.map(({ tokens, nllA, nllB, kl }, i) => [i, tokens, nllA, nllB, kl]),
    ];
  return rows.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

function csvCell(value: string | number | null): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
