/**
 * The first view: the model of the page writes, and every token lights the neurons that fired.
 * @module
 */
import { counters } from './counters.ts';
import { byId, bytes, h, reason, save } from './dom.ts';
import { hashIds } from './hash.ts';
import { bundled, BUNDLED_WRITER, type Choice, fromFiles, type OpenModel, openModel } from './models.ts';
import { Pace } from './pace.ts';
import { paceSlider, transport } from './player.ts';
import { samplingControls } from './sampling.ts';
import { type Input, Story } from './story.ts';

const PROMPT = 'Once upon a time';
/** Milliseconds between two looks at the counts of the model while it writes. */
const LOOK_MS = 400;

/** Whether the user wants little to move: then the text comes at once. */
const CALM = matchMedia('(prefers-reduced-motion: reduce)');

/** Builds the view, opens the model of the page and lets it write. */
export async function writeView(section: HTMLElement): Promise<void> {
  let opened: OpenModel | null = null;
  let running: AbortController | null = null;
  let messages: { role: string; content: string }[] = [];
  let lastLook = 0;

  const pace = new Pace();
  const figures = counters();
  const story = new Story({ pace, onTick: () => tick() });
  const sampling = samplingControls();
  const error = h('p', { role: 'alert', class: 'error' });
  const modelChip = h('button', {
    type: 'button',
    class: 'chip',
    'aria-haspopup': 'dialog',
    onclick: () => void change(),
  });
  const prompt = h('input', { name: 'prompt', autocomplete: 'off', value: PROMPT });
  const promptName = h('span', {}, 'Beginning');
  const go = h('button', { class: 'main' }, 'Write');
  const another = h('button', { type: 'button', onclick: () => void fresh() }, 'Another');
  const proof = h('p', { class: 'soft small' });
  const command = h('code', {});
  const legend = h('ul', { class: 'legend' });
  const layerChoice = h('select', { 'aria-label': 'Layers that are shown' });
  const dense = h(
    'p',
    { class: 'soft', hidden: true },
    'This model does not spike: it reads every weight for every token, so there is no raster.',
  );
  const controls = transport(pace, {
    onStop: () => running?.abort(),
    onStep: () => {
      if (running) return false;
      void run(true);
      return true;
    },
  });
  const form = h(
    'form',
    {
      class: 'line',
      onsubmit: (event: Event) => {
        event.preventDefault();
        void run();
      },
    },
    h('label', { class: 'grow' }, promptName, prompt),
    go,
    another,
  );
  layerChoice.onchange = (): void =>
    story.raster.only(layerChoice.value === '' ? undefined : Number(layerChoice.value));

  const heading = section.querySelector('h1') as HTMLElement;
  const head = h(
    'div',
    { class: 'head' },
    heading,
    h(
      'p',
      { class: 'lede' },
      'Each column is a token, each dot a neuron that fired for it. A silent neuron costs nothing: its weights are never ' +
        'read. Touch a word to see its column.',
    ),
    form,
    h(
      'div',
      { class: 'under' },
      modelChip,
      h(
        'details',
        {},
        h('summary', {}, 'Sampling'),
        sampling.element,
        h('p', { class: 'small soft' }, 'The same on a command line: ', command),
      ),
    ),
    error,
  );
  section.append(h(
    'div',
    { class: 'stage' },
    h('div', { class: 'column' }, head, h('div', { class: 'text' }, story.element, story.spoken, proof)),
    h(
      'div',
      { class: 'column' },
      h(
        'figure',
        {},
        story.canvas,
        h('figcaption', { class: 'under' }, story.note, legend),
      ),
      dense,
      h(
        'div',
        { class: 'transport' },
        controls,
        paceSlider(pace, CALM.matches),
        h('label', {}, h('span', {}, 'Show'), layerChoice),
        h('button', {
          type: 'button',
          class: 'push',
          onclick: () => void story.raster.png().then((blob) => save('spikes.png', blob)),
        }, 'Save PNG'),
        h('button', { type: 'button', onclick: () => save('spikes.csv', story.raster.csv()) }, 'Save CSV'),
      ),
      figures.element,
    ),
  ));

  function tick(): void {
    const { raster, speed, usage } = story;
    const now = performance.now();
    const show = (report: typeof reportSeen): void =>
      figures.show({
        tokens: raster.count,
        silent: 1 - raster.fired / Math.max(1, raster.count * raster.neurons),
        speed: speed.words(pace.rate !== Infinity),
        report,
      });
    if (usage) {
      reportSeen = usage.spikes ?? null;
      show(reportSeen);
      return;
    }
    if (now - lastLook < LOOK_MS || !opened) return;
    lastLook = now;
    void opened.model.stats().then(({ spikes }) => {
      if (story.usage) return;
      reportSeen = spikes ?? null;
      show(reportSeen);
    }, () => {});
  }
  let reportSeen: import('../src/entries/index.ts').SpikeReport | null = null;

  function adopt(next: OpenModel): void {
    running?.abort();
    opened?.model.dispose();
    opened = next;
    messages = [];
    const { name, weightsBytes, threads, layers, model } = next;
    modelChip.replaceChildren(
      h('span', {}, name),
      h('span', { class: 'soft' }, `${bytes(weightsBytes)}, ${threads === 1 ? 'one thread' : `${threads} threads`}`),
    );
    modelChip.title = 'Open another model';
    promptName.textContent = model.chats ? 'Message' : 'Beginning';
    go.textContent = model.chats ? 'Send' : 'Write';
    another.textContent = model.chats ? 'New chat' : 'Another';
    if (model.chats) prompt.value = '';
    dense.hidden = layers.length > 0;
    story.canvas.hidden = layers.length === 0;
    layerChoice.replaceChildren(
      h('option', { value: '' }, 'all layers'),
      ...layers.map(({ name }, i) => h('option', { value: String(i) }, name)),
    );
    story.raster.only(undefined);
    story.raster.reset(layers, 1);
    legend.replaceChildren(
      ...story.raster.legend().map(({ name, colour: [red, green, blue] }) => {
        const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
        const dot = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
        svg.setAttribute('viewBox', '0 0 12 12');
        svg.setAttribute('aria-hidden', 'true');
        for (const [key, value] of [['width', 12], ['height', 12], ['rx', 3]] as const) {
          dot.setAttribute(key, String(value));
        }
        dot.setAttribute('fill', `rgb(${red} ${green} ${blue})`);
        svg.append(dot);
        return h('li', {}, svg, name);
      }),
    );
  }

  async function run(stepwise = false): Promise<void> {
    running?.abort();
    if (!opened) return;
    const controller = running = new AbortController();
    const { signal } = controller;
    error.textContent = '';
    proof.textContent = '';
    const { model } = opened;
    const given = prompt.value;
    let input: Input = given;
    command.textContent = `npx ternspike run ${JSON.stringify(given)} ${sampling.options()}`;
    if (model.chats) {
      messages = [...messages, { role: 'user', content: given }];
      input = messages;
      prompt.value = '';
    }
    section.dataset.state = 'writing';
    try {
      pace.reset();
      if (stepwise) pace.step();
      const answer = await story.tell(opened, input, sampling.read(), signal);
      if (model.chats) messages = [...messages, { role: 'assistant', content: answer }];
    } catch (thrown) {
      if (!signal.aborted) error.textContent = reason(thrown);
    } finally {
      if (running === controller) {
        running = null;
        section.dataset.state = 'done';
        const { ids } = story;
        proof.replaceChildren(
          `${ids.length} tokens, answer `,
          h('code', { id: 'answer-hash' }, hashIds(ids)),
          '. Equal model, text, seed and options give this hash on every device and browser.',
        );
      }
    }
  }

  async function fresh(): Promise<void> {
    if (opened?.model.chats) {
      running?.abort();
      messages = [];
      story.clear();
      return;
    }
    sampling.seed(crypto.getRandomValues(new Uint32Array(1))[0] % 100_000);
    await run();
  }

  async function change(given?: Choice): Promise<void> {
    pace.pause();
    const { pickModel } = await import('./picker.ts');
    const next = await pickModel('write', given);
    if (next) {
      adopt(next);
      if (!next.model.chats) await run();
    } else pace.resume();
  }

  const { body } = document;
  body.addEventListener('dragover', (event) => {
    event.preventDefault();
    body.classList.add('drop');
  });
  body.addEventListener('dragleave', () => body.classList.remove('drop'));
  body.addEventListener('drop', (event) => {
    event.preventDefault();
    body.classList.remove('drop');
    const files = [...event.dataTransfer?.files ?? []];
    if (files.length > 0 && !byId('view-write').hidden) void change(fromFiles(files));
  });

  try {
    adopt(await openModel(bundled(BUNDLED_WRITER), { signal: new AbortController().signal }));
  } catch (thrown) {
    error.textContent = reason(thrown);
    modelChip.textContent = 'Open a model';
    return;
  }
  await run();
}
