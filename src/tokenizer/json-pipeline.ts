/**
 * The steps of a tokenizer.json that text runs through before it is merged, and what is refused of them.
 * @module
 */
import { Tokenizer as Pipeline } from '@huggingface/tokenizers';
import { Charsmap } from './charsmap.ts';
import type { Json } from './json.ts';
import { Trie } from './pairs.ts';
import { refuse } from './vocabulary.ts';
import { cleanBert } from './wordpiece.ts';

const MAX_STEPS = 64;
const MAX_PATTERN_CHARS = 4096;

/** The steps of a normaliser or pre-tokenizer, sequences laid flat. */
function flatten(step: unknown, name: string): Json[] {
  const flat: Json[] = [];
  const open: unknown[] = [step];
  while (open.length > 0) {
    const next = open.shift();
    if (next === null || next === undefined) continue;
    if (typeof next !== 'object') refuse(name, 'a step of the pipeline is not an object');
    const { type, normalizers, pretokenizers } = next as Json;
    const inner = normalizers ?? pretokenizers;
    if (type === 'Sequence' && Array.isArray(inner)) open.unshift(...inner);
    else flat.push(next as Json);
    if (flat.length + open.length > MAX_STEPS) refuse(name, `the pipeline has more than ${MAX_STEPS} steps`);
  }
  return flat;
}

/**
 * Refuses patterns that could run for ever on some text, and ways of splitting that the library does not know.
 * @throws {TokenizerError} `TOKENIZER`
 */
export function checkPatterns(preTokenizer: unknown, name: string): void {
  for (const step of flatten(preTokenizer, name)) {
    checkPattern(step.pattern, name);
    const behavior = String(step.behavior ?? 'isolated').toLowerCase();
    if (step.type === 'Split' && behavior !== 'isolated' && behavior !== 'removed') {
      refuse(name, `splitting with the behaviour ${behavior.slice(0, 40)} is not supported`);
    }
  }
}

/** As `checkPatterns`, for the normaliser. */
export function checkNormalizers(config: unknown, name: string): void {
  for (const step of flatten(config, name)) checkPattern(step.pattern, name);
}

function checkPattern(pattern: unknown, name: string): void {
  if (typeof pattern !== 'object' || pattern === null) return;
  const source = (pattern as Json).Regex;
  if (source === undefined) return;
  if (typeof source !== 'string' || source.length > MAX_PATTERN_CHARS) refuse(name, `a pattern is no text of at most ${MAX_PATTERN_CHARS} characters`);
  if (runsAway(source)) refuse(name, `the pattern ${source.slice(0, 60)} repeats what repeats; on some texts it would not end`);
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
 */
export function normalizer(config: unknown, name: string): (text: string) => string {
  const none = new Trie([]);
  const steps = flatten(config, name).map((step): ((text: string) => string) => {
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
    return librarian(step, name);
  });
  return (text) => steps.reduce((so, step) => step(so), text);
}

function librarian(step: Json, name: string): (text: string) => string {
  try {
    const { normalizer: its } = new Pipeline(
      {
        normalizer: step,
        pre_tokenizer: null,
        post_processor: null,
        decoder: null,
        added_tokens: [],
        model: { type: 'WordPiece', vocab: { '[UNK]': 0 }, unk_token: '[UNK]' },
      },
      {},
    );
    return (text) => its?.normalize(text) ?? text;
  } catch (cause) {
    return refuse(name, `the normaliser ${JSON.stringify(step.type)?.slice(0, 40)} is not supported: ${String(cause)}`);
  }
}

function decodeBase64(text: string, name: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return refuse(name, 'the character map is not base64');
  }
}
