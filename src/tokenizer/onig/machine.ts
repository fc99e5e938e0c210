/**
 * Runs patterns: a machine that backtracks over a stack of its own, so that no text is too long for it, and counts its steps, so that
 * none takes for ever. A repetition of one set of characters remembers from which stretch of text the rest of the pattern cannot
 * match; the usual patterns take linear time by this.
 * @module
 */
import { TokenizerError } from '../../errors.ts';
import { MAX_PATTERN_SIZE, MAX_PATTERN_STEPS, MAX_PATTERN_STEPS_PER_CHAR } from '../../limits.ts';
import { CharSet, shorthand } from './sets.ts';
import { type Node, parsePattern, PatternError, type Place } from './syntax.ts';

/** Instructions: a number each, then their operands. */
const UNIT = 0; // unit
const SET = 1; // set
const RUN = 2; // set, min, max, greed, index of its memory or −1
const SPLIT = 3; // first, second
const JUMP = 4; // to
const SAVE = 5; // slot
const ATOMIC = 6; // end of the body
const LOOK = 7; // end of the body, not
const BEHIND = 8; // end of the body, not, min, max
const PLACE = 9; // place
const BACK = 10; // list of groups, fold
const KEEP = 11;
const MARK = 12; // slot
const MOVED = 13; // slot, where to go when nothing was consumed
const DONE = 14;

/** What a stack entry does when the machine comes back to it. */
const RESUME = 0; // pc, at
const SHRINK = 1; // pc, least end, end
const GROW = 2; // pc of the run, end, count
const RESTORE = 3; // slot, value
const REMEMBER = 4; // memory, from, end; −1 for where the last GROW gave up

const PLACES: readonly Place[] = [
  'line start',
  'line end',
  'start',
  'end',
  'last line end',
  'search start',
  'word edge',
  'no word edge',
  'nowhere',
];
const GREEDS = ['greedy', 'lazy', 'possessive'] as const;
const ENTRY = 4;
/** Numbers on the stack: choices of 4 Mi characters, one each. */
const MAX_STACK = 1 << 25;

/** Steps that are left to the patterns that work on one text. */
let budget = 0;

/** Gives all patterns together the steps for a text of this length. */
export function allowSteps(length: number): void {
  budget = MAX_PATTERN_STEPS + MAX_PATTERN_STEPS_PER_CHAR * length;
}

/** A compiled pattern. */
export class Pattern {
  readonly #code: Int32Array;
  readonly #sets: readonly CharSet[];
  readonly #groupLists: readonly (readonly number[])[];
  readonly #slots: Int32Array;
  /** Per repetition: the stretch of its ends after which the rest is known not to match. */
  readonly #failFrom: Int32Array;
  readonly #failTo: Int32Array;
  #stack: Int32Array = new Int32Array(256);
  #top = 0;
  #text = '';
  #searchFrom = 0;
  #keep = -1;
  /** Where a repetition that grows could not go on. */
  #grown = 0;

  /** @throws {PatternError} for a pattern that is malformed, not supported or too large */
  constructor(source: string) {
    const built = new Builder(source);
    this.#code = Int32Array.from(built.code);
    this.#sets = built.sets;
    this.#groupLists = built.groupLists;
    this.#slots = new Int32Array(built.slots);
    this.#failFrom = new Int32Array(built.memories);
    this.#failTo = new Int32Array(built.memories);
  }

  /**
   * Where the pattern matches, as Oniguruma's iterator says: start and end of each match in turn. An empty match right after another
   * is passed over.
   * @throws {TokenizerError} `TEXT_TOO_LONG` where that takes more steps than were allowed
   */
  matches(text: string): number[] {
    this.#text = text;
    this.#failFrom.fill(-1);
    this.#failTo.fill(-1);
    const found: number[] = [];
    let from = 0;
    let last = -1;
    while (from <= text.length) {
      const end = this.#search(from);
      if (end === -1) break;
      const start = this.#keep;
      if (start === end && last === end) {
        from = end + this.#widthAt(end);
        continue;
      }
      found.push(start, end);
      from = last = end;
    }
    this.#text = '';
    if (this.#stack.length > 0x10000) this.#stack = new Int32Array(256);
    return found;
  }

  #widthAt(at: number): number {
    const unit = this.#text.charCodeAt(at);
    return unit >= 0xd800 && unit < 0xdc00 ? 2 : 1;
  }

