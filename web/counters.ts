/**
 * The figures below a raster: what silence has saved.
 * @module
 */
import type { SpikeReport } from '../src/entries/index.ts';
import { bytes, count, h, joules, percent } from './dom.ts';

/** What is shown of a text. */
export interface Figures {
  /** Tokens that were read. */
  readonly tokens: number;
  /** Share of neurons that were silent in them. */
  readonly silent: number;
  /** Tokens a second, null while unknown, and of what. */
  readonly speed: readonly [rate: number | null, note: string];
  /** Means per token; null while unknown. */
  readonly report: SpikeReport | null;
}

const CAVEAT =
  'Energy is an estimate: the operations and weight bytes of each token at the prices of an ideal 45 nm chip ' +
  '(Horowitz, ISSCC 2014), beside the same model if every neuron fired. Nothing on this device is measured.';

/** A row of counters. */
export function counters(): { readonly element: HTMLElement; show(figures: Figures): void } {
  const tile = (name: string): { readonly box: HTMLElement; set(value: string, note: string): void } => {
    const value = document.createTextNode('–');
    const note = h('small', {});
    const box = h('div', {}, h('dt', {}, name), h('dd', {}, value, note));
    return {
      box,
      set(text, more) {
        value.data = text;
        note.textContent = more;
      },
    };
  };
  const silent = tile('Silent neurons');
  const avoided = tile('Multiplications avoided');
  const unread = tile('Weights not read');
  const speed = tile('Speed');
  const energy = tile('Energy, estimated');
  const element = h(
    'div',
    { class: 'figures' },
    h('dl', { class: 'counters' }, [silent, avoided, unread, speed, energy].map(({ box }) => box)),
    h('p', { class: 'soft small' }, CAVEAT),
  );
  return {
    element,
    show({ tokens, silent: share, speed: [rate, note], report }) {
      silent.set(tokens > 0 ? percent(share) : '–', `over ${count(tokens)} tokens`);
      speed.set(rate === null ? '–' : count(rate), note);
      if (!report) {
        for (const { set } of [avoided, unread, energy]) set('–', '');
        return;
      }
      const { synapticOperations: { denseAcs, effectiveAcs }, weightBytes } = report.overall;
      avoided.set(count(denseAcs * tokens), `${percent(1 - effectiveAcs / denseAcs)} skipped, the rest added`);
      unread.set(
        bytes((weightBytes.dense - weightBytes.touched) * tokens),
        `${percent(1 - weightBytes.touched / weightBytes.dense)} of their bytes`,
      );
      const { compute, memory } = report.energy;
      const spent = compute.effective + memory.touched;
      energy.set(joules(spent), `a token; ${percent(spent / (compute.dense + memory.dense))} of dense`);
    },
  };
}
