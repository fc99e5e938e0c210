/**
 * A strict scanner of JSON whose shape is known: the caller asks for what must come next. Unlike `JSON.parse` it
 * refuses a key that stands twice and integers that are not plain digits, and it never nests further than asked.
 * @module
 */
import { quote } from './gguf-types.ts';

/** Text that the JSON grammar allows between tokens. */
const SPACE = /[ \t\n\r]*/y;
const DIGITS = /(?:0|[1-9]\d{0,15})(?![\d.eE])/y;

export class JsonScanner {
  readonly #text: string;
  readonly #error: (why: string) => Error;
  #at = 0;

  /** @param error makes the refusal from what is wrong */
  constructor(text: string, error: (why: string) => Error) {
    this.#text = text;
    this.#error = error;
  }

  /** @throws always, with what is wrong and where */
  refuse(why: string): never {
    throw this.#error(`${why} (at character ${this.#at})`);
  }

  /** An object. `value` is called behind each key, and takes its value. @throws for a key that stands twice */
  object(value: (key: string) => void): void {
    const keys = new Set<string>();
    this.#list('{', '}', () => {
      const key = this.string();
      if (keys.has(key)) this.refuse(`the key ${quote(key)} occurs twice`);
      keys.add(key);
      if (!this.#take(':')) this.refuse('":" is missing');
      value(key);
    });
  }

  /** An array of whole numbers from 0 to 2^53 − 1, at most `atMost`. */
  integers(atMost: number): number[] {
    const values: number[] = [];
    this.#list('[', ']', () => {
      if (values.length === atMost) this.refuse(`more than ${atMost} numbers`);
      this.#skip();
      DIGITS.lastIndex = this.#at;
      const digits = DIGITS.exec(this.#text)?.[0];
      const number = Number(digits);
      if (digits === undefined || !Number.isSafeInteger(number)) {
        this.refuse('expected a whole number from 0 to 2^53 − 1, in digits');
      }
      this.#at += digits.length;
      values.push(number);
    });
    return values;
  }

  /** A string without lone surrogates. */
  string(): string {
    const text = this.#text;
    if (!this.#take('"')) this.refuse('expected a string');
    const from = this.#at;
    for (let at = from;; at++) {
      at = text.indexOf('"', at);
      if (at < 0) this.refuse('a string does not end');
      let escapes = 0;
      while (text[at - 1 - escapes] === '\\' && at - 1 - escapes >= from) escapes++;
      if (escapes % 2 === 1) continue;
      this.#at = at + 1;
      return this.#unescaped(text.slice(from, at));
    }
  }

  /** Nothing but white space is left. */
  end(): void {
    this.#skip();
    if (this.#at < this.#text.length) this.refuse('something follows the end');
  }

  #unescaped(raw: string): string {
    let value: string;
    try {
      value = JSON.parse(`"${raw}"`) as string;
    } catch {
      this.refuse(`${quote(raw)} is not a JSON string`);
    }
    if (/\p{Surrogate}/u.test(value)) this.refuse('a string has half a surrogate pair');
    return value;
  }

  /** `open item, item, … close`. */
  #list(open: string, close: string, item: () => void): void {
    if (!this.#take(open)) this.refuse(`expected "${open}"`);
    if (this.#take(close)) return;
    do item(); while (this.#take(','));
    if (!this.#take(close)) this.refuse(`expected "," or "${close}"`);
  }

  #take(char: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #skip(): void {
    SPACE.lastIndex = this.#at;
    SPACE.test(this.#text);
    this.#at = SPACE.lastIndex;
  }
}