  /** The end of the first match from here on, whose start is then `#keep`; −1 where there is none. */
  #search(from: number): number {
    this.#searchFrom = from;
    for (let start = from; start <= this.#text.length; start += this.#widthAt(start)) {
      this.#top = 0;
      this.#keep = -1;
      this.#slots.fill(-1);
      const end = this.#run(0, start);
      if (end === -1) continue;
      if (this.#keep === -1) this.#keep = start;
      return end;
    }
    return -1;
  }

  #push(kind: number, a: number, b: number, c: number): void {
    if (this.#top + ENTRY > this.#stack.length) {
      if (this.#top > MAX_STACK) this.#count(Infinity);
      const grown = new Int32Array(2 * this.#stack.length);
      grown.set(this.#stack);
      this.#stack = grown;
    }
    const stack = this.#stack;
    stack[this.#top] = kind;
    stack[this.#top + 1] = a;
    stack[this.#top + 2] = b;
    stack[this.#top + 3] = c;
    this.#top += ENTRY;
  }

  #count(steps: number): void {
    budget -= steps;
    if (budget < 0) {
      throw new TokenizerError(
        'TEXT_TOO_LONG',
        `the patterns of the tokenizer take more than ${MAX_PATTERN_STEPS} steps and ${MAX_PATTERN_STEPS_PER_CHAR} for each ` +
          `character, or ${MAX_STACK / ENTRY} choices at a time; encode the text in parts`,
      );
    }
  }

  /** Runs from an instruction to a `DONE`: the end of the match, or −1. */
  #run(from: number, start: number): number {
    const code = this.#code;
    const text = this.#text;
    const length = text.length;
    const base = this.#top;
    let pc = from;
    let at = start;
    for (;;) {
      let ok = false;
      switch (code[pc]) {
        case UNIT:
          if (text.charCodeAt(at) === code[pc + 1]) {
            at++;
            pc += 2;
            ok = true;
          }
          break;
        case SET: {
          const width = at < length ? this.#inSet(this.#sets[code[pc + 1]], at) : 0;
          if (width > 0) {
            at += width;
            pc += 2;
            ok = true;
          }
          break;
        }
        case RUN: {
          const end = this.#enterRun(pc, at);
          if (end >= 0) {
            at = end;
            pc += 6;
            ok = true;
          }
          break;
        }
        case SPLIT:
          this.#count(1);
          this.#push(RESUME, code[pc + 2], at, 0);
          pc = code[pc + 1];
          ok = true;
          break;
        case JUMP:
          pc = code[pc + 1];
          ok = true;
          break;
        case SAVE:
        case MARK:
          this.#push(RESTORE, code[pc + 1], this.#slots[code[pc + 1]], 0);
          this.#slots[code[pc + 1]] = at;
          pc += 2;
          ok = true;
          break;
        case MOVED:
          pc = this.#slots[code[pc + 1]] === at ? code[pc + 2] : pc + 3;
          ok = true;
          break;
        case ATOMIC: {
          const before = this.#top;
          const end = this.#run(pc + 2, at);
          if (end !== -1) {
            this.#drop(before);
            at = end;
            pc = code[pc + 1];
            ok = true;
          }
          break;
        }
        case LOOK: {
          const before = this.#top;
          const found = this.#run(pc + 3, at) !== -1;
          if (found) this.#drop(before);
          if (found === (code[pc + 2] === 0)) {
            pc = code[pc + 1];
            ok = true;
          }
          break;
        }
        case BEHIND: {
          const found = this.#behind(pc, at);
          if (found === (code[pc + 2] === 0)) {
            pc = code[pc + 1];
            ok = true;
          }
          break;
        }
        case PLACE:
          if (this.#isPlace(PLACES[code[pc + 1]], at)) {
            pc += 2;
            ok = true;
          }
          break;
        case BACK: {
          const end = this.#back(this.#groupLists[code[pc + 1]], code[pc + 2] === 1, at);
          if (end !== -1) {
            at = end;
            pc += 3;
            ok = true;
          }
          break;
        }
        case KEEP:
          this.#keep = at;
          pc += 1;
          ok = true;
          break;
        default:
          return at;
      }
      // back to the last choice that is left
      while (!ok) {
        if (this.#top === base) return -1;
        const stack = this.#stack;
        const top = (this.#top -= ENTRY);
        const a = stack[top + 1];
        const b = stack[top + 2];
        const c = stack[top + 3];
        switch (stack[top]) {
          case RESUME:
            pc = a;
            at = b;
            ok = true;
            break;
          case SHRINK: {
            this.#count(1);
            const unit = text.charCodeAt(c - 1);
            at = c - (unit >= 0xdc00 && unit < 0xe000 ? 2 : 1);
            if (at > b) {
              stack[top + 3] = at;
              this.#top += ENTRY;
            }
            pc = a;
            ok = true;
            break;
          }
          case GROW: {
            this.#count(1);
            const width = b < length ? this.#inSet(this.#sets[code[a + 1]], b) : 0;
            if (width === 0) {
              this.#grown = b;
              break;
            }
            at = b + width;
            if (c + 1 < code[a + 3]) this.#push(GROW, a, at, c + 1);
            pc = a + 6;
            ok = true;
            break;
          }
          case RESTORE:
            this.#slots[a] = b;
            break;
          default: // REMEMBER
            this.#failFrom[a] = b;
            this.#failTo[a] = c === -1 ? this.#grown : c;
        }
      }
    }
  }

  /** Takes what a repetition takes at first, and notes what it may give back or take more: its end, or −1. */
  #enterRun(pc: number, at: number): number {
    const code = this.#code;
    const memory = code[pc + 5];
    const failFrom = memory >= 0 ? this.#failFrom[memory] : -1;
    const failTo = memory >= 0 ? this.#failTo[memory] : -1;
    const set = this.#sets[code[pc + 1]];
    const known = set.known;
    const text = this.#text;
    const length = text.length;
    const min = code[pc + 2];
    const greed = code[pc + 4];
    const most = greed === 1 ? min : code[pc + 3];
    let end = at;
    let before = at;
    let count = 0;
    let least = min === 0 ? at : -1;
    if (min === 0 && at >= failFrom && at <= failTo) return -1;
    while (count < most && end < length && (end !== failFrom || count < min)) {
      const unit = text.charCodeAt(end);
      const wide = unit >= 0xd800 && unit < 0xdc00;
      if (wide ? !set.has(text.codePointAt(end) as number) : (known[unit] || set.see(unit)) === 1) break;
      before = end;
      end += wide ? 2 : 1;
      if (++count === min) {
        least = end;
        if (least >= failFrom && least <= failTo) break;
      }
    }
    this.#count(1 + count);
    if (count < min || (least >= failFrom && least <= failTo)) return -1;
    if (greed === 2) return end;
    if (greed === 1) {
      if (memory >= 0) this.#push(REMEMBER, memory, end, -1);
      if (count < code[pc + 3]) this.#push(GROW, pc, end, count);
      return end;
    }
    const joins = end === failFrom;
    if (memory >= 0) this.#push(REMEMBER, memory, least, joins ? failTo : end);
    if (joins) end = before;
    if (end > least) this.#push(SHRINK, pc + 6, least, end);
    return end;
  }

  /** How many units a character of the set takes here; 0 where it is not in the set. */
  #inSet(set: CharSet, at: number): number {
    const unit = this.#text.charCodeAt(at);
    if (unit < 0xd800 || unit > 0xdbff) return (set.known[unit] || set.see(unit)) - 1;
    return set.has(this.#text.codePointAt(at) as number) ? 2 : 0;
  }

  /** Drops choices, but keeps what was captured to be undone. */
  #drop(to: number): void {
    const stack = this.#stack;
    let kept = to;
    for (let entry = to; entry < this.#top; entry += ENTRY) {
      if (stack[entry] !== RESTORE) continue;
      stack.copyWithin(kept, entry, entry + ENTRY);
      kept += ENTRY;
    }
    this.#top = kept;
  }

  #behind(pc: number, at: number): boolean {
    const [min, max] = [this.#code[pc + 3], this.#code[pc + 4]];
    // the body ends with a test for the place that it began to look from
    const target = this.#slots.length - 1;
    const outer = this.#slots[target];
    this.#slots[target] = at;
    let found = false;
    let start = at;
    for (let back = 0; back <= max && !found; back++) {
      if (back >= min) {
        this.#count(1);
        const before = this.#top;
        found = this.#run(pc + 5, start) !== -1;
        this.#drop(before);
      }
      if (start === 0) break;
      const unit = this.#text.charCodeAt(start - 1);
      start -= unit >= 0xdc00 && unit < 0xe000 ? 2 : 1;
    }
    this.#slots[target] = outer;
    return found;
  }

  #isPlace(place: Place, at: number): boolean {
    const text = this.#text;
    switch (place) {
      case 'line start':
        return at === 0 || (at < text.length && text.charCodeAt(at - 1) === 10);
      case 'line end':
        return at === text.length || text.charCodeAt(at) === 10;
      case 'start':
        return at === 0;
      case 'end':
        return at === text.length;
      case 'last line end':
        return at === text.length || (at === text.length - 1 && text.charCodeAt(at) === 10);
      case 'search start':
        return at === this.#searchFrom;
      case 'nowhere':
        return false;
      default: {
        const before = at > 0 && isWordBefore(text, at);
        const after = at < text.length && WORD(text.codePointAt(at) as number);
        return (before !== after) === (place === 'word edge');
      }
    }
  }

  #back(groups: readonly number[], fold: boolean, at: number): number {
    for (const group of [...groups].reverse()) {
      const [from, to] = [this.#slots[2 * group], this.#slots[2 * group + 1]];
      if (from < 0 || to < from) continue;
      const [was, is] = [this.#text.slice(from, to), this.#text.slice(at, at + to - from)];
      this.#count(was.length);
      if (was === is || (fold && was.toLowerCase() === is.toLowerCase())) return at + was.length;
      return -1;
    }
    return -1;
  }
}

const WORD = shorthand('w', false) as (point: number) => boolean;

function isWordBefore(text: string, at: number): boolean {
  const unit = text.charCodeAt(at - 1);
  const low = unit >= 0xdc00 && unit < 0xe000 && at > 1;
  return WORD(text.codePointAt(low ? at - 2 : at - 1) as number);
}

/** Writes the instructions of a tree. */
class Builder {
  readonly code: number[] = [];
  readonly sets: CharSet[] = [];
  readonly groupLists: (readonly number[])[] = [];
  slots: number;
  memories = 0;
  /** Whether the end of a repetition alone says if the rest can match. */
  #fixed: boolean;

  constructor(source: string) {
    const { root, groups } = parsePattern(source);
    // 0 and 1 are not used; marks of loops follow, and last the place that a look back began at
    this.slots = 2 * groups + 2;
    this.#fixed = !somewhere(
      root,
      (node) => node.kind === 'back' || (node.kind === 'place' && node.place === 'search start'),
    );
    this.#write(root);
    this.#add(DONE);
    this.slots++;
    for (let i = 0; i < this.#targets.length; i++) this.code[this.#targets[i]] = this.slots - 1;
  }

  readonly #targets: number[] = [];

  #add(...numbers: number[]): number {
    const at = this.code.length;
    this.code.push(...numbers);
    if (this.code.length > MAX_PATTERN_SIZE) {
      throw new PatternError(`its repetitions make more than ${MAX_PATTERN_SIZE} instructions of it`);
    }
    return at;
  }

  #set(test: (point: number) => boolean): number {
    return this.sets.push(new CharSet(test)) - 1;
  }

  #write(node: Node): void {
    switch (node.kind) {
      case 'set':
        if (node.point === undefined) this.#add(SET, this.#set(node.test));
        else for (const unit of String.fromCodePoint(node.point).split('')) this.#add(UNIT, unit.charCodeAt(0));
        return;
      case 'all':
        for (const part of node.parts) this.#write(part);
        return;
      case 'any':
        return this.#any(node.parts);
      case 'loop':
        return this.#loop(node);
      case 'capture':
        this.#add(SAVE, 2 * node.group);
        this.#write(node.body);
        this.#add(SAVE, 2 * node.group + 1);
        return;
      case 'atomic':
        return this.#inner(this.#add(ATOMIC, 0), node.body);
      case 'look':
        return node.behind ? this.#behind(node) : this.#inner(this.#add(LOOK, 0, node.not ? 1 : 0), node.body);
      case 'back':
        this.#add(BACK, this.groupLists.push(node.groups) - 1, node.fold ? 1 : 0);
        return;
      case 'place':
        this.#add(PLACE, PLACES.indexOf(node.place));
        return;
      default:
        this.#add(KEEP);
    }
  }

  #inner(at: number, body: Node): void {
    this.#write(body);
    this.#add(DONE);
    this.code[at + 1] = this.code.length;
  }

