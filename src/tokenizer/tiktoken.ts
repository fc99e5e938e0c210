/**
 * Files of tiktoken: one line for each piece, its bytes in base64 and its rank. The file says neither how text is cut into
 * words nor which special tokens there are; both are known for Llama 3.
 * @module
 */
import { MAX_PIECE_BYTES } from '../limits.ts';
import { PieceMerges } from './bpe.ts';
import { ByteLevelFamily, spellBytes } from './bytelevel.ts';
import { preTokenizer } from './pretokenize.ts';
import type { Tokenizer } from './tokenizer.ts';
import { checkVocabulary, CONTROL, NORMAL, refuse, withStops } from './vocabulary.ts';
import { VocabularyTokenizer } from './vocabulary-tokenizer.ts';

const LLAMA3_RANKS = 128_000;
const LLAMA3_SPECIALS = 256;

/** Whether text looks like a file of tiktoken. */
export function isTiktoken(text: string): boolean {
  return /^[A-Za-z0-9+/]+={0,2} \d+\r?(\n|$)/.test(text.slice(0, 4096));
}

/**
 * The tokenizer of Llama 3 from its ranks.
 * @throws {TokenizerError} `TOKENIZER` with the line that is wrong, or when the ranks are not those of Llama 3
 */
export function openTiktoken(text: string, name: string): Tokenizer {
  const pieces: string[] = [];
  let line = 0;
  for (let from = 0; from < text.length;) {
    let end = text.indexOf('\n', from);
    if (end === -1) end = text.length;
    line++;
    const [encoded, rank, ...rest] = text.slice(from, end).trim().split(' ');
    from = end + 1;
    if (encoded === '') continue;
    if (rest.length > 0 || rank !== String(pieces.length)) {
      refuse(name, `line ${line} should be base64 and the rank ${pieces.length}`);
    }
    if (pieces.length >= LLAMA3_RANKS) refuse(name, `more than the ${LLAMA3_RANKS} ranks of Llama 3`);
    pieces.push(spelled(encoded, line, name));
  }
  if (pieces.length !== LLAMA3_RANKS) {
    refuse(
      name,
      `${pieces.length} ranks; only Llama 3 with ${LLAMA3_RANKS} is supported in this format; open others as tokenizer.json`,
    );
  }
  const rank = Int32Array.from({ length: LLAMA3_RANKS + LLAMA3_SPECIALS }, (_, id) => id);
  pieces.push(...specials());
  const types = Uint8Array.from(pieces, (_, id) => (id < LLAMA3_RANKS ? NORMAL : CONTROL));
  const vocabulary = checkVocabulary(name, pieces, types);
  for (let byte = 0; byte < 256; byte++) {
    if (!vocabulary.ids.has(spellBytes(Uint8Array.of(byte)))) refuse(name, `the byte ${byte} has no rank`);
  }
  const { way: { patterns } } = preTokenizer('llama3', { pieces: 0 });
  const ranked = new Map([...vocabulary.ids].filter(([, id]) => id < LLAMA3_RANKS));
  const family = new ByteLevelFamily(vocabulary, new PieceMerges(pieces, ranked, rank), patterns, true, undefined);
  const bos = LLAMA3_RANKS;
  return new VocabularyTokenizer({
    vocabulary,
    family,
    specials: withStops(vocabulary, { bos, eos: bos + 1 }, []),
    prefix: [bos],
    suffix: [],
  });
}

function spelled(encoded: string, line: number, name: string): string {
  if (encoded.length > MAX_PIECE_BYTES * 2 || encoded.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) {
    refuse(name, `line ${line} does not begin with base64 of at most ${MAX_PIECE_BYTES} bytes`);
  }
  return spellBytes(Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0)));
}

/** The 256 special tokens of Llama 3, in their order. */
function specials(): string[] {
  const named = [
    '<|begin_of_text|>',
    '<|end_of_text|>',
    0,
    1,
    2,
    3,
    '<|start_header_id|>',
    '<|end_header_id|>',
    4,
    '<|eot_id|>',
  ];
  return Array.from({ length: LLAMA3_SPECIALS }, (_, i) => {
    const entry = i < named.length ? named[i] : i - 5;
    return typeof entry === 'string' ? entry : `<|reserved_special_token_${entry}|>`;
  });
}
