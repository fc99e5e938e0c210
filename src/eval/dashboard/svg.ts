/**
 * Charts as static SVG: they need no script, print, follow the colours of the page, and each comes with its numbers as a table.
 * Sides differ by shape as well as by colour.
 * @module
 */
import { figure as numberText } from '../compare/report.ts';

const WIDTH = 640;
const LEFT = 64;
const RIGHT = 16;
const TOP = 14;
const BOTTOM = 40;
const HEIGHT = 300;
/** Points of a line that are drawn; more cannot be told apart. The table has them all. */
const MOST_POINTS = 400;
/** Rows of a table of numbers; a page with more would be slow, and `--csv` has them all. */
const MOST_ROWS = 1000;
/** Colours that the style sheet has. */
const COLOURS = 8;

/** Text that is safe within an element and within a quoted attribute. */
export function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (c) => names[c]);
}

/** A table; the first cell of each row is its header. */
export function table(caption: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const shown = rows.slice(0, MOST_ROWS);
  const more = rows.length > shown.length ? `; the first ${shown.length} of ${rows.length} rows` : '';
  return `<div class="wide" tabindex="0" role="group" aria-label="${escapeHtml(caption)}"><table><caption>${
    escapeHtml(caption + more)
  }</caption><thead><tr>${head.map((cell) => `<th scope="col">${escapeHtml(cell)}</th>`).join('')}</tr></thead><tbody>${
    shown.map((row) =>
      `<tr>${
        row.map((cell, i) => i === 0 ? `<th scope="row">${escapeHtml(cell)}</th>` : `<td>${escapeHtml(cell)}</td>`)
          .join('')
      }</tr>`
    ).join('')
  }</tbody></table></div>`;
}

interface Frame {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly height?: number;
  readonly legend?: readonly string[];
}

/** A chart in its frame: title, drawing, legend, numbers. */
function framed({ title, head, rows, height = HEIGHT, legend = [] }: Frame, drawing: string): string {
  const entries = legend.map((name, i) =>
    `<li><svg viewBox="-7 -7 14 14" aria-hidden="true">${marker(i, 0, 0)}</svg>${escapeHtml(name)}</li>`
  );
  return `<figure><figcaption>${escapeHtml(title)}</figcaption>` +
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${
      escapeHtml(`Chart: ${title}. The numbers follow as a table.`)
    }">` +
    `${drawing}</svg>${entries.length > 0 ? `<ul class="legend">${entries.join('')}</ul>` : ''}` +
    `<details><summary>Numbers: ${escapeHtml(title)}</summary>${table(title, head, rows)}</details></figure>`;
}

/** Circle, square, triangle, diamond; the colour goes round more slowly. */
function marker(i: number, x: number, y: number): string {
  const at = `class="c${i % COLOURS} mark" transform="translate(${px(x)} ${px(y)})"`;
  return [
    `<circle ${at} r="5"/>`,
    `<rect ${at} x="-4.5" y="-4.5" width="9" height="9"/>`,
    `<path ${at} d="M0-5.5 5.5 4.5H-5.5Z"/>`,
    `<path ${at} d="M0-6 6 0 0 6-6 0Z"/>`,
  ][i % 4];
}

const px = (x: number): string => x.toFixed(1);

/** A scale from values to places. */
interface Scale {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

function scaleOf(values: readonly number[], from: number, to: number, log: boolean, zero: boolean): Scale {
  const finite = values.filter((value) => Number.isFinite(value) && (!log || value > 0));
  const by = log ? Math.log10 : (value: number): number => value;
  if (zero && !log) finite.push(0);
  let low = by(finite.reduce((least, value) => Math.min(least, value), Infinity));
  let high = by(finite.reduce((most, value) => Math.max(most, value), -Infinity));
  if (!Number.isFinite(low) || !Number.isFinite(high)) [low, high] = [0, 1];
  const margin = high > low ? (high - low) * 0.06 : Math.max(Math.abs(high) * 0.05, 1e-9);
  if (!(zero && low === 0)) low -= margin;
  high += margin;
  const ticks = log ? logTicks(low, high) : plainTicks(low, high, 5);
  return { at: (value) => from + ((by(value) - low) / (high - low)) * (to - from), ticks };
}

/** Round numbers of a range: multiples of 1, 2 or 5 times a power of ten. */
function plainTicks(low: number, high: number, about: number): number[] {
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const each = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? rough;
  const first = Math.ceil(low / each - 1e-9);
  const count = Math.floor(high / each + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, Math.min(20, count)) }, (_, i) => (first + i) * each);
}