  #behind(node: Node & { readonly kind: 'look' }): void {
    const [min, max] = widths(node.body);
    const at = this.#add(BEHIND, 0, node.not ? 1 : 0, min, Math.min(max, MAX_LOOK_BEHIND));
    const fixed = this.#fixed;
    this.#fixed = false;
    this.#write(node.body);
    // must end where the look back began: MOVED goes on to DONE if so
    const test = this.#add(MOVED, 0, 0);
    this.#targets.push(test + 1);
    this.#add(PLACE, PLACES.indexOf('nowhere'));
    this.code[test + 2] = this.code.length;
    this.#add(DONE);
    this.#fixed = fixed;
    this.code[at + 1] = this.code.length;
  }

  #any(parts: readonly Node[]): void {
    const jumps: number[] = [];
    parts.forEach((part, i) => {
      if (i === parts.length - 1) return this.#write(part);
      const split = this.#add(SPLIT, 0, 0);
      this.code[split + 1] = this.code.length;
      this.#write(part);
      jumps.push(this.#add(JUMP, 0));
      this.code[split + 2] = this.code.length;
    });
    for (const jump of jumps) this.code[jump + 1] = this.code.length;
  }

  #loop({ body, min, max, greed }: Node & { readonly kind: 'loop' }): void {
    if (body.kind === 'set') {
      const memory = this.#fixed && max === Infinity && greed !== 'possessive' ? this.memories++ : -1;
      const most = max === Infinity ? 0x7fffffff : max;
      this.#add(RUN, this.#set(body.test), min, most, GREEDS.indexOf(greed), memory);
      return;
    }
    if (greed === 'possessive') {
      return this.#inner(this.#add(ATOMIC, 0), { kind: 'loop', body, min, max, greed: 'greedy' });
    }
    if (greed === 'greedy' && max === Infinity && min < 2 && isRun(body)) {
      // (a*)* is a*, and (a+)* is so, too
      return this.#loop({ ...body, min: min * body.min });
    }
    const empty = widths(body)[0] === 0;
    const fixed = this.#fixed;
    if (empty) this.#fixed = false;
    for (let i = 0; i < min; i++) this.#write(body);
    const split = (): number => this.#add(SPLIT, 0, 0);
    const aim = (at: number, into: number, past: number): void => {
      this.code[at + 1] = greed === 'lazy' ? past : into;
      this.code[at + 2] = greed === 'lazy' ? into : past;
    };
    if (max === Infinity) {
      const at = split();
      const into = this.code.length;
      const slot = empty ? this.slots++ : 0;
      if (empty) this.#add(MARK, slot);
      this.#write(body);
      const moved = empty ? this.#add(MOVED, slot, 0) : -1;
      this.#add(JUMP, at);
      if (moved !== -1) this.code[moved + 2] = this.code.length;
      aim(at, into, this.code.length);
    } else {
      const splits: number[] = [];
      for (let i = min; i < max; i++) {
        splits.push(split());
        this.#write(body);
      }
      for (const at of splits) aim(at, at + 3, this.code.length);
    }
    this.#fixed = fixed;
  }
}

