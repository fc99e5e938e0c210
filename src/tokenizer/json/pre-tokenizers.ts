/**
 * The pre-tokenizers of a tokenizer.json: how normalised text is cut into words.
 * @module
 */
import { spellWord } from '../bytelevel.ts';
import { Pattern } from '../onig/machine.ts';
import { isPunctuation, isSpace, isWord } from '../unicode.ts';
import { refuse } from '../vocabulary.ts';
import type { Normal } from './normalizers.ts';
import { scriptOf } from './scripts.ts';
import { character, count, type Finder, finder, flag, type Json, label, readSteps, shown, words } from './steps.ts';

/** One step: what is done to a word before it is cut, where it is cut (start and end of each part), and what is done after. */
interface Step {
  readonly before?: (word: Normal) => Normal;
  readonly cut?: Finder;
  readonly after?: (word: string) => string;
}

/**
 * A function that cuts a text into words, in order.
 * @throws {TokenizerError} `TOKENIZER` for a step that is not known or malformed
 */
export function cutter(config: unknown, name: string): (text: Normal) => readonly string[] {
  const steps = readSteps(config, { what: 'pre-tokenizer', list: 'pretokenizers', makers: MAKERS }, name)
    .flatMap(({ made }) => made);
  // of these only a Metaspace asks where a word comes from
  const origins = steps.some(({ before }) => before);
  return origins ? (text) => cutWithOrigins(text, steps) : ({ text }) => {
    let now = [text];
    for (const { cut, after } of steps) {
      if (cut) now = now.length === 1 ? parts(now[0], cut) : now.flatMap((word) => parts(word, cut));
      if (after) now = now.map(after);
    }
    return now;
  };
}

function parts(word: string, cut: Finder): string[] {
  const bounds = cut(word);
  if (bounds.length === 2 && bounds[0] === 0 && bounds[1] === word.length) return [word];
  const out: string[] = [];
  for (let i = 0; i < bounds.length; i += 2) {
    if (bounds[i + 1] > bounds[i]) out.push(word.slice(bounds[i], bounds[i + 1]));
  }
  return out;
}

function cutWithOrigins(start: Normal, steps: readonly Step[]): string[] {
  let now = [start];
  for (const { before, cut, after } of steps) {
    const next: Normal[] = [];
    for (const word of now) {
      const { text, origin } = before ? before(word) : word;
      const bounds = cut ? cut(text) : [0, text.length];
      for (let i = 0; i < bounds.length; i += 2) {
        const [from, to] = [bounds[i], bounds[i + 1]];
        if (to === from) continue;
        const part = text.slice(from, to);
        const its = Math.max(0, Math.min(origin, to) - from);
        next.push({
          text: after ? after(part) : part,
          origin: after && its > 0 ? after(part.slice(0, its)).length : its,
        });
      }
    }
    now = next;
  }
  return now.map(({ text }) => text);
}

/** What becomes of what separates: named as in the file, in either spelling. */
type Behaviour = 'removed' | 'isolated' | 'mergedwithprevious' | 'mergedwithnext' | 'contiguous';
const BEHAVIOURS: readonly string[] = ['removed', 'isolated', 'mergedwithprevious', 'mergedwithnext', 'contiguous'];

function behaviour(step: Json, name: string, usual?: string): Behaviour {
  const value = words(step, 'behavior', name, usual).toLowerCase().replaceAll('_', '');
  if (!BEHAVIOURS.includes(value)) {
    refuse(name, `behavior of ${label(step)} is ${shown(step.behavior)}; ${BEHAVIOURS.join(', ')} are known`);
  }
  return value as Behaviour;
}

/**
 * Cuts at what `find` finds.
 * @param invert what lies between is what separates
 */
function splitting(find: Finder, how: Behaviour, invert: boolean = false): Finder {
  return (text) => {
    if (text === '') return [];
    const found = find(text);
    // all stretches in order, with those that separate told apart by their index
    const bounds: number[] = [];
    const separates: boolean[] = [];
    let end = 0;
    for (let i = 0; i < found.length; i += 2) {
      if (found[i] > end) {
        bounds.push(end, found[i]);
        separates.push(invert);
      }
      bounds.push(found[i], found[i + 1]);
      separates.push(!invert);
      end = found[i + 1];
    }
    if (end < text.length) {
      bounds.push(end, text.length);
      separates.push(invert);
    }
    return how === 'isolated'
      ? bounds
      : how === 'mergedwithnext'
      ? mergeNext(bounds, separates)
      : merge(bounds, separates, how);
  };
}

function merge(bounds: readonly number[], separates: readonly boolean[], how: Behaviour): number[] {
  const out: number[] = [];
  let before = false;
  separates.forEach((is, i) => {
    const [from, to] = [bounds[2 * i], bounds[2 * i + 1]];
    const joins = how === 'contiguous' ? is === before : how === 'mergedwithprevious' && is && !before;
    before = is;
    if (how === 'removed' && is) return;
    if (joins && out.length > 0) out[out.length - 1] = to;
    else out.push(from, to);
  });
  return out;
}

function mergeNext(bounds: readonly number[], separates: readonly boolean[]): number[] {
  const out: number[] = [];
  let after = false;
  for (let i = separates.length - 1; i >= 0; i--) {
    const is = separates[i];
    if (is && !after && out.length > 0) out[out.length - 1] = bounds[2 * i];
    else out.push(bounds[2 * i + 1], bounds[2 * i]);
    after = is;
  }
  return out.reverse();
}