/** Powers of ten, with halves between where they are few. */
function logTicks(low: number, high: number): number[] {
  const powers = Array.from(
    { length: Math.min(40, Math.ceil(high) - Math.floor(low) + 1) },
    (_, i) => Math.floor(low) + i,
  );
  const within = powers.flatMap((power) => (powers.length > 6 ? [1] : [1, 2, 5]).map((n) => n * 10 ** power))
    .filter((value) => Math.log10(value) >= low && Math.log10(value) <= high);
  return within.length > 1 ? within : plainTicks(10 ** low, 10 ** high, 4);
}

/** Both axes with their lines. */
function axes(x: Scale, y: Scale, xName: string, yName: string, height: number): string {
  return '<g class="grid">' +
    y.ticks.map((value) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${px(y.at(value))}" y2="${px(y.at(value))}"/>` +
      `<text x="${LEFT - 6}" y="${px(y.at(value))}" dy="4" text-anchor="end">${numberText(value, 3)}</text>`
    ).join('') +
    x.ticks.map((value) =>
      `<text x="${px(x.at(value))}" y="${height - 22}" text-anchor="middle">${numberText(value, 3)}</text>`
    ).join('') +
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${height - 5}" text-anchor="middle">${escapeHtml(xName)}</text>` +
    `<text transform="translate(12 ${(TOP + height - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${
      escapeHtml(yName)
    }</text></g>`;
}

/** A point of a scatter. */
export interface Point {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly yInterval?: readonly [number, number];
}

/** Points, and the line of those that no other beats in both. */
export function scatter(
  { title, points, xName, yName, xBetter, yBetter }: {
    readonly title: string;
    readonly points: readonly Point[];
    readonly xName: string;
    readonly yName: string;
    readonly xBetter: 'lower' | 'higher';
    readonly yBetter: 'lower' | 'higher';
  },
): string {
  const wide = Math.max(...points.map(({ x }) => x)) > 20 * Math.min(...points.map(({ x }) => x));
  const x = scaleOf(points.map((point) => point.x), LEFT, WIDTH - RIGHT, wide, false);
  const y = scaleOf(points.flatMap((p) => [p.y, ...p.yInterval ?? []]), HEIGHT - BOTTOM, TOP, false, false);
  const best = pareto(points, xBetter, yBetter);
  const line = best.length > 1
    ? `<polyline class="pareto" points="${best.map((p) => `${px(x.at(p.x))},${px(y.at(p.y))}`).join(' ')}"/>`
    : '';
  const marks = points.map((point, i) =>
    (point.yInterval ? whisker(x.at(point.x), y.at(point.yInterval[0]), y.at(point.yInterval[1]), i) : '') +
    marker(i, x.at(point.x), y.at(point.y))
  );
  const rows = points.map((p) => [
    p.name,
    numberText(p.x),
    p.yInterval
      ? `${numberText(p.y)} (${numberText(p.yInterval[0])} … ${numberText(p.yInterval[1])})`
      : numberText(p.y),
    best.includes(p) ? 'yes' : 'no',
  ]);
  return framed(
    { title, head: ['model', xName, yName, 'on the Pareto line'], rows, legend: points.map(({ name }) => name) },
    axes(x, y, xName, yName, HEIGHT) + line + marks.join(''),
  );
}

function whisker(x: number, from: number, to: number, i: number): string {
  return `<path class="c${i % COLOURS} whisker" d="M${px(x)} ${px(from)}V${px(to)}M${px(x - 4)} ${px(from)}h8M${
    px(x - 4)
  } ${px(to)}h8"/>`;
}

/** Points that no other beats or equals in both, in the order of x. */
export function pareto(points: readonly Point[], xBetter: 'lower' | 'higher', yBetter: 'lower' | 'higher'): Point[] {
  const [sx, sy] = [xBetter === 'lower' ? 1 : -1, yBetter === 'lower' ? 1 : -1];
  return points.filter((p) =>
    !points.some((q) => q !== p && sx * q.x <= sx * p.x && sy * q.y <= sy * p.y && (q.x !== p.x || q.y !== p.y))
  ).sort((p, q) => p.x - q.x);
}

