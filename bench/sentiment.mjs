#!/usr/bin/env node
// Accuracy of classifiers over time steps, with 95 % intervals and energy estimates beside a dense teacher:
//   npm run build && node bench/sentiment.mjs --data SST-2 --task sst2 --teacher DIR [NAME=FILE …] [--steps 2,4,8,16,32] [--limit N]
//     [--plot FILE.svg] [--json]
// Without NAME=FILE the classifier of the package. McNemar's exact test is against the best row; energy is an estimate for an ideal
// 45 nm machine, of operations alone (docs/spikingbert.md), and of a dense model its multiplications once in fp32 and in int8.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { glueSplit, glueTask, labelOrder, mcnemarExact, openSource, readGlue, wilson } from '../dist/eval.js';
import { open } from '../dist/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    task: { type: 'string', default: 'sst2' },
    teacher: { type: 'string' },
    steps: { type: 'string', default: '2,4,8,16,32' },
    limit: { type: 'string', default: 'Infinity' },
    plot: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
if (!values.data) throw new Error('--data DIR of the task is needed');
const task = glueTask(values.task);
/** Picojoules of an int8 multiplication with its addition, and of one in fp32 (Horowitz, ISSCC 2014). */
const PICOJOULES = { fp32: 4.6, int8: 0.23 };

const source = await openSource(join(values.data, glueSplit(task, 'dev').file));
const samples = [];
for await (const { text, pair, label } of readGlue(source, task)) {
  if (samples.length < Number(values.limit)) samples.push({ input: pair === undefined ? text : [text, pair], label });
}
await source.close?.();

/** Runs all samples. */
async function run(name, model, options) {
  const order = labelOrder(task, model.describe().labels);
  const right = [];
  let [microjoules, dense, firing, tokens] = [0, 0, 0, 0];
  const start = performance.now();
  for (const { input, label } of samples) {
    const { labelId, spikes, tokens: n } = await model.classify(input, options);
    right.push(order[label] === labelId);
    tokens += n;
    microjoules += spikes?.energy.compute.effective ?? 0;
    dense += spikes?.energy.compute.ann ?? 0;
    firing += spikes?.firingRate ?? 0;
  }
  const seconds = (performance.now() - start) / 1000;
  const n = samples.length;
  const correct = right.filter(Boolean).length;
  return {
    name,
    steps: options.steps ?? null,
    accuracy: correct / n,
    interval: wilson(correct, n),
    firingRate: options.steps ? firing / n : null,
    microjoules: options.steps ? microjoules / n : null,
    annMicrojoules: options.steps ? dense / n : null,
    tokens: tokens / n,
    sentencesPerSecond: n / seconds,
    right,
  };
}

/** Multiplications of a dense BERT for a text of so many tokens. */
function multiplications({ layers, width, hidden }, tokens) {
  return layers * tokens * (4 * width * width + 2 * width * hidden + 2 * tokens * width);
}

const rows = [];
const packaged = fileURLToPath(new URL('../models/sentiment-spiking.gguf', import.meta.url));
const students = positionals.length > 0 ? positionals.map((given) => given.split(/=(.*)/s)) : [['package', packaged]];
if (values.teacher) {
  await using teacher = await open(values.teacher);
  const row = await run('teacher', teacher, {});
  const macs = multiplications(teacher.describe(), row.tokens);
  rows.push({ ...row, microjoules: macs * PICOJOULES.fp32 / 1e6, int8Microjoules: macs * PICOJOULES.int8 / 1e6 });
}
for (const [name, path] of students) {
  await using model = await open(path);
  for (const steps of values.steps.split(',').map(Number)) rows.push(await run(name, model, { steps }));
}

const best = rows.reduce((a, b) => (b.accuracy > a.accuracy ? b : a));
for (const row of rows) {
  const only = (a, b) => a.right.filter((is, i) => is && !b.right[i]).length;
  row.mcnemar = row === best ? null : mcnemarExact(only(row, best), only(best, row));
}