/** Each character of a kind is a match. */
function each(is: (point: number) => boolean): Finder {
  const known = new Uint8Array(0x10000);
  return (text) => {
    const found: number[] = [];
    for (let at = 0; at < text.length;) {
      const unit = text.charCodeAt(at);
      const wide = unit >= 0xd800 && unit < 0xdc00;
      const next = at + (wide ? 2 : 1);
      const yes = wide ? is(text.codePointAt(at) as number) : (known[unit] || (known[unit] = is(unit) ? 2 : 1)) === 2;
      if (yes) found.push(at, next);
      at = next;
    }
    return found;
  };
}

const NUMERIC = /\p{N}/u;
const numeric = (point: number): boolean => NUMERIC.test(String.fromCodePoint(point));
const atSpaces = (): Finder => splitting(each(isSpace), 'removed');
/** As GPT-2 cuts text. */
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const MAKERS: Readonly<Record<string, (step: Json, name: string) => Step | readonly Step[]>> = {
  ByteLevel: byteLevel,
  Whitespace: () => ({ cut: wordsAndMarks() }),
  WhitespaceSplit: () => ({ cut: atSpaces() }),
  BertPreTokenizer: () => [{ cut: atSpaces() }, { cut: splitting(each(isPunctuation), 'isolated') }],
  Metaspace: metaspace,
  Punctuation: (step, name) => ({ cut: splitting(each(isPunctuation), behaviour(step, name, 'isolated')) }),
  Digits: (step, name) => ({
    cut: splitting(each(numeric), flag(step, 'individual_digits', false, name) ? 'isolated' : 'contiguous'),
  }),
  Split: (step, name) => ({
    cut: splitting(finder(step, name), behaviour(step, name), flag(step, 'invert', false, name)),
  }),
  CharDelimiterSplit: (step, name) => {
    const point = character(step, 'delimiter', name).codePointAt(0);
    return { cut: splitting(each((one) => one === point), 'removed') };
  },
  UnicodeScripts: () => ({ cut: byScript }),
  FixedLength: (step, name) => {
    const length = count(step, 'length', 1, name, 5);
    return { cut: (text) => inPieces(text, length) };
  },
};

function byteLevel(step: Json, name: string): Step {
  const encoder = new TextEncoder();
  const pattern = flag(step, 'use_regex', true, name) ? new Pattern(GPT2) : null;
  return {
    ...(flag(step, 'add_prefix_space', true, name) && { before: (word: Normal) => prefixed(word, ' ') }),
    ...(pattern && { cut: splitting((text) => pattern.matches(text), 'isolated') }),
    after: (word) => spellWord(word, encoder),
  };
}

/** The word with `first` before it unless it begins with that; the new characters come from where the first one does. */
function prefixed({ text, origin }: Normal, first: string): Normal {
  if (text === '' || text.startsWith(first)) return { text, origin };
  return { text: first + text, origin: origin === 0 ? 0 : origin + first.length };
}

function metaspace(step: Json, name: string): Step {
  const mark = character(step, 'replacement', name);
  const scheme = words(step, 'prepend_scheme', name, step.add_prefix_space === false ? 'never' : 'always');
  if (!['first', 'never', 'always'].includes(scheme) || (step.add_prefix_space === false && scheme !== 'never')) {
    refuse(
      name,
      `prepend_scheme ${shown(scheme)} of a Metaspace is not first, never or always, as add_prefix_space demands`,
    );
  }
  const marks: Finder = (text) => {
    const found: number[] = [];
    for (let at = text.indexOf(mark); at !== -1; at = text.indexOf(mark, at + mark.length)) {
      found.push(at, at + mark.length);
    }
    return found;
  };
  return {
    before: (word) => {
      const { text, origin } = word;
      const marked = {
        text: text.replaceAll(' ', mark),
        origin: mark.length === 1 || origin === 0 ? origin : text.slice(0, origin).replaceAll(' ', mark).length,
      };
      return scheme === 'always' || (scheme === 'first' && origin > 0) ? prefixed(marked, mark) : marked;
    },
    ...(flag(step, 'split', true, name) && { cut: splitting(marks, 'mergedwithnext') }),
  };
}

/** Runs of word characters, and runs of what is neither that nor white space. */
function wordsAndMarks(): Finder {
  const known = new Uint8Array(0x10000);
  const kindOf = (point: number): number => isWord(point) ? 1 : isSpace(point) ? 2 : 3;
  return (text) => {
    const found: number[] = [];
    let before = 2;
    for (let at = 0; at < text.length;) {
      const unit = text.charCodeAt(at);
      const wide = unit >= 0xd800 && unit < 0xdc00;
      const kind = wide ? kindOf(text.codePointAt(at) as number) : known[unit] || (known[unit] = kindOf(unit));
      const next = at + (wide ? 2 : 1);
      if (kind !== 2 && kind === before) found[found.length - 1] = next;
      else if (kind !== 2) found.push(at, next);
      before = kind;
      at = next;
    }
    return found;
  };
}

/** From each change of script on. What comes before the first character of a script is left out, as in the original. */
function byScript(text: string): number[] {
  const bounds: number[] = [];
  let last: string | undefined;
  let at = 0;
  for (const one of text) {
    const script = scriptOf(one.codePointAt(0) as number);
    if (script !== undefined && script !== last) {
      if (bounds.length > 0) bounds.push(at);
      bounds.push(at);
      last = script;
    }
    at += one.length;
  }
  if (bounds.length > 0) bounds.push(text.length);
  return bounds;
}

function inPieces(text: string, length: number): number[] {
  const bounds: number[] = [];
  let at = 0;
  let left = length;
  let from = 0;
  for (const one of text) {
    at += one.length;
    if (--left > 0) continue;
    bounds.push(from, at);
    from = at;
    left = length;
  }
  if (from < text.length) bounds.push(from, text.length);
  return bounds;
}
