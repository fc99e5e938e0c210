/**
 * Stop strings in a text that comes in parts.
 * @module
 */
import { OptionError } from '../errors.ts';
import { MAX_STOP_CHARS, MAX_STOP_STRINGS } from '../limits.ts';

/** What is certain after a part: text to show, and whether a stop string has come. */
export interface StopStep {
  readonly text: string;
  readonly stopped: boolean;
}

/**
 * Lets text pass until a stop string comes. The beginning of what may become a stop string is held back, so that none is
 * ever partly shown; after one nothing passes any more.
 * @example const stop = new StopMatcher(['\nUser:']); stop.push('Hi\nUs'); // { text: 'Hi', stopped: false }
 */
export class StopMatcher {
  readonly #stops: readonly string[];
  readonly #longest: number;
  #held = '';
  #stopped = false;

  /** @throws {OptionError} `OPTION` for an empty stop string, one beyond MAX_STOP_CHARS, or too many */
  constructor(stops: readonly string[]) {
    if (stops.length > MAX_STOP_STRINGS) {
      throw new OptionError('OPTION', `stop has ${stops.length} texts, at most ${MAX_STOP_STRINGS} are accepted`, {
        option: 'stop',
      });
    }
    stops.forEach((stop, i) => {
      if (typeof stop !== 'string' || stop.length === 0 || stop.length > MAX_STOP_CHARS) {
        throw new OptionError('OPTION', `stop: text ${i} must have 1 to ${MAX_STOP_CHARS} characters`, {
          option: 'stop',
        });
      }
    });
    this.#stops = [...stops];
    this.#longest = stops.reduce((most, stop) => Math.max(most, stop.length), 0);
  }

  /** Takes the next part. */
  push(part: string): StopStep {
    if (this.#stopped) return { text: '', stopped: true };
    const text = this.#held + part;
    let at = -1;
    for (const stop of this.#stops) {
      const found = text.indexOf(stop);
      if (found !== -1 && (at === -1 || found < at)) at = found;
    }
    this.#stopped = at !== -1;
    const end = at !== -1 ? at : text.length - this.#pending(text);
    this.#held = at !== -1 ? '' : text.slice(end);
    return { text: text.slice(0, end), stopped: this.#stopped };
  }

  /** The last part, and what was held back, once no more text comes. */
  finish(part: string = ''): string {
    const { text } = this.push(part);
    const held = this.#held;
    this.#held = '';
    return text + held;
  }

  /** Characters at the end that are the beginning of a stop string; the most, if several. */
  #pending(text: string): number {
    for (let length = Math.min(this.#longest - 1, text.length); length > 0; length--) {
      const tail = text.slice(text.length - length);
      if (this.#stops.some((stop) => stop.startsWith(tail))) return length;
    }
    return 0;
  }
}
