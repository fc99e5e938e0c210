/**
 * The normalisers of a tokenizer.json.
 * @module
 */
import { TokenizerError } from '../../errors.ts';
import { MAX_NORMAL_GROWTH, MAX_TEXT_CHARS } from '../../limits.ts';
import { spellBytes } from '../bytelevel.ts';
import { Charsmap } from '../charsmap.ts';
import { isCombining, isSpace, lowercase, normalForm, without } from '../unicode.ts';
import { refuse } from '../vocabulary.ts';
import { cleanBert } from '../wordpiece.ts';
import { type Finder, finder, flag, type Json, type Part, readSteps, replaced, words } from './steps.ts';

/** A text on its way, and how many of its units at the beginning come from the first character of the whole text. */
export interface Normal {
  readonly text: string;
  readonly origin: number;
}

/** One step. Without `origin`, units keep their order, so that the step of the beginning alone says how long it becomes. */
interface Step {
  readonly apply: (text: string) => string;
  readonly origin?: (before: Normal, after: string) => number;
}

/**
 * A function that normalises.
 * @throws {TokenizerError} `TOKENIZER` for a step that is not known or malformed
 */
export function normalizer(config: unknown, name: string): (before: Normal) => Normal {
  const steps = readSteps(config, PART, name).map(({ made }) => made);
  if (steps.length === 0) return (before) => before;
  return (before) => {
    const most = MAX_TEXT_CHARS + MAX_NORMAL_GROWTH * before.text.length;
    let now = before;
    for (const { apply, origin } of steps) {
      const text = apply(now.text);
      if (text.length > most) {
        throw new TokenizerError(
          'TEXT_TOO_LONG',
          `normalising makes ${text.length} characters of ${before.text.length}, at most ${most} are accepted`,
        );
      }
      const kept = now.origin === 0 ? 0 : origin ? origin(now, text) : apply(now.text.slice(0, now.origin)).length;
      now = { text, origin: kept };
    }
    return now;
  };
}

const MAKERS: Readonly<Record<string, (step: Json, name: string) => Step>> = {
  NFC: () => ({ apply: (text) => normalForm(text, 'NFC') }),
  NFD: () => ({ apply: (text) => normalForm(text, 'NFD') }),
  NFKC: () => ({ apply: (text) => normalForm(text, 'NFKC') }),
  NFKD: () => ({ apply: (text) => normalForm(text, 'NFKD') }),
  Lowercase: () => ({ apply: lowercase }),
  StripAccents: () => ({ apply: (text) => without(text, isCombining) }),
  Strip: (step, name) => strip(flag(step, 'strip_left', true, name), flag(step, 'strip_right', true, name)),
  Prepend: (step, name) => {
    const first = words(step, 'prepend', name);
    return {
      apply: (text) => text === '' ? '' : first + text,
      origin: (before) => first.length + before.origin,
    };
  },
  Replace: (step, name) => replace(finder(step, name), words(step, 'content', name)),
  BertNormalizer: bert,
  Nmt: () => ({ apply: nmt }),
  ByteLevel: () => ({ apply: (text) => spellBytes(new TextEncoder().encode(text)) }),
  Precompiled: (step, name) => {
    if (step.precompiled_charsmap === null || step.precompiled_charsmap === undefined) return { apply: (text) => text };
    const map = new Charsmap(decodeBase64(words(step, 'precompiled_charsmap', name), name), name);
    return { apply: (text) => map.byGraphemes(text) };
  },
};

const PART: Part<Step> = {
  what: 'normaliser',
  list: 'normalizers',
  makers: MAKERS,
  guesses: [
    ['BertNormalizer', 'clean_text', 'handle_chinese_chars', 'lowercase'],
    ['Strip', 'strip_left', 'strip_right'],
    ['Sequence', 'normalizers'],
    ['Precompiled', 'precompiled_charsmap'],
    ['Replace', 'pattern', 'content'],
    ['Prepend', 'prepend'],
  ],
};

function strip(left: boolean, right: boolean): Step {
  const start = (text: string): number => {
    let at = 0;
    while (at < text.length && isSpace(text.charCodeAt(at))) at++;
    return at;
  };
  return {
    apply: (text) => {
      const from = left ? start(text) : 0;
      let to = text.length;
      if (right) { while (to > from && isSpace(text.charCodeAt(to - 1))) to--; }
      return text.slice(from, to);
    },
    origin: (before, after) => Math.min(after.length, Math.max(0, before.origin - (left ? start(before.text) : 0))),
  };
}

/** What replaces a match counts as coming from the match's last character. */
function replace(find: Finder, content: string): Step {
  return {
    apply: (text) => replaced(text, find(text), content),
    origin: (before) => {
      let units = before.origin;
      const found = find(before.text);
      for (let i = 0; i < found.length && found[i] <= before.origin; i += 2) {
        units -= Math.max(0, Math.min(found[i + 1], before.origin) - found[i]);
        if (found[i + 1] <= before.origin) units += content.length;
      }
      return units;
    },
  };
}

/** A text without control characters. */
const NOTHING_TO_DO = /^[ -~\n]*$/;
const NMT_SPACES = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g;

/** Without control characters but U+0000 and those of a newer table than the original's; what is much like a space becomes one. */
function nmt(text: string): string {
  const isControl = (unit: number): boolean =>
    (unit > 0 && unit < 9) || unit === 11 || (unit > 13 && unit < 32) || unit === 0x7f || unit === 0x8f ||
    unit === 0x9f;
  return without(text, isControl, NOTHING_TO_DO).replace(NMT_SPACES, ' ');
}

function bert(step: Json, name: string): Step {
  const lower = flag(step, 'lowercase', true, name);
  const [clean, chinese] = [flag(step, 'clean_text', true, name), flag(step, 'handle_chinese_chars', true, name)];
  const accents = flag(step, 'strip_accents', lower, name);
  const how = { cleanText: clean, handleChinese: chinese, stripAccents: accents, lowercase: lower };
  return { apply: (text) => cleanBert(text, how) };
}

function decodeBase64(text: string, name: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (unit) => unit.charCodeAt(0));
  } catch {
    return refuse(name, 'the character map is not base64');
  }
}
