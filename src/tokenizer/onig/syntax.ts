/**
 * The patterns of a tokenizer.json, which are written in the syntax of Oniguruma with the rules of Ruby, as a tree.
 * @module
 */
import { folded, outside, posix, property, shorthand } from './sets.ts';

type Test = (point: number) => boolean;

/** How a repetition tries its counts: the most first, the fewest first, or the most only. */
export type Greed = 'greedy' | 'lazy' | 'possessive';

/** A place between characters. */
export type Place =
  | 'line start'
  | 'line end'
  | 'start'
  | 'end'
  | 'last line end'
  | 'search start'
  | 'word edge'
  | 'no word edge'
  | 'nowhere';

/** A part of a pattern. */
export type Node =
  | { readonly kind: 'set'; readonly test: Test; readonly point?: number }
  | { readonly kind: 'all' | 'any'; readonly parts: readonly Node[] }
  | { readonly kind: 'loop'; readonly body: Node; readonly min: number; readonly max: number; readonly greed: Greed }
  | { readonly kind: 'capture'; readonly body: Node; readonly group: number }
  | { readonly kind: 'atomic'; readonly body: Node }
  | { readonly kind: 'look'; readonly body: Node; readonly behind: boolean; readonly not: boolean }
  | { readonly kind: 'back'; readonly groups: readonly number[]; readonly fold: boolean }
  | { readonly kind: 'place'; readonly place: Place }
  | { readonly kind: 'keep' };

/** A pattern as a tree. */
export interface Tree {
  readonly root: Node;
  readonly groups: number;
}

/** Says what is wrong with a pattern and where. */
export class PatternError extends Error {}

/** Groups that may be open within one another. */
const MAX_DEPTH = 64;

interface Flags {
  readonly fold: boolean;
  readonly dotAll: boolean;
  readonly spaced: boolean;
}

/** @throws {PatternError} with the position of what is wrong or not supported */
export function parsePattern(source: string): Tree {
  return new Parser(source).parse();
}

const PLACES: Readonly<Record<string, Place>> = {
  A: 'start',
  z: 'end',
  Z: 'last line end',
  G: 'search start',
  b: 'word edge',
  B: 'no word edge',
};
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7, e: 27 };
const NEWLINES: Test = (point) =>
  (point >= 10 && point <= 13) || point === 0x85 || point === 0x2028 || point === 0x2029;

class Parser {
  readonly #source: string;
  #at = 0;
  #groups = 0;
  #depth = 0;
  readonly #named = new Map<string, number[]>();
  /** With named groups, plain ones do not capture. */
  readonly #hasNames: boolean;

  constructor(source: string) {
    this.#source = source;
    this.#hasNames = /\(\?<[^=!]/.test(source.replace(/\\[\s\S]/g, ''));
  }

