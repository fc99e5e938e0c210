/**
 * How byte-level vocabularies cut a text into words before merging: one list of patterns for each
 * `tokenizer.ggml.pre`. Each pattern is applied to what the one before has left; what lies between matches is a word, too.
 * @module
 */
import { TokenizerError } from '../errors.ts';
import { refuse } from './vocabulary.ts';

/** A way to cut text. */
export interface PreTokenizer {
  readonly patterns: readonly string[];
  /** A word that is a piece as it stands is taken without merging. */
  readonly wholeWords?: boolean;
  /** bos stands before a text unless the file says otherwise. */
  readonly addBos?: boolean;
  /** bos … eos stand around a text unless the file says otherwise. */
  readonly addSep?: boolean;
}

const CONTRACTIONS = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const SPACES = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
const LLAMA3 = `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`;
const QWEN2 = `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`;
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const CASED = (ending: string): string =>
  `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${ending}|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${ending}`;

const gpt2: PreTokenizer = { patterns: [GPT2] };
const llama3: PreTokenizer = { patterns: [LLAMA3], wholeWords: true, addBos: true };
const qwen2: PreTokenizer = { patterns: [QWEN2] };
const starcoder: PreTokenizer = { patterns: ['\\p{N}', GPT2] };

const TABLE: ReadonlyMap<string, PreTokenizer> = new Map<string, PreTokenizer>([
  ['default', { patterns: ['[\\p{P}\\$\\+<=>\\^~\\|]+', GPT2, '\\p{N}+', '[0-9][0-9][0-9]'] }],
  ['falcon', { patterns: ['[\\p{P}\\$\\+<=>\\^~\\|`]+', GPT2, '[0-9][0-9][0-9]'] }],
  ...names(
    gpt2,
    'gpt-2',
    'phi-2',
    'mpt',
    'olmo',
    'jais',
    'trillion',
    'exaone4',
    'modern-bert',
    'gigachat',
    'a.x-4.0',
    'mellum',
  ),
  ...names({ ...gpt2, addSep: true }, 'jina-v1-en', 'jina-v2-code', 'roberta-bpe'),
  ...names(llama3, 'llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'falcon-h1', 'pixtral', 'lfm2', 'midm-2.0'),
  ...names({ patterns: [LLAMA3] }, 'dbrx', 'smaug-bpe', 'chatglm-bpe', 'glm4'),
  ...names(qwen2, 'qwen2', 'deepseek-r1-qwen', 'stablelm2', 'megrez', 'hunyuan', 'solar-open', 'grok-2'),
  ...names(starcoder, 'starcoder', 'refact', 'command-r', 'smollm', 'codeshell', 'exaone', 'minerva-7b'),
  [
    'tekken',
    { patterns: [`${CASED('')}|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`], wholeWords: true, addBos: true },
  ],
  ...names(
    { patterns: [`${CASED(`${CONTRACTIONS}?`)}|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`] },
    'gpt-4o',
    'llama4',
    'kanana2',
  ),
]);

function names(way: PreTokenizer, ...which: string[]): [string, PreTokenizer][] {
  return which.map((name) => [name, way]);
}

/** The names that `tokenizer.ggml.pre` may have. */
function knownPreTokenizers(): string[] {
  return [...TABLE.keys()];
}

/**
 * The way of a `tokenizer.ggml.pre`.
 * @throws {TokenizerError} `TOKENIZER`, naming the known ones: with a wrong pattern a model would see
 * other words than it was trained on
 */
export function preTokenizer(name: string, file: string): PreTokenizer {
  return (
    TABLE.get(name) ??
      refuse(
        file,
        `tokenizer.ggml.pre "${name.slice(0, 40)}" is not known; known are ${knownPreTokenizers().join(', ')}`,
      )
  );
}

/** A function that cuts a text into words by the patterns. */
export function splitter(patterns: readonly string[]): (text: string) => string[] {
  // JavaScript's \s has U+FEFF and lacks U+0085; the originals mean the Unicode property.
  const regexes = patterns.map(
    (pattern) => new RegExp(pattern.replaceAll('\\s', '\\p{White_Space}').replaceAll('\\S', '\\P{White_Space}'), 'gu'),
  );
  return (text) => {
    let words = [text];
    try {
      for (const regex of regexes) {
        words = words.length === 1 ? split(words[0], regex) : words.flatMap((word) => split(word, regex));
      }
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new TokenizerError(
        'TEXT_TOO_LONG',
        'a run of text without a break exceeds what this host can match; encode it in parts',
        { cause },
      );
    }
    return words;
  };
}

function split(text: string, regex: RegExp): string[] {
  const words: string[] = [];
  let end = 0;
  for (const match of text.matchAll(regex)) {
    if (match.index > end) words.push(text.slice(end, match.index));
    if (match[0] !== '') words.push(match[0]);
    end = match.index + match[0].length;
  }
  if (end < text.length) words.push(text.slice(end));
  return words;
}
