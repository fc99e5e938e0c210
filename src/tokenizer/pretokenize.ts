/**
 * How byte-level vocabularies cut a text into words before merging: one list of patterns for each
 * `tokenizer.ggml.pre`. Each pattern is applied to what the one before has left; what lies between matches is a word, too.
 * @module
 */
import { TokenizerError } from '../errors.ts';

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

/** Endings that are words of their own, in either case. */
export const CONTRACTIONS: string = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const SPACES = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
/** The pattern of GPT-2. */
export const GPT2: string = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
const LLAMA3 = `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`;
const QWEN2 = `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`;
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const CASED = (ending: string): string =>
  `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${ending}|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${ending}`;

/** Cased letters, as DeepSeek lists them. Those that normalisation would change are written by number. */
const LETTERS =
  '[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝ\\u1f5f-\\u1f7d' +
  'ᾀ-ᾴᾶ-ᾼ\\u1fbeῂ-ῄῆ-ῌ\\u1fd0-\\u1fd3\\u1fd6-\\u1fdb\\u1fe0-\\u1fecῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\\u2126ℨ\\u212a-\\u212dℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤ' +
  'Ⳬ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]';
const DEEPSEEK_CJK = '[一-龥ࠀ-一가-퟿]+';
const DEEPSEEK3 = '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|' +
  `[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${SPACES}`;
const BLOOM = ' ?[^(\\s|.,!?…。，、।۔،)]+';
/** Words as of GPT-4o, of letters of other scripts than Han. */
const KIMI = `\\p{Script=Han}+|${
  CASED(`${CONTRACTIONS}?`)
    .replaceAll(UPPER, `(?:(?!\\p{Script=Han})${UPPER})`)
    .replaceAll(LOWER, `(?:(?!\\p{Script=Han})${LOWER})`)
}|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`;

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
    'granite-docling',
    'jina-es',
    'jina-de',
    'jina-v2-es',
    'jina-v2-de',
  ),
  ...names({ ...gpt2, addSep: true }, 'jina-v1-en', 'jina-v2-code', 'roberta-bpe'),
  ...names(
    llama3,
    'llama-bpe',
    'llama3',
    'llama-v3',
    'falcon3',
    'falcon-h1',
    'pixtral',
    'lfm2',
    'midm-2.0',
    'falcon_e',
    'jina-v5-nano',
  ),
  ...names({ patterns: [LLAMA3] }, 'dbrx', 'smaug-bpe', 'chatglm-bpe', 'glm4'),
  ...names(
    qwen2,
    'qwen2',
    'deepseek-r1-qwen',
    'stablelm2',
    'megrez',
    'hunyuan',
    'solar-open',
    'grok-2',
    'kormo',
    'f2llmv2',
  ),
  ...names(starcoder, 'starcoder', 'refact', 'command-r', 'smollm', 'codeshell', 'exaone', 'minerva-7b', 'mellum2'),
  [
    'tekken',
    { patterns: [`${CASED('')}|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`], wholeWords: true, addBos: true },
  ],
  ...names(
    { patterns: [`${CASED(`${CONTRACTIONS}?`)}|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`] },
    'gpt-4o',
    'llama4',
    'kanana2',
    'minimax-m2',
    'talkie',
  ),
  ['qwen35', {
    patterns: [
      `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${SPACES}`,
    ],
  }],
  ['deepseek-llm', {
    patterns: ['[\\r\\n]', `\\s?${LETTERS}+`, '\\s?[!-/:-~！-／：-～‘-‟　-。]+', '\\s+$', DEEPSEEK_CJK, '\\p{N}+'],
  }],
  ['deepseek-coder', { patterns: ['[\\r\\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', DEEPSEEK_CJK, '\\p{N}'] }],
  ...names(
    { patterns: ['\\p{N}{1,3}', '[一-龥぀-ゟ゠-ヿ]+', DEEPSEEK3] },
    'deepseek-v3',
    'hunyuan-dense',
    'joyai-llm',
  ),
  ...names({ patterns: [BLOOM] }, 'bloom', 'gpt3-finnish', 'poro-chat'),
  ['viking', { patterns: [BLOOM, '\\p{N}'] }],
  ['kimi-k2', { patterns: [KIMI] }],
  ...names(
    {
      patterns: [
        "'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" +
        '\\s*[\\r\\n]|\\s+(?!\\S)|\\s+',
      ],
    },
    'bailingmoe',
    'bailingmoe2',
    'llada-moe',
  ),
  ['exaone-moe', {
    patterns: [
      `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|` +
      '\\s*[\\r\\n]|\\s+(?!\\S)|\\s+',
    ],
  }],
  ['seed-coder', {
    patterns: [`${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|${SPACES}`],
  }],
]);

