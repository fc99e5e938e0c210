/**
 * The controls of sampling.
 * @module
 */
import { h } from './dom.ts';

/** What `generate` takes of them. */
export interface Sampling {
  readonly maxTokens: number;
  readonly seed: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repeatPenalty?: number;
}

/** One control. An empty one is left to the model. */
interface Control {
  readonly name: keyof Sampling;
  readonly label: string;
  readonly option: string;
  readonly min: number;
  readonly max: number;
  readonly step: number | 'any';
  readonly value?: number;
}

const CONTROLS: readonly Control[] = [
  { name: 'maxTokens', label: 'Tokens', option: '-n', min: 1, max: 2000, step: 1, value: 190 },
  { name: 'seed', label: 'Seed', option: '--seed', min: 0, max: 4294967295, step: 1, value: 7 },
  { name: 'temperature', label: 'Temperature', option: '--temp', min: 0, max: 100, step: 'any' },
  { name: 'topK', label: 'Top-k', option: '--top-k', min: 0, max: 1e6, step: 1 },
  { name: 'topP', label: 'Top-p', option: '--top-p', min: 0, max: 1, step: 'any' },
  { name: 'minP', label: 'Min-p', option: '--min-p', min: 0, max: 1, step: 'any' },
  { name: 'repeatPenalty', label: 'Repeat penalty', option: '--repeat-penalty', min: 0.01, max: 100, step: 'any' },
];

/** A group of controls, what they say, and the same as options of the command line. */
export function samplingControls(): {
  readonly element: HTMLElement;
  read(): Sampling;
  seed(value: number): void;
  options(): string;
} {
  const inputs = new Map(CONTROLS.map((control) => {
    const { name, min, max, step, value } = control;
    const input = h('input', { type: 'number', name, min, max, step, inputMode: 'decimal', placeholder: 'model' });
    if (value !== undefined) input.value = String(value);
    return [control, input] as const;
  }));
  const element = h(
    'div',
    { class: 'controls' },
    [...inputs].map(([{ label }, input]) => h('label', {}, h('span', {}, label), input)),
  );
  const given = (): [Control, number][] =>
    [...inputs].flatMap(([control, { value, valueAsNumber }]) =>
      value === '' ? (control.value === undefined ? [] : [[control, control.value]]) : [[control, valueAsNumber]]
    );
  return {
    element,
    read: () => Object.fromEntries(given().map(([{ name }, value]) => [name, value])) as unknown as Sampling,
    seed(value) {
      for (const [{ name }, input] of inputs) if (name === 'seed') input.value = String(value);
    },
    options: () => given().map(([{ option }, value]) => `${option} ${value}`).join(' '),
  };
}
