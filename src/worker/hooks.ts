/**
 * Functions among the options of a call: they stay on the page, and the worker says when they are called.
 * @module
 */
import type { OnSpikes } from '../forward/spike-record.ts';
import type { Hooks, Say, SentSpikes } from './messages.ts';

const NAMES: readonly (keyof Hooks)[] = ['onPrefill', 'onStep', 'onSpikes'];

/** Options without their functions, and the functions. */
export function parted<T extends Hooks>(options: T): { readonly hooks: Hooks; readonly rest: Omit<T, keyof Hooks> } {
  const { onPrefill, onStep, onSpikes, ...rest } = options;
  return { hooks: { onPrefill, onStep, onSpikes }, rest };
}

/** Names of the functions that are there, as they are sent; undefined for none. */
export function namesOf(hooks: Hooks): readonly (keyof Hooks)[] | undefined {
  const names = NAMES.filter((name) => hooks[name] !== undefined);
  return names.length > 0 ? names : undefined;
}

/** In the worker: functions that send what they are called with. `flush` sends spikes that were not sent yet. */
export function sending(
  id: number,
  names: readonly (keyof Hooks)[] | undefined,
  say: (message: Say) => void,
): { readonly hooks: Hooks; flush(): void } {
  const spikes = new SpikeSender((spikes) => say({ id, spikes }));
  const told = (hook: 'onPrefill' | 'onStep') => (given: unknown): void => {
    spikes.flush();
    say({ id, hook, given });
  };
  return {
    hooks: {
      ...(names?.includes('onPrefill') && { onPrefill: told('onPrefill') }),
      ...(names?.includes('onStep') && { onStep: told('onStep') }),
      ...(names?.includes('onSpikes') && { onSpikes: spikes.see }),
    },
    flush: () => spikes.flush(),
  };
}

/** Gathers the layers of a token or time step, which are sent together: a message for each would take longer than the step. */
class SpikeSender {
  readonly #send: (spikes: SentSpikes) => void;
  #at = -1;
  #lengths: number[] = [];
  #bits = new Uint8Array(0);
  #used = 0;

  constructor(send: (spikes: SentSpikes) => void) {
    this.#send = send;
  }

  readonly see: OnSpikes = (_, fired, at) => {
    if (at !== this.#at) this.flush();
    this.#at = at;
    const end = this.#used + fired.length;
    if (end > this.#bits.length) {
      const wider = new Uint8Array(2 * end);
      wider.set(this.#bits.subarray(0, this.#used));
      this.#bits = wider;
    }
    this.#bits.set(fired, this.#used);
    this.#used = end;
    this.#lengths.push(fired.length);
  };

  flush(): void {
    if (this.#lengths.length > 0) {
      this.#send({ at: this.#at, lengths: this.#lengths, bits: this.#bits.slice(0, this.#used) });
    }
    this.#lengths = [];
    this.#used = 0;
  }
}

/** On the page: shows the layers one by one, as the engine does. */
export function showSpikes({ at, lengths, bits }: SentSpikes, see: OnSpikes): void {
  let from = 0;
  lengths.forEach((length, layer) => {
    see(layer, bits.subarray(from, from + length), at);
    from += length;
  });
}
