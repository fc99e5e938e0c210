/**
 * Curves of a decision over its time steps. Classes differ by dashes as well as by colour, and by name at the end of their curve.
 * @module
 */
const WIDTH = 640;
const HEIGHT = 220;
const LEFT = 44;
const RIGHT = 110;
const TOP = 12;
const BOTTOM = 28;
const DASHES = ['', '7 3', '2 3', '9 3 2 3'];

function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number>>,
  text?: string,
): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

export interface Curve {
  readonly name: string;
  readonly values: readonly number[];
}

/** Draws curves into a picture. @param steps of the whole run @param at the step that is looked at, from 0 on */
export function drawCurves(
  into: SVGSVGElement,
  curves: readonly Curve[],
  { steps, at, shares }: { readonly steps: number; readonly at: number; readonly shares: boolean },
): void {
  const values = curves.flatMap((curve) => curve.values);
  const [low, high] = shares ? [0, 1] : [Math.min(0, ...values), Math.max(1e-9, ...values)];
  const x = (step: number): number => LEFT + (step / Math.max(1, steps - 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const ticks = shares ? [0, 0.5, 1] : [low, (low + high) / 2, high];
  into.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  into.replaceChildren(
    ...ticks.flatMap((tick) => [
      svg('line', { x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick) }),
      svg(
        'text',
        { x: LEFT - 6, y: y(tick) + 4, 'text-anchor': 'end', class: 'soft' },
        shares ? `${100 * tick} %` : tick.toPrecision(2),
      ),
    ]),
    svg('text', { x: LEFT, y: HEIGHT - 8, class: 'soft' }, 'step 1'),
    svg('text', { x: WIDTH - RIGHT, y: HEIGHT - 8, 'text-anchor': 'end', class: 'soft' }, `step ${steps}`),
    svg('line', { x1: x(at), x2: x(at), y1: TOP, y2: HEIGHT - BOTTOM, class: 'at' }),
    ...curves.map(({ values }, i) =>
      svg('polyline', {
        points: values.map((value, step) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(' '),
        class: `c${i % 8}`,
        'stroke-width': 2.5,
        'stroke-dasharray': DASHES[i % DASHES.length],
      })
    ),
    ...namesApart(curves.map(({ name, values }) => ({ name, at: y(values[values.length - 1] ?? 0) }))).map((label) =>
      svg('text', { x: WIDTH - RIGHT + 10, y: label.at + 4 }, label.name)
    ),
  );
}

/** Names one below the other where their curves end close together. */
function namesApart(labels: { name: string; at: number }[]): { name: string; at: number }[] {
  const sorted = [...labels].sort((a, b) => a.at - b.at);
  sorted.forEach((label, i) => {
    if (i > 0) label.at = Math.max(label.at, sorted[i - 1].at + 15);
    label.name = label.name.length > 14 ? `${label.name.slice(0, 13)}…` : label.name;
  });
  return sorted;
}