/** Whether a part is a repetition of one set of characters without a bound. */
function isRun(node: Node): node is Node & { readonly kind: 'loop' } {
  return node.kind === 'loop' && node.greed === 'greedy' && node.max === Infinity && node.min < 2 &&
    node.body.kind === 'set';
}

/** Characters that a look back goes back at most, for a body without a bound of its own. */
const MAX_LOOK_BEHIND = 1 << 16;

/** How many characters a part takes at least and at most. */
function widths(node: Node): readonly [number, number] {
  switch (node.kind) {
    case 'set':
      return [1, 1];
    case 'all': {
      const each = node.parts.map(widths);
      return [each.reduce((sum, [min]) => sum + min, 0), each.reduce((sum, [, max]) => sum + max, 0)];
    }
    case 'any': {
      const each = node.parts.map(widths);
      return [Math.min(...each.map(([min]) => min)), Math.max(...each.map(([, max]) => max))];
    }
    case 'loop': {
      const [min, max] = widths(node.body);
      return [min * node.min, max === 0 ? 0 : max * node.max];
    }
    case 'capture':
    case 'atomic':
      return widths(node.body);
    case 'back':
      return [0, Infinity];
    default:
      return [0, 0];
  }
}

function somewhere(node: Node, is: (node: Node) => boolean): boolean {
  if (is(node)) return true;
  if (node.kind === 'all' || node.kind === 'any') return node.parts.some((part) => somewhere(part, is));
  return 'body' in node && somewhere(node.body, is);
}
