/**
 * The steps of a tokenizer.json around merging, and what is refused of them.
 * @module
 */
import * as library from '@huggingface/tokenizers';
import { TokenizerError } from '../errors.ts';
import { Charsmap } from './charsmap.ts';
import type { Json } from './json.ts';
import { Trie } from './pairs.ts';
import { refuse } from './vocabulary.ts';
import { cleanBert } from './wordpiece.ts';

const MAX_STEPS = 64;
const MAX_PATTERN_CHARS = 4096;

/** The steps of a normaliser, pre-tokenizer or post-processor, sequences laid flat. */
function flatten(step: unknown, name: string): Json[] {
  const flat: Json[] = [];
  const open: unknown[] = [step];
  while (open.length > 0) {
    const next = open.shift();
    if (next === null || next === undefined) continue;
    if (typeof next !== 'object') refuse(name, 'a step of the pipeline is not an object');
    const { type, normalizers: normal, pretokenizers: pre, processors } = next as Json;
    const inner = normal ?? pre ?? processors;
    if (type === 'Sequence' && Array.isArray(inner)) open.unshift(...inner);
    else flat.push(next as Json);
    if (flat.length + open.length > MAX_STEPS) refuse(name, `the pipeline has more than ${MAX_STEPS} steps`);
  }
  return flat;
}

function checkPattern(pattern: unknown, name: string): void {
  if (typeof pattern !== 'object' || pattern === null) return;
  const source = (pattern as Json).Regex;
  if (source === undefined) return;
  if (typeof source !== 'string' || source.length > MAX_PATTERN_CHARS) {
    refuse(name, `a pattern is no text of at most ${MAX_PATTERN_CHARS} characters`);
  }
  if (runsAway(source)) {
    refuse(name, `the pattern ${source.slice(0, 60)} repeats what repeats; on some texts it would not end`);
  }
}

