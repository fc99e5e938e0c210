/**
 * A sentence is read over and over, step by step, until the decision settles: a curve for each class, a raster of all layers.
 * @module
 */
import type { Classification, ClassifyInput } from '../src/entries/index.ts';
import { classifyLayerNames } from '../src/architectures/spikingbert/spikes.ts';
import type { SpikingBertDescription } from '../src/architectures/spikingbert/description.ts';
import { type Curve, drawCurves } from './curves.ts';
import { bytes, csvLine, h, joules, percent, reason, save } from './dom.ts';
import { bundled, BUNDLED_CLASSIFIER, type OpenModel, openModel } from './models.ts';
import { pickModel } from './picker.ts';
import { Raster, type RasterLayer } from './raster.ts';

/** Lines of a batch; more belong on the command line. */
const MOST_LINES = 2000;

/** Softmax in plain numbers: for the curves alone, so it need not have the bits of the engine's. */
function softmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** Layers of a run over so many tokens. */
function layersOf({ layers, width, hidden }: SpikingBertDescription, tokens: number): RasterLayer[] {
  return classifyLayerNames(layers).map((name) => ({
    name,
    neurons: tokens * (name.endsWith('.intermediate') ? hidden : width),
  }));
}

/** Builds the view. */
export async function classifyView(section: HTMLElement): Promise<void> {
  let opened: OpenModel | null = null;
  let running: AbortController | null = null;
  let logits: (readonly number[])[] = [];
  let steps = 1;
  let at = 0;
  let queued = false;

  const chip = h(
    'button',
    { type: 'button', class: 'chip', 'aria-haspopup': 'dialog', onclick: () => void change() },
    'Open a model',
  );
  const first = h('input', { name: 'first', autocomplete: 'off', value: 'a charming and often affecting journey' });
  const second = h('input', { name: 'second', autocomplete: 'off' });
  const stepsField = h('input', { type: 'number', name: 'steps', min: 1, max: 10000, placeholder: 'model' });
  const lines = h('textarea', {
    rows: 6,
    name: 'lines',
    placeholder: 'one sentence a line; a tab between the two of a pair',
  });
  const decision = h('p', { class: 'decision', role: 'status' });
  const detail = h('p', { class: 'soft' });
  const error = h('p', { role: 'alert', class: 'error' });
  const curves = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  curves.setAttribute('class', 'curves');
  curves.setAttribute('role', 'img');
  const slider = h('input', {
    type: 'range',
    min: 1,
    max: 1,
    value: '1',
    'aria-label': 'Time step',
    oninput: () => look(slider.valueAsNumber - 1),
  });
  const shown = h('output', { class: 'pace' });
  const canvas = h('canvas', { class: 'raster low', 'aria-label': 'Spikes: a column for each time step' });
  const note = h('span', { class: 'soft' });
  const raster = new Raster(canvas, {
    unit: 'step',
    label: () => '',
    onCursor: (column) => {
      note.textContent = column === null ? '' : raster.describe(column);
      if (column !== null) look(column);
    },
  });
  const stage = h(
    'div',
    { hidden: true },
    decision,
    h(
      'div',
      { class: 'settling' },
      h(
        'div',
        {},
        curves,
        h('div', { class: 'transport' }, h('label', { class: 'grow' }, h('span', {}, 'Time step'), slider, shown)),
        detail,
      ),
      h(
        'div',
        {},
        h('figure', {}, canvas, h('figcaption', { class: 'under' }, note)),
        h(
          'div',
          { class: 'transport' },
          h(
            'button',
            { type: 'button', onclick: () => void raster.png().then((blob) => save('spikes.png', blob)) },
            'Save PNG',
          ),
          h('button', { type: 'button', onclick: () => save('spikes.csv', raster.csv()) }, 'Save CSV'),
        ),
      ),
    ),
  );
  const batchStatus = h('p', { role: 'status', class: 'soft' });
  const batchTable = h('div', { class: 'wide', tabIndex: 0, role: 'group', 'aria-label': 'Answers', hidden: true });
  const batchSave = h('button', { type: 'button', hidden: true }, 'Save CSV');
  const ask = h('button', { class: 'main' }, 'Classify');
  const askAll = h('button', {}, 'Classify all lines');
  const stop = (): HTMLElement => h('button', { type: 'button', onclick: () => running?.abort() }, 'Stop');
  const empty = h(
    'p',
    {},
    'Open a spiking BERT, for example one that ',
    h('code', {}, 'npx ternspike convert'),
    ' made of a SpikingBERT checkpoint. A dense BERT classifies too, without time steps.',
  );
  const work = h(
    'div',
    { hidden: true },
    h(
      'form',
      {
        class: 'line',
        onsubmit: (event: Event) => {
          event.preventDefault();
          void run();
        },
      },
      h('label', { class: 'grow' }, h('span', {}, 'Sentence'), first),
      h('label', { class: 'grow' }, h('span', {}, 'Second sentence, for pairs'), second),
      h('label', {}, h('span', {}, 'Time steps'), stepsField),
      ask,
      stop(),
    ),
    stage,
    h(
      'details',
      {},
      h('summary', {}, 'Many sentences'),
      h(
        'form',
        {
          onsubmit: (event: Event) => {
            event.preventDefault();
            void runAll();
          },
        },
        h('label', {}, h('span', {}, 'Lines'), lines),
        h('div', { class: 'transport' }, askAll, stop(), batchSave),
      ),
      batchStatus,
      batchTable,
    ),
  );
  section.append(
    h(
      'p',
      { class: 'lede' },
      'A spiking classifier reads a sentence over time steps. Each curve is a class; they move while evidence comes in, and settle.',
    ),
    chip,
    error,
    empty,
    work,
  );

  const labels = (): readonly string[] => {
    const { labels = [] } = (opened?.model.describe() ?? {}) as Partial<SpikingBertDescription>;
    return labels;
  };
  const nameOf = (i: number): string => labels()[i] ?? `class ${i}`;

  function draw(): void {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      const several = (logits[0]?.length ?? 0) > 1;
      const rows = logits.map((row) => several ? softmax(row) : row);
      const list: Curve[] = (rows[0] ?? []).map((_, i) => ({
        name: several ? nameOf(i) : 'value',
        values: rows.map((row) => row[i]),
      }));
      drawCurves(curves, list, { steps, at, shares: several });
      const now = rows[at];
      const said = now?.map((value, i) =>
        several ? `${nameOf(i)} ${percent(value)}` : value.toPrecision(4)
      ).join(', ') ?? '';
      shown.textContent = `${at + 1} of ${steps}`;
      curves.setAttribute('aria-label', `Curves of the decision. At step ${at + 1} of ${steps}: ${said}`);
      slider.setAttribute('aria-valuetext', `step ${at + 1}: ${said}`);
      detail.textContent = said === '' ? '' : `At step ${at + 1}: ${said}.`;
    });
  }

  /** Looks at a step. */
  function look(step: number): void {
    if (step < 0 || step >= logits.length) return;
    at = step;
    slider.value = String(step + 1);
    if (raster.cursor !== step) raster.look(step);
    draw();
  }

  const inputOf = (a: string, b: string | undefined): ClassifyInput => b === undefined || b === '' ? a : [a, b];

  /** What an answer says in a line. */
  function answerText({ label, scores }: Classification): string {
    return label === null ? scores[0].toPrecision(5) : label;
  }

  async function run(): Promise<void> {
    running?.abort();
    if (!opened) return;
    const { signal } = running = new AbortController();
    const { model } = opened;
    const d = model.describe() as SpikingBertDescription;
    const spikes = d.kind === 'spikingbert';
    const wanted = stepsField.value === '' ? undefined : stepsField.valueAsNumber;
    error.textContent = '';
    decision.textContent = '…';
    logits = [];
    at = 0;
    steps = wanted ?? d.steps ?? 1;
    slider.max = String(steps);
    stage.hidden = false;
    let column: Uint8Array[] = [];
    try {
      const result = await model.classify(inputOf(first.value, second.value), {
        signal,
        ...(spikes && {
          ...(wanted !== undefined && { steps: wanted }),
          onSpikes: (layer: number, fired: Uint8Array, step: number) => {
            if (layer === 0) {
              if (step === 1) raster.reset(layersOf(d, Math.floor((8 * fired.length) / d.width)), steps);
              column = [];
            }
            column.push(fired.slice());
            if (column.length === raster.layers.length) raster.push(column);
          },
          onStep: ({ logits: row }: { readonly logits: readonly number[] }) => {
            logits.push(row);
            at = logits.length - 1;
            slider.value = String(logits.length);
            draw();
          },
        }),
      });
      if (!spikes) {
        logits = [result.logits];
        steps = 1;
      }
      draw();
      const best = result.labelId === null ? '' : ` ${percent(result.scores[result.labelId])}`;
      const cost = result.spikes
        ? `; ${percent(1 - result.spikes.firingRate)} of neurons silent, ${
          joules(result.spikes.energy.compute.effective)
        } of arithmetic by estimate, ${joules(result.spikes.energy.compute.ann)} if it did not spike`
        : '';
      decision.replaceChildren(answerText(result), h('small', { class: 'soft small' }, `${best}${cost}`));
    } catch (thrown) {
      decision.textContent = '';
      if (!signal.aborted) error.textContent = reason(thrown);
    }
  }

  async function runAll(): Promise<void> {
    running?.abort();
    if (!opened) return;
    const { signal } = running = new AbortController();
    const { model } = opened;
    const list = lines.value.split(/\r?\n/).filter((line) => line.trim() !== '');
    error.textContent = '';
    if (list.length > MOST_LINES) {
      error.textContent =
        `${list.length} lines; at most ${MOST_LINES} here. ternspike classify --lines FILE takes any number.`;
      return;
    }
    const rows: (string | number)[][] = [];
    const body = h('tbody', {});
    const wanted = stepsField.value === '' ? {} : { steps: stepsField.valueAsNumber };
    batchTable.replaceChildren(
      h(
        'table',
        {},
        h('caption', {}, 'Answers, in the order of the lines'),
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ['line', 'text', 'answer', 'score', 'steps', 'firing rate'].map((name) => h('th', { scope: 'col' }, name)),
          ),
        ),
        body,
      ),
    );
    batchTable.hidden = list.length === 0;
    batchSave.hidden = true;
    const spikes = (model.describe() as { readonly kind?: string }).kind === 'spikingbert';
    try {
      for (const [i, line] of list.entries()) {
        const [a, b] = line.split('\t');
        const result = await model.classify(inputOf(a, b), { signal, ...(spikes && wanted) });
        const score = result.labelId === null ? result.scores[0] : result.scores[result.labelId];
        const rate = result.spikes?.firingRate;
        rows.push([i + 1, line, answerText(result), score, result.steps, rate ?? '']);
        const cells = [
          String(i + 1),
          line,
          answerText(result),
          score.toFixed(4),
          String(result.steps),
          rate === undefined ? '–' : percent(rate),
        ];
        body.append(
          h('tr', {}, cells.map((cell, at) => at === 0 ? h('th', { scope: 'row' }, cell) : h('td', {}, cell))),
        );
        batchStatus.textContent = `${i + 1} of ${list.length}`;
      }
    } catch (thrown) {
      if (!signal.aborted) error.textContent = `line ${rows.length + 1}: ${reason(thrown)}`;
    }
    batchSave.hidden = rows.length === 0;
    batchSave.onclick = (): void =>
      save(
        'answers.csv',
        new Blob([
          csvLine(['line', 'text', 'answer', 'score', 'steps', 'firing rate']),
          ...rows.map(csvLine),
        ], { type: 'text/csv' }),
      );
  }

  function adopt(next: OpenModel): void {
    running?.abort();
    opened?.model.dispose();
    opened = next;
    const d = next.model.describe() as SpikingBertDescription;
    chip.replaceChildren(h('span', {}, next.name), h('span', { class: 'soft' }, bytes(next.weightsBytes)));
    const spikes = d.kind === 'spikingbert';
    stepsField.placeholder = spikes ? String(d.steps) : 'none';
    stepsField.disabled = !spikes;
    canvas.hidden = !spikes;
    stage.hidden = true;
    empty.hidden = true;
    work.hidden = false;
  }

  async function change(): Promise<void> {
    const next = await pickModel('classify');
    if (!next) return;
    adopt(next);
    await run();
  }

  if (BUNDLED_CLASSIFIER === undefined) return;
  try {
    adopt(await openModel(bundled(BUNDLED_CLASSIFIER), { signal: new AbortController().signal }));
    await run();
  } catch (thrown) {
    error.textContent = reason(thrown);
  }
}