  parse(): Tree {
    const root = this.#alternatives({ fold: false, dotAll: false, spaced: false });
    if (this.#at < this.#source.length) this.#fail('a closing parenthesis too many');
    return { root, groups: this.#groups };
  }

  #fail(message: string): never {
    throw new PatternError(`${message} at character ${this.#at}`);
  }

  #eat(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  /** What a sticky expression matches here. */
  #take(regex: RegExp): RegExpExecArray | null {
    regex.lastIndex = this.#at;
    const match = regex.exec(this.#source);
    if (match) this.#at += match[0].length;
    return match;
  }

  #alternatives(given: Flags): Node {
    if (++this.#depth > MAX_DEPTH) this.#fail(`more than ${MAX_DEPTH} groups within one another`);
    let flags = given;
    const ways: Node[] = [];
    let parts: Node[] = [];
    while (this.#at < this.#source.length && this.#source[this.#at] !== ')') {
      if (this.#eat('|')) {
        ways.push(all(parts));
        parts = [];
        continue;
      }
      const set = this.#take(/\(\?([imx]*)(?:-([imx]+))?\)/y);
      if (set) {
        flags = withFlags(flags, set[1], set[2]);
        // the options hold for everything after them, alternatives included, as in Ruby
        const rest = this.#alternatives(flags);
        parts.push(rest);
        break;
      }
      const part = this.#part(flags);
      if (part) parts.push(part);
    }
    this.#depth--;
    ways.push(all(parts));
    return ways.length === 1 ? ways[0] : { kind: 'any', parts: ways };
  }

  #part(flags: Flags): Node | null {
    if (flags.spaced && this.#take(/\s+|#[^\n]*/y)) return null;
    if (this.#take(/\(\?#(?:[^\\)]|\\[\s\S])*\)/y)) return null;
    const from = this.#at;
    let node = this.#atom(flags);
    for (;;) {
      if (flags.spaced) this.#take(/(?:\s+|#[^\n]*)+/y);
      const interval = this.#take(/\{(\d*)(,?)(\d*)\}/y);
      if (interval && (interval[1] !== '' || interval[3] !== '')) {
        node = this.#interval(node, interval);
        continue;
      }
      if (interval) this.#at -= interval[0].length;
      const mark = this.#take(/([*+?])([+?]?)/y);
      if (!mark) return node;
      if (this.#at === from) this.#fail('a repetition of nothing');
      const greed = mark[2] === '' ? 'greedy' : mark[2] === '?' ? 'lazy' : 'possessive';
      node = loop(node, mark[1] === '+' ? 1 : 0, mark[1] === '?' ? 1 : Infinity, greed);
    }
  }

  #interval(node: Node, [, low, comma, high]: RegExpExecArray): Node {
    const min = low === '' ? 0 : Number(low);
    const max = comma === '' ? min : high === '' ? Infinity : Number(high);
    if (min > 100_000 || (max !== Infinity && max > 100_000)) this.#fail('a repetition of more than 100000 times');
    // turned round, it gives nothing back
    if (min > max) return loop(node, max, min, 'possessive');
    if (comma === '' && this.#eat('?')) return loop(loop(node, min, max, 'greedy'), 0, 1, 'greedy');
    return loop(node, min, max, this.#eat('?') ? 'lazy' : 'greedy');
  }

  #atom(flags: Flags): Node {
    const character = this.#source[this.#at];
    if (character === '(') return this.#group(flags);
    if (character === '[') return { kind: 'set', test: this.#fold(this.#brackets(flags), flags) };
    if (character === '\\') return this.#escape(flags);
    if (/[*+?]/.test(character)) this.#fail('a repetition of nothing');
    this.#at++;
    if (character === '^') return { kind: 'place', place: 'line start' };
    if (character === '$') return { kind: 'place', place: 'line end' };
    if (character === '.') return { kind: 'set', test: flags.dotAll ? () => true : (point) => point !== 10 };
    this.#at--;
    const point = this.#source.codePointAt(this.#at) as number;
    this.#at += point > 0xffff ? 2 : 1;
    return this.#literal(point, flags);
  }

  #literal(point: number, flags: Flags): Node {
    const text = String.fromCodePoint(point);
    const test: Test = (other) => other === point;
    const cased = flags.fold && /\p{Cased}|\p{Changes_When_Casefolded}/u.test(text);
    return cased ? { kind: 'set', test: folded(test) } : { kind: 'set', test, point };
  }

  #fold(test: Test, flags: Flags): Test {
    return flags.fold ? folded(test) : test;
  }

  #group(flags: Flags): Node {
    const open = this.#take(
      /\((?:\?(?:([imx]*)(?:-([imx]+))?:|(>|=|!|<=|<!)|(?:<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')|([\s\S]?))|(?!\?))/y,
    ) as RegExpExecArray;
    const [, on, off, mark, angle, quoted, wrong] = open;
    if (wrong !== undefined) this.#fail(`groups that begin with (?${wrong} are not supported`);
    const inner = on !== undefined ? withFlags(flags, on, off) : flags;
    const name = angle ?? quoted;
    const captures = name !== undefined || (open[0] === '(' && !this.#hasNames);
    const group = captures ? ++this.#groups : 0;
    if (name !== undefined) this.#named.set(name, [...(this.#named.get(name) ?? []), group]);
    const body = this.#alternatives(inner);
    if (!this.#eat(')')) this.#fail('a group that does not end');
    if (captures) return { kind: 'capture', body, group };
    if (mark === '>') return { kind: 'atomic', body };
    if (mark) return { kind: 'look', body, behind: mark.startsWith('<'), not: mark.endsWith('!') };
    return body;
  }

  #escape(flags: Flags): Node {
    this.#at++;
    const letter = this.#source[this.#at];
    if (letter === undefined) this.#fail('a backslash at the end');
    const at = this.#at;
    const named = this.#take(/k[<']([^>']+)[>']/y);
    if (named) {
      const groups = this.#named.get(named[1]) ?? (/^\d+$/.test(named[1]) ? [Number(named[1])] : []);
      if (groups.length === 0 || groups[0] > this.#groups) this.#fail(`a reference to the unknown group ${named[1]}`);
      return { kind: 'back', groups, fold: flags.fold };
    }
    if (letter in PLACES) {
      this.#at++;
      return { kind: 'place', place: PLACES[letter] };
    }
    if (letter === 'K') {
      this.#at++;
      return { kind: 'keep' };
    }
    if (letter === 'R') {
      this.#at++;
      const pair = all([this.#literal(13, flags), this.#literal(10, flags)]);
      return { kind: 'atomic', body: { kind: 'any', parts: [pair, { kind: 'set', test: NEWLINES }] } };
    }
    if (letter === 'N' || letter === 'O') {
      this.#at++;
      return { kind: 'set', test: letter === 'O' ? () => true : (point) => point !== 10 };
    }
    if (letter === 'X' || letter === 'y' || letter === 'Y' || letter === 'g') {
      this.#fail(`\\${letter} is not supported`);
    }
    const number = this.#take(/[1-9]\d*/y);
    if (number) {
      if (Number(number[0]) > this.#groups) this.#fail(`a reference to group ${number[0]}, which is not before it`);
      if (this.#hasNames) this.#fail('a reference by number beside named groups');
      return { kind: 'back', groups: [Number(number[0])], fold: flags.fold };
    }
    this.#at = at;
    const set = this.#escapedSet(false);
    if (set) return { kind: 'set', test: set }; // as in the original, only brackets fold case
    return this.#literal(this.#escapedPoint(), flags);
  }

  /** A class after a backslash, if there is one here. */
  #escapedSet(inBrackets: boolean): Test | null {
    const named = this.#take(/([pP])\{(\^?)([^}]*)\}/y);
    if (named) {
      const test = inBrackets ? property(named[3]) : outside(named[3]);
      if (!test) return this.#fail(`the unknown property ${named[3].slice(0, 40)}`);
      return (named[1] === 'P') !== (named[2] === '^') ? (point) => !test(point) : test;
    }
    const short = shorthand(this.#source[this.#at], inBrackets);
    if (!short) return null;
    this.#at++;
    return short;
  }

  /** The character after a backslash. */
  #escapedPoint(): number {
    const hex = this.#take(/x\{([0-9A-Fa-f]{1,8})\}|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})/y);
    if (hex) {
      const point = Number.parseInt(hex[1] ?? hex[2] ?? hex[3], 16);
      if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) this.#fail('a character beyond Unicode');
      return point;
    }
    const octal = this.#take(/0[0-7]{0,2}|[1-7][0-7]{0,2}/y);
    if (octal) return Number.parseInt(octal[0], 8);
    const point = this.#source.codePointAt(this.#at) as number;
    this.#at += point > 0xffff ? 2 : 1;
    return point < 0x80 ? (CONTROLS[String.fromCharCode(point)] ?? point) : point;
  }

  #brackets(flags: Flags): Test {
    if (++this.#depth > MAX_DEPTH) this.#fail(`more than ${MAX_DEPTH} brackets within one another`);
    this.#at++;
    const not = this.#eat('^');
    const sides: Test[] = [];
    let items: Test[] = [];
    for (let first = true; !this.#eat(']') || first; first = false) {
      if (this.#at >= this.#source.length) this.#fail('brackets that do not end');
      if (first && this.#source[this.#at - 1] === ']' && this.#at > 1) {
        // a bracket that comes first is a character, if another closes
        if (!this.#source.includes(']', this.#at)) this.#fail('brackets with nothing in them');
        items.push(this.#range(0x5d));
      } else if (this.#eat('&&')) {
        sides.push(union(items));
        items = [];
      } else items.push(this.#item(flags));
    }
    this.#depth--;
    const last = union(items);
    const test: Test = sides.length === 0 ? last : (point) => last(point) && sides.every((side) => side(point));
    return not ? (flags.fold ? negate(folded(test)) : negate(test)) : test;
  }

  #item(flags: Flags): Test {
    const bracket = this.#take(/\[:(\^?)(\w+):\]/y);
    if (bracket) {
      const test = posix(bracket[2]);
      if (!test) return this.#fail(`the unknown bracket [:${bracket[2].slice(0, 40)}:]`);
      return bracket[1] ? negate(test) : test;
    }
    if (this.#source[this.#at] === '[') return this.#brackets(flags);
    if (this.#eat('\\')) {
      if (this.#at >= this.#source.length) this.#fail('a backslash at the end');
      const set = this.#escapedSet(true);
      if (set) {
        if (/^-[^\]]/.test(this.#source.slice(this.#at, this.#at + 2))) this.#fail('a range from a class');
        return set;
      }
      if (this.#source[this.#at] === 'b') {
        this.#at++;
        return this.#range(8);
      }
      return this.#range(this.#escapedPoint());
    }
    const point = this.#source.codePointAt(this.#at) as number;
    this.#at += point > 0xffff ? 2 : 1;
    return this.#range(point);
  }

  /** A range from this point, or the point alone. */
  #range(from: number): Test {
    if (!/^-[^\]]/.test(this.#source.slice(this.#at, this.#at + 2)) || this.#source.startsWith('-&&', this.#at)) {
      return (point) => point === from;
    }
    this.#at++;
    if (this.#source[this.#at] === '[') {
      // a hyphen before brackets is a character
      return (point) => point === from || point === 0x2d;
    }
    let to: number;
    if (this.#eat('\\')) {
      if (this.#escapedSet(true)) this.#fail('a range to a class');
      to = this.#escapedPoint();
    } else {
      to = this.#source.codePointAt(this.#at) as number;
      this.#at += to > 0xffff ? 2 : 1;
    }
    if (to < from) this.#fail('a range from back to front');
    return (point) => point >= from && point <= to;
  }
}

const negate = (test: Test): Test => (point) => !test(point);
const union = (tests: readonly Test[]): Test =>
  tests.length === 1 ? tests[0] : (point) => tests.some((test) => test(point));
const all = (parts: readonly Node[]): Node => parts.length === 1 ? parts[0] : { kind: 'all', parts };
const loop = (body: Node, min: number, max: number, greed: Greed): Node => ({ kind: 'loop', body, min, max, greed });

function withFlags(flags: Flags, on: string, off: string = ''): Flags {
  const flag = (letter: string, now: boolean): boolean => off.includes(letter) ? false : on.includes(letter) || now;
  return { fold: flag('i', flags.fold), dotAll: flag('m', flags.dotAll), spaced: flag('x', flags.spaced) };
}