function names(way: PreTokenizer, ...which: string[]): [string, PreTokenizer][] {
  return which.map((name) => [name, way]);
}

/** Pieces of the vocabulary of Llama 3, which files of BitNet b1.58 2B4T have without saying so. */
const LLAMA3_PIECES = 128_256;

/**
 * The way of a `tokenizer.ggml.pre`, and what a user should know of the choice.
 * @param name undefined where the file has none
 * @param model its architecture, and how many pieces its vocabulary has
 */
export function preTokenizer(
  name: string | undefined,
  model: { readonly architecture?: string; readonly pieces: number },
): { readonly way: PreTokenizer; readonly notice?: string } {
  const known = TABLE.get(name ?? 'default');
  if (name === undefined && model.architecture?.startsWith('bitnet') && model.pieces === LLAMA3_PIECES) {
    return {
      way: llama3,
      notice: 'the file contains no tokenizer.ggml.pre; its vocabulary is that of Llama 3, whose pattern is used',
    };
  }
  if (known) return { way: known };
  return {
    way: TABLE.get('default') as PreTokenizer,
    notice:
      `tokenizer.ggml.pre "${
        name?.slice(0, 40)
      }" is not known; the default pattern is used, and text may be cut into ` +
      'other tokens than the model was trained on',
  };
}

/** The names of a way to cut text, the usual one first; none where GGUF has no name for it. */
export function preTokenizerNames(patterns: readonly string[], wholeWords: boolean): string[] {
  return [...TABLE].filter(([, way]) =>
    way.patterns.join('\n') === patterns.join('\n') && (way.wholeWords ?? false) === wholeWords
  ).map(([name]) => name);
}

/** A function that cuts a text into words by the patterns. */
export function splitter(patterns: readonly string[]): (text: string) => string[] {
  // JavaScript's \s has U+FEFF and lacks U+0085; the originals mean the Unicode property.
  const regexes = patterns.map((pattern) =>
    new RegExp(pattern.replaceAll('\\s', '\\p{White_Space}').replaceAll('\\S', '\\P{White_Space}'), 'gu')
  );
  const cut = (text: string): string[] =>
    regexes.reduce(
      (words, regex) => words.length === 1 ? split(words[0], regex) : words.flatMap((word) => split(word, regex)),
      [text],
    );
  return (text) => {
    try {
      return cut(text);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
    }
    // a host may give up on a run of millions, for want of memory; those of spaces say nothing more than thousands
    try {
      const words = withShortRuns(text, cut);
      if (words) return words;
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
    }
    throw new TokenizerError(
      'TEXT_TOO_LONG',
      'a run of text without a break exceeds what this host can match; encode it in parts',
    );
  };
}

/** Spaces that stay of a longer run. No pattern counts so many. */
const SHORT_RUN = 1024;

/**
 * Cuts a text in which long runs of spaces are short, and makes them long again: no pattern counts spaces, so a run is cut at its ends
 * alone, however long it is. Null where a run was cut within.
 */
export function withShortRuns(text: string, cut: (text: string) => string[]): string[] | null {
  let short = '';
  let from = 0;
  /** Where the middle of a run is in the short text, and what it lacks. */
  const runs: { readonly at: number; readonly lacks: number }[] = [];
  for (let start = text.indexOf(' '); start >= 0;) {
    let end = start + 1;
    while (text.charCodeAt(end) === 0x20) end++;
    if (end - start > SHORT_RUN) {
      short += text.slice(from, start + SHORT_RUN);
      runs.push({ at: short.length - SHORT_RUN / 2, lacks: end - start - SHORT_RUN });
      from = end;
    }
    start = text.indexOf(' ', end);
  }
  short += text.slice(from);
  let at = 0;
  let next = 0;
  const words: string[] = [];
  for (const word of cut(short)) {
    const end = at + word.length;
    let whole = word;
    while (next < runs.length && runs[next].at < end) {
      if (word.length < SHORT_RUN - 2) return null;
      const place = runs[next].at - at + (whole.length - word.length);
      whole = whole.slice(0, place) + ' '.repeat(runs[next].lacks) + whole.slice(place);
      next++;
    }
    words.push(whole);
    at = end;
  }
  return words;
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
