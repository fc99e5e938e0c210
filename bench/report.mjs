// What every benchmark says about itself: the machine, medians, a Markdown table, bars as SVG, JSON.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Processor, cores, memory and load before a run, for the head of a report. */
export function machine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    load: Number(loadavg()[0].toFixed(2)),
    date: new Date().toISOString().slice(0, 10),
  };
}

export const described = ({ cpu, cores, memoryGb, load, date }) =>
  `${cpu}, ${cores} cores, ${memoryGb} GB, load ${load} before, ${date}`;

/** Markdown of rows of cells. */
export function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

const LABEL = 260;
const BAR = 420;
const STEP = 24;
const COLOURS = ['#4c6ef5', '#f08c00', '#2f9e44', '#9c36b5', '#868e96'];

/** Horizontal bars. @param bars `{ label, value, series, note }[]` @param unit what the values are */
export function barsSvg(title, unit, bars) {
  const most = Math.max(...bars.map(({ value }) => value));
  const series = [...new Set(bars.map((bar) => bar.series))];
  const width = LABEL + BAR + 150;
  const height = 56 + bars.length * STEP;
  const body = bars.map(({ label, value, series: of, note }, i) => {
    const y = 44 + i * STEP;
    const long = Math.max(1, (value / most) * BAR);
    const text = `${value >= 100 ? value.toFixed(0) : value.toFixed(1)}${note ? ` (${note})` : ''}`;
    return `<text x="${LABEL - 8}" y="${y + 13}" text-anchor="end">${escape(label)}</text>` +
      `<rect x="${LABEL}" y="${y}" width="${long.toFixed(1)}" height="17" fill="${
        COLOURS[series.indexOf(of) % COLOURS.length]
      }"/>` +
      `<text x="${(LABEL + long + 6).toFixed(1)}" y="${y + 13}">${escape(text)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    'font-family="system-ui, sans-serif" font-size="12">',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="8" y="22" font-size="15" font-weight="600">${escape(title)}, ${escape(unit)}</text>`,
    ...body,
    '</svg>\n',
  ].join('\n');
}

/**
 * Prints a result and, with `out`, writes `name.json`, `name.md` and `name.svg` into that folder.
 * @param result `{ name, title, unit, data, markdown, bars }`
 */
export function publish({ name, title, unit, data, markdown, bars }, { json, out }) {
  if (out) {
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, `${name}.json`), `${JSON.stringify(data, null, 1)}\n`);
    writeFileSync(join(out, `${name}.md`), `${markdown}\n`);
    writeFileSync(join(out, `${name}.svg`), barsSvg(title, unit, bars));
  }
  process.stdout.write(json ? `${JSON.stringify(data)}\n` : `${markdown}\n`);
}
