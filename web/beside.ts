/**
 * Two models, one prompt: how they write, how fast, what they spend, and where they part.
 * @module
 */
import { ENERGY_PICOJOULES } from '../src/forward/spike-report.ts';
import { bytes, count, h, joules, percent, reason } from './dom.ts';
import { hashIds } from './hash.ts';
import { bundled, BUNDLED_WRITER, type OpenModel, openModel } from './models.ts';
import { Pace } from './pace.ts';
import { pickModel } from './picker.ts';
import { samplingControls } from './sampling.ts';
import { Story } from './story.ts';

/** One side. */
interface Pane {
  readonly element: HTMLElement;
  readonly story: Story;
  opened: OpenModel | null;
  adopt(next: OpenModel): void;
  figures(): void;
}

function pane(title: string, changed: () => void): Pane {
  const pace = new Pace();
  const story = new Story({
    pace,
    onTick: () => {
      self.figures();
      changed();
    },
  });
  const chip = h('button', { type: 'button', class: 'chip', 'aria-haspopup': 'dialog' }, 'Open a model');
  const list = h('dl', { class: 'counters' });
  const row = (name: string, value: string, note: string): HTMLElement =>
    h('div', {}, h('dt', {}, name), h('dd', {}, value, h('small', {}, note)));
  story.canvas.setAttribute('aria-label', `Spikes of the ${title.toLowerCase()}: a column for each token`);
  const figure = h('figure', {}, story.canvas, h('figcaption', { class: 'under' }, story.note));
  const self: Pane = {
    element: h('div', {}, h('h2', {}, title), chip, story.element, story.spoken, figure, list),
    story,
    opened: null,
    adopt(next) {
      self.opened?.model.dispose();
      self.opened = next;
      chip.replaceChildren(h('span', {}, next.name), h('span', { class: 'soft' }, bytes(next.weightsBytes)));
      figure.hidden = next.layers.length === 0;
      story.clear();
      story.raster.reset(next.layers, 1);
      list.replaceChildren();
    },
    figures() {
      const { opened } = self;
      if (!opened) return;
      const { raster, usage, speed, ids } = story;
      const report = usage?.spikes;
      const dense = opened.layers.length === 0;
      const [rate, note] = speed.words(false);
      const memory = (opened.weightsBytes * ENERGY_PICOJOULES.dramByte) / 1e6;
      list.replaceChildren(
        row('Speed', rate === null ? '–' : count(rate), note),
        dense
          ? row('Silent neurons', 'none', 'it does not spike')
          : row('Silent neurons', percent(1 - raster.fired / Math.max(1, raster.count * raster.neurons)), 'so far'),
        report
          ? row(
            'Energy, estimated',
            joules(report.energy.compute.effective + report.energy.memory.touched),
            'a token, arithmetic and weights',
          )
          : row(
            'Energy, estimated',
            dense ? `> ${joules(memory)}` : '–',
            dense ? 'a token, fetching the weights alone' : '',
          ),
        row('Answer', `${ids.length} tokens`, hashIds(ids)),
      );
    },
  };
  chip.onclick = async (): Promise<void> => {
    const next = await pickModel('write');
    if (!next) return;
    self.adopt(next);
    changed();
  };
  return self;
}

/** Builds the view. */
export async function besideView(section: HTMLElement): Promise<void> {
  let running: AbortController | null = null;
  const sampling = samplingControls();
  const prompt = h('input', { name: 'prompt', autocomplete: 'off', value: 'Once upon a time' });
  const verdict = h('p', { role: 'status' });
  const error = h('p', { role: 'alert', class: 'error' });
  const go = h('button', { class: 'main' }, 'Write both');
  const stop = h('button', { type: 'button', onclick: () => running?.abort() }, 'Stop');
  const [student, teacher] = [pane('Student', () => part()), pane('Teacher', () => part())];
  let marked = -1;

  /** Finds the first token that differs, and marks it in both. */
  function part(): void {
    const [a, b] = [student.story.texts, teacher.story.texts];
    if (a.length === 0 || b.length === 0) return;
    const shared = Math.min(a.length, b.length);
    let at = 0;
    while (at < shared && a[at] === b[at]) at++;
    const ended = student.story.usage !== null && teacher.story.usage !== null;
    if (at < shared) {
      if (marked !== at) {
        student.story.mark(at);
        teacher.story.mark(at);
        marked = at;
        verdict.textContent = `They part at token ${at + 1} of the answer, which is marked.`;
      }
    } else if (ended) {
      verdict.textContent = a.length === b.length
        ? `All ${shared} tokens are equal.`
        : `The first ${shared} tokens are equal; then one of them ends.`;
    } else verdict.textContent = `${shared} tokens are equal so far.`;
  }

  async function run(): Promise<void> {
    running?.abort();
    const controller = running = new AbortController();
    const { signal } = controller;
    error.textContent = '';
    verdict.textContent = '';
    marked = -1;
    for (const { story } of [student, teacher]) story.clear();
    const tell = async ({ opened, story }: Pane): Promise<void> => {
      if (opened) await story.tell(opened, prompt.value, sampling.read(), signal);
    };
    const ends = await Promise.allSettled([tell(student), tell(teacher)]);
    for (const end of ends) if (end.status === 'rejected' && !signal.aborted) error.textContent = reason(end.reason);
    if (!teacher.opened) verdict.textContent = 'Open a teacher to compare with: any model that writes.';
  }

  section.append(
    h(
      'p',
      { class: 'lede' },
      'The same beginning, seed and options for two models. Where their first different token is, it is marked in both.',
    ),
    h(
      'form',
      {
        class: 'line',
        onsubmit: (event: Event) => {
          event.preventDefault();
          void run();
        },
      },
      h('label', { class: 'grow' }, h('span', {}, 'Beginning'), prompt),
      go,
      stop,
    ),
    h('div', { class: 'under' }, h('details', {}, h('summary', {}, 'Sampling'), sampling.element)),
    error,
    verdict,
    h('div', { class: 'panes' }, student.element, teacher.element),
    h(
      'p',
      { class: 'soft small' },
      'Energy is an estimate for an ideal 45 nm chip (Horowitz, ISSCC 2014); nothing on this device is measured. Both models run at ' +
        'once, so their speeds hold for each other’s company.',
    ),
  );
  try {
    student.adopt(await openModel(bundled(BUNDLED_WRITER), { signal: new AbortController().signal }));
  } catch (thrown) {
    error.textContent = reason(thrown);
  }
}
