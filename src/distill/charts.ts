/**
 * Line charts as SVG, made by hand: nothing is loaded, and the text of a page can be read without a script.
 * @module
 */

export interface Line {
  readonly label: string;
  /** [x, y], x ascending. */
  readonly points: readonly (readonly [number, number])[];
}

export interface Chart {
  readonly title: string;
  readonly lines: readonly Line[];
  /** y runs over powers of ten. */
  readonly log?: boolean;
  /** Lowest and highest y, where they are known beforehand. */
  readonly from?: number;
  readonly to?: number;
}

const WIDTH = 640;
const HEIGHT = 260;
const LEFT = 56;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 28;
/** Points of a line that are drawn; more cannot be told apart. */
const MOST_POINTS = 400;

/** A chart with its title and legend. */
export function chart({ title, lines, log = false, from, to }: Chart): string {
  const drawn = lines.map(({ label, points }) => ({ label, points: thinned(points.filter(([, y]) => !log || y > 0)) }))
    .filter(({ points }) => points.length > 0);
  const xs = drawn.flatMap(({ points }) => points.map(([x]) => x));
  const ys = drawn.flatMap(({ points }) => points.map(([, y]) => y));
  if (xs.length === 0) return `<figure><figcaption>${escapeHtml(title)}</figcaption><p>nothing yet</p></figure>`;
  const [x0, x1] = spread(Math.min(...xs), Math.max(...xs));
  const scale = log ? Math.log10 : (y: number): number => y;
  const [y0, y1] = spread(scale(from ?? Math.min(...ys)), scale(to ?? Math.max(...ys)));
  const px = (x: number): string => (LEFT + ((x - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const py = (y: number): string =>
    (HEIGHT - BOTTOM - ((scale(y) - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM)).toFixed(1);
  const yTicks = log ? logTicks(10 ** y0, 10 ** y1) : ticks(y0, y1, 5);
  const grid = [
    ...yTicks.map((y) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py(y)}" y2="${py(y)}"/>` +
      `<text x="${LEFT - 6}" y="${py(y)}" dy="4" text-anchor="end">${label(y)}</text>`
    ),
    ...ticks(x0, x1, 6).map((x) => `<text x="${px(x)}" y="${HEIGHT - 8}" text-anchor="middle">${label(x)}</text>`),
  ];
  const curves = drawn.map(({ points }, i) =>
    points.length === 1
      ? `<circle cx="${px(points[0][0])}" cy="${py(points[0][1])}" r="2.5" fill="${
        colour(i, drawn.length)
      }" stroke="none"/>`
      : `<polyline points="${points.map(([x, y]) => `${px(x)},${py(y)}`).join(' ')}" stroke="${
        colour(i, drawn.length)
      }"/>`
  );
  const legend = drawn.map(({ label, points }, i) =>
    `<span><i style="background:${colour(i, drawn.length)}"></i>${escapeHtml(label)} ` +
    `<b>${number(points[points.length - 1][1])}</b></span>`
  );
  return `<figure><figcaption>${escapeHtml(title)}</figcaption>` +
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">` +
    `<g class="grid">${grid.join('')}</g><g class="lines">${curves.join('')}</g></svg>` +
    `<p class="legend">${legend.join('')}</p></figure>`;
}

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

/** A number of at most four digits, for people. */
export function number(x: number): string {
  if (!Number.isFinite(x)) return '–';
  return x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e6) ? x.toExponential(2) : String(Number(x.toPrecision(4)));
}

function label(x: number): string {
  return Math.abs(x) >= 10_000 ? `${Number((x / 1000).toPrecision(4))}k` : String(Number(x.toPrecision(3)));
}

/** Every n-th point, and the last. */
function thinned(points: Line['points']): Line['points'] {
  const every = Math.ceil(points.length / MOST_POINTS);
  return points.filter((_, i) => i % every === 0 || i === points.length - 1);
}

/** A range that is not empty. */
function spread(low: number, high: number): [number, number] {
  return high > low
    ? [low, high]
    : [low - Math.max(1e-9, Math.abs(low) * 0.05), high + Math.max(1e-9, Math.abs(high) * 0.05)];
}

/** Round numbers of a range: multiples of 1, 2 or 5 times a power of ten. */
function ticks(low: number, high: number, about: number): number[] {
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? rough;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, Math.min(20, count)) }, (_, i) => (first + i) * step);
}

/** 1, 2 and 5 times powers of ten, or powers alone where those are many, or as on a plain axis where they are few. */
function logTicks(low: number, high: number): number[] {
  const first = Math.floor(Math.log10(low));
  const powers = Array.from({ length: Math.min(400, Math.ceil(Math.log10(high)) - first + 1) }, (_, i) => first + i);
  const within = (factors: readonly number[]): number[] =>
    powers.flatMap((power) => factors.map((n) => n * 10 ** power)).filter((y) => y >= low && y <= high);
  const some = within([1, 2, 5]);
  if (some.length < 3) return ticks(low, high, 4);
  return some.length <= 8 ? some : within([1]);
}

/** Hues around the circle, apart as far as the number of lines allows. */
function colour(i: number, count: number): string {
  return `hsl(${Math.round((210 + (360 * i) / count) % 360)} 65% 48%)`;
}