const percent = (x) => (100 * x).toFixed(1);
const cells = (row) => [
  row.name,
  row.steps ?? '',
  percent(row.accuracy),
  row.interval.map(percent).join(' … '),
  row.mcnemar === null ? 'best' : row.mcnemar.toPrecision(2),
  row.firingRate === null ? '' : percent(row.firingRate),
  `${row.microjoules.toFixed(0)}${row.int8Microjoules ? ` (int8 ${row.int8Microjoules.toFixed(0)})` : ''}`,
  row.sentencesPerSecond.toFixed(1),
];
if (values.plot) writeFileSync(values.plot, plot(rows));
if (values.json) console.log(JSON.stringify(rows.map(({ right: _, ...row }) => row)));
else {
  console.log(`${samples.length} sentences of ${task.title} dev`);
  console.log('| model | T | accuracy % | 95 % | McNemar p | firing % | µJ a sentence | sentences/s |');
  console.log('|---|---|---|---|---|---|---|---|');
  for (const row of rows) console.log(`| ${cells(row).join(' | ')} |`);
}

/** Accuracy over energy: a line for each student, a point for each number of steps; the teacher in fp32 and int8. */
function plot(all) {
  const [width, height, left, bottom, top, right] = [640, 360, 56, 44, 16, 96];
  const points = all.flatMap((row) => [
    { row, x: row.microjoules, label: row.steps ? `T = ${row.steps}` : 'fp32' },
    ...(row.int8Microjoules ? [{ row, x: row.int8Microjoules, label: 'int8' }] : []),
  ]);
  const xs = points.map(({ x }) => Math.log10(x));
  const ys = points.map(({ row }) => 100 * row.accuracy);
  const [x0, x1] = [Math.floor(Math.min(...xs)), Math.ceil(Math.max(...xs))];
  const [y0, y1] = [Math.floor(Math.min(...ys) / 5) * 5, Math.ceil(Math.max(...ys) / 5) * 5];
  const px = (x) => (left + ((Math.log10(x) - x0) / (x1 - x0)) * (width - left - right)).toFixed(1);
  const py = (y) => (height - bottom - ((y - y0) / Math.max(y1 - y0, 1)) * (height - top - bottom)).toFixed(1);
  const names = [...new Set(all.map(({ name }) => name))];
  const colour = (name) => `hsl(${(names.indexOf(name) * 137 + 210) % 360} 60% 45%)`;
  const parts = [];
  for (let x = x0; x <= x1; x++) {
    parts.push(`<line x1="${px(10 ** x)}" x2="${px(10 ** x)}" y1="${top}" y2="${height - bottom}"/>`);
    parts.push(`<text x="${px(10 ** x)}" y="${height - bottom + 18}" text-anchor="middle">${10 ** x}</text>`);
  }
  for (let y = y0; y <= y1; y += 5) {
    parts.push(`<line x1="${left}" x2="${width - right}" y1="${py(y)}" y2="${py(y)}"/>`);
    parts.push(`<text x="${left - 8}" y="${py(y)}" dy="4" text-anchor="end">${y}</text>`);
  }
  const curves = names.map((name) => {
    const own = points.filter(({ row }) => row.name === name);
    const line = own.map(({ x, row }) => `${px(x)},${py(100 * row.accuracy)}`).join(' ');
    const dots = own.map(({ x, row, label }) => {
      const [cx, cy] = [px(x), py(100 * row.accuracy)];
      return `<circle cx="${cx}" cy="${cy}" r="3.5"/><text x="${cx}" y="${cy}" dx="7" dy="-6">${label}</text>`;
    });
    const [last] = own.slice(-1);
    const title = `<text x="${px(last.x)}" y="${
      py(100 * last.row.accuracy)
    }" dx="7" dy="12" font-weight="600">${name}</text>`;
    const path = own[0].row.steps === null
      ? ''
      : `<polyline points="${line}" fill="none" stroke="${colour(name)}" stroke-width="2"/>`;
    return `<g fill="${colour(name)}">${path}${dots.join('')}${title}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">` +
    '<title>Accuracy against the energy estimate of a sentence</title><rect width="100%" height="100%" fill="#fff"/>' +
    `<g stroke="#ddd" fill="#555" stroke-width="1">${parts.join('').replaceAll('<text ', '<text stroke="none" ')}</g>${
      curves.join('')
    }` +
    `<text x="${(left + width - right) / 2}" y="${
      height - 8
    }" text-anchor="middle" fill="#333">microjoules a sentence (45 nm estimate, operations alone)</text>` +
    `<text transform="translate(14 ${
      height / 2
    }) rotate(-90)" text-anchor="middle" fill="#333">accuracy %</text></svg>\n`;
}