/** Horizontal bars, with intervals where they are known. */
export function bars(
  { title, bars: list, unit, log = false, head = ['', unit] }: {
    readonly title: string;
    readonly bars: readonly {
      readonly name: string;
      readonly value: number;
      readonly interval?: readonly [number, number] | null;
      readonly colour?: number;
    }[];
    readonly unit: string;
    readonly log?: boolean;
    readonly head?: readonly [string, string];
  },
): string {
  const ROW = 24;
  const NAMES = 190;
  const height = TOP + ROW * list.length + BOTTOM;
  const x = scaleOf(
    list.flatMap(({ value, interval }) => [value, ...interval ?? []]),
    NAMES,
    WIDTH - RIGHT - 60,
    log,
    !log,
  );
  const zero = log ? NAMES : x.at(0);
  const drawing = list.map(({ name, value, interval, colour = 0 }, i) => {
    const y = TOP + ROW * i;
    const end = x.at(value);
    const short = name.length > 28 ? `${name.slice(0, 27)}…` : name;
    const range = interval
      ? `<path class="ink" d="M${px(x.at(interval[0]))} ${y + 10}H${px(x.at(interval[1]))}M${px(x.at(interval[0]))} ${
        y + 6
      }v8M${px(x.at(interval[1]))} ${y + 6}v8"/>`
      : '';
    return `<text x="${NAMES - 8}" y="${y + 14}" text-anchor="end">${escapeHtml(short)}</text>` +
      `<rect class="c${colour % COLOURS}" x="${px(Math.min(zero, end))}" y="${y + 3}" width="${
        px(Math.max(1, Math.abs(end - zero)))
      }" height="14"/>` +
      `${range}<text x="${px(Math.max(zero, end, interval ? x.at(interval[1]) : 0) + 6)}" y="${y + 14}">${
        numberText(value, 4)
      }</text>`;
  });
  const bottom = x.ticks.map((value) =>
    `<line x1="${px(x.at(value))}" x2="${px(x.at(value))}" y1="${TOP}" y2="${height - BOTTOM}"/>` +
    `<text x="${px(x.at(value))}" y="${height - 22}" text-anchor="middle">${numberText(value, 3)}</text>`
  );
  const rows = list.map(({ name, value, interval }) => [
    name,
    interval ? `${numberText(value)} (${numberText(interval[0])} … ${numberText(interval[1])})` : numberText(value),
  ]);
  return framed(
    { title, head, rows, height },
    `<g class="grid">${bottom.join('')}<text x="${WIDTH / 2}" y="${height - 5}" text-anchor="middle">${
      escapeHtml(unit)
    }</text>` +
      `</g><g class="bars">${drawing.join('')}</g>`,
  );
}

/** Lines over one axis. */
export function lines(
  { title, lines: list, xName, yName, log = false, zero = false, xNames }: {
    readonly title: string;
    readonly lines: readonly { readonly name: string; readonly points: readonly (readonly [number, number])[] }[];
    readonly xName: string;
    readonly yName: string;
    readonly log?: boolean;
    readonly zero?: boolean;
    /** What the numbers of the x axis mean, for the table. */
    readonly xNames?: readonly string[];
  },
): string {
  const all = list.flatMap(({ points }) => points);
  const x = scaleOf(all.map(([at]) => at), LEFT, WIDTH - RIGHT, false, false);
  const y = scaleOf(all.map(([, value]) => value), HEIGHT - BOTTOM, TOP, log, zero);
  const drawing = list.map(({ points }, i) => {
    const every = Math.ceil(points.length / MOST_POINTS);
    const shown = points.filter((point, at) =>
      (at % every === 0 || at === points.length - 1) && (!log || point[1] > 0)
    );
    const path = shown.map(([at, value]) => `${px(x.at(at))},${px(y.at(value))}`).join(' ');
    const marks = shown.length <= 40 ? shown.map(([at, value]) => marker(i, x.at(at), y.at(value))).join('') : '';
    return `<polyline class="c${i % COLOURS} line d${i % 4}" points="${path}"/>${marks}`;
  });
  const xs = [...new Set(all.map(([at]) => at))].sort((p, q) => p - q);
  const found = list.map(({ points }) => new Map(points));
  const rows = xs.map((at) => [xNames?.[at] ?? numberText(at), ...found.map((points) => numberText(points.get(at)))]);
  return framed(
    { title, head: [xName, ...list.map(({ name }) => name)], rows, legend: list.map(({ name }) => name) },
    axes(x, y, xName, yName, HEIGHT) + drawing.join(''),
  );
}