/** Whether a repeated group has a repetition within, or the pattern refers back: the ways to exponential time. */
function runsAway(source: string): boolean {
  if (/\\[1-9]|\\k</.test(source)) return true;
  const groups: boolean[] = [false];
  for (let i = 0; i < source.length; i++) {
    const character = source[i];
    if (character === '\\') {
      i++;
    } else if (character === '[') {
      for (let depth = 1, first = ++i; i < source.length; i++) {
        if (source[i] === '\\') i++;
        else if (source[i] === '[') depth++;
        else if (source[i] === ']' && i > first && --depth === 0) break;
      }
    } else if (character === '(') {
      groups.push(false);
    } else if (character === ')') {
      const repeats = groups.pop() ?? false;
      if (repeats && /^([*+]|\{\d*,\}|\{\d*,?\d\d)/.test(source.slice(i + 1, i + 12))) return true;
      if (repeats) groups[groups.length - 1] = true;
    } else if (character === '*' || character === '+' || /^\{\d*,\}/.test(source.slice(i, i + 12))) {
      groups[groups.length - 1] = true;
    }
  }
  return false;
}

/**
 * A function that normalises text. Compiled character maps and BERT's cleaning are done here, since they must give
 * the same on every engine and for every plane; the library does the rest.
 * @throws {TokenizerError} `TOKENIZER` for a step that is not known
 */
export function normalizer(config: unknown, name: string): (text: string) => string {
  const none = new Trie([]);
  const steps = flatten(config, name).map((step): (text: string) => string => {
    if (step.type === 'Precompiled') {
      if (typeof step.precompiled_charsmap !== 'string') return (text) => text;
      const map = new Charsmap(decodeBase64(step.precompiled_charsmap, name), name);
      return (text) => map.normalise(text, none);
    }
    if (step.type === 'BertNormalizer') {
      const lowercase = step.lowercase !== false;
      const stripAccents = typeof step.strip_accents === 'boolean' ? step.strip_accents : lowercase;
      const [cleanText, handleChinese] = [step.clean_text !== false, step.handle_chinese_chars !== false];
      return (text) => cleanBert(text, { cleanText, handleChinese, stripAccents, lowercase });
    }
    checkPattern(step.pattern, name);
    const its = openStep(step, normalizers(), 'normaliser', name);
    return (text) => its.normalize(text);
  });
  return (text) => steps.reduce((so, step) => step(so), text);
}

/** A step of the library. Only the classes named here are bundled. */
interface Step {
  normalize(text: string): string;
  pre_tokenize(text: string | readonly string[], options: { section_index: number }): string[];
}
/** The library's own declarations do not resolve under Node's rules for modules. */
type Classes = Readonly<Record<string, new (config: Json) => Step>>;

function normalizers(): Classes {
  return {
    NFC: (library as unknown as Classes).NFCNormalizer,
    NFD: (library as unknown as Classes).NFDNormalizer,
    NFKC: (library as unknown as Classes).NFKCNormalizer,
    NFKD: (library as unknown as Classes).NFKDNormalizer,
    Replace: (library as unknown as Classes).ReplaceNormalizer,
    Strip: (library as unknown as Classes).StripNormalizer,
    StripAccents: (library as unknown as Classes).StripAccentsNormalizer,
    Lowercase: (library as unknown as Classes).LowercaseNormalizer,
    Prepend: (library as unknown as Classes).PrependNormalizer,
  };
}

function preTokenizers(): Classes {
  return {
    ByteLevel: (library as unknown as Classes).ByteLevelPreTokenizer,
    Whitespace: (library as unknown as Classes).WhitespacePreTokenizer,
    WhitespaceSplit: (library as unknown as Classes).WhitespaceSplitPreTokenizer,
    Metaspace: (library as unknown as Classes).MetaspacePreTokenizer,
    Split: (library as unknown as Classes).SplitPreTokenizer,
    Punctuation: (library as unknown as Classes).PunctuationPreTokenizer,
    Digits: (library as unknown as Classes).DigitsPreTokenizer,
    BertPreTokenizer: (library as unknown as Classes).BertPreTokenizer,
  };
}

function openStep(step: Json, known: Classes, what: string, name: string): Step {
  const type = String(step.type);
  if (!Object.hasOwn(known, type)) {
    refuse(name, `the ${what} "${type.slice(0, 40)}" is not supported; ${Object.keys(known).join(', ')} are`);
  }
  try {
    return new known[type](step);
  } catch (cause) {
    return refuse(name, `the ${what} ${type} is not supported as it is set: ${String(cause)}`);
  }
}

/**
 * A function that cuts normalised text into words.
 * @throws {TokenizerError} `TOKENIZER` for a step that is not known, or a pattern that could run for ever on some text
 */
export function cutter(config: unknown, name: string): (text: string, start: boolean) => string[] {
  const steps = flatten(config, name).map((step) => {
    checkPattern(step.pattern, name);
    const behavior = String(step.behavior ?? 'isolated').toLowerCase();
    if (step.type === 'Split' && behavior !== 'isolated' && behavior !== 'removed') {
      refuse(name, `splitting with the behaviour ${behavior.slice(0, 40)} is not supported`);
    }
    return openStep(step, preTokenizers(), 'pre-tokenizer', name);
  });
  return (text, start) => {
    try {
      return steps.reduce((words, step) => step.pre_tokenize(words, { section_index: start ? 0 : 1 }), [text]);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new TokenizerError(
        'TEXT_TOO_LONG',
        'a run of text without a break exceeds what this host can match; encode it in parts',
        { cause },
      );
    }
  };
}

/**
 * The pieces that a post-processor puts before and after a text.
 * @throws {TokenizerError} `TOKENIZER` for one that is not known or malformed
 */
export function frame(config: unknown, name: string): [prefix: string[], suffix: string[]] {
  const around: [string[], string[]] = [[], []];
  for (const step of flatten(config, name)) {
    const [prefix, suffix] = frameStep(step, name);
    around[0].unshift(...prefix);
    around[1].push(...suffix);
  }
  return around;
}

function frameStep(step: Json, name: string): [string[], string[]] {
  const piece = (value: unknown): string => {
    const text = Array.isArray(value) ? (value as unknown[])[0] : value;
    return typeof text === 'string'
      ? text
      : refuse(name, `the post-processor ${String(step.type).slice(0, 40)} lacks a piece`);
  };
  if (step.type === 'ByteLevel') return [[], []];
  if (step.type === 'BertProcessing' || step.type === 'RobertaProcessing') {
    return [[piece(step.cls)], [piece(step.sep)]];
  }
  if (step.type !== 'TemplateProcessing' || !Array.isArray(step.single)) {
    refuse(
      name,
      `the post-processor "${String(step.type).slice(0, 40)}" is not supported; ` +
        'TemplateProcessing, BertProcessing, RobertaProcessing and ByteLevel are',
    );
  }
  const sides: [string[], string[]] = [[], []];
  let side = 0;
  for (const item of step.single as Json[]) {
    if (item?.Sequence !== undefined) side = 1;
    else sides[side].push(piece((item?.SpecialToken as Json | undefined)?.id));
  }
  return sides;
}

function decodeBase64(text: string, name: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return refuse(name, 'the character map is not base64');
  }
}
