/**
 * Pause, step and pace.
 * @module
 */
import { h } from './dom.ts';
import type { Pace } from './pace.ts';

/** Tokens a second at the ends of the slider; its last position is as fast as they come. */
const SLOWEST = 2;
const FASTEST = 400;
const POSITIONS = 40;
/** Where it begins: slow enough to see columns come, fast enough to read. */
const FIRST = 20;

/** A slider in tokens a second. @param calm begin at the end: everything at once */
export function paceSlider(pace: Pace, calm: boolean): HTMLElement {
  const shown = h('output', { class: 'pace' });
  const input = h('input', { type: 'range', min: 0, max: POSITIONS, 'aria-label': 'Pace' });
  const set = (): void => {
    const at = input.valueAsNumber;
    pace.rate = at === POSITIONS ? Infinity : SLOWEST * (FASTEST / SLOWEST) ** (at / (POSITIONS - 1));
    shown.textContent = pace.rate === Infinity ? 'full speed' : `${Math.round(pace.rate)} tokens/s`;
    input.setAttribute('aria-valuetext', shown.textContent);
  };
  input.value = String(calm ? POSITIONS : FIRST);
  input.oninput = set;
  set();
  return h('label', {}, h('span', {}, 'Pace'), input, shown);
}

/** Pause, step, stop. @param onStep begins a text that pauses after its first token; false where one is being written */
export function transport(
  pace: Pace,
  { onStop, onStep }: { onStop(): void; onStep(): boolean },
): HTMLElement[] {
  const pause = h('button', { type: 'button' }, 'Pause');
  const show = (): void => {
    pause.textContent = pace.paused ? 'Resume' : 'Pause';
  };
  pause.onclick = (): void => {
    if (pace.paused) pace.resume();
    else pace.pause();
  };
  pace.onChange = show;
  return [
    pause,
    h('button', {
      type: 'button',
      onclick: () => {
        if (!onStep()) pace.step();
      },
    }, 'Step'),
    h('button', {
      type: 'button',
      onclick: onStop,
    }, 'Stop'),
  ];
}
