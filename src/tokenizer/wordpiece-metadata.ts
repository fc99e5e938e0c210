/**
 * A vocab.txt of BERT as GGUF metadata: a piece for each line, spelled as it stands there.
 * @module
 */
import type { MetadataValue } from '../container/tensor.ts';
import type { Tokenizer } from './tokenizer.ts';
import { CONTROL, NORMAL, refuse, UNKNOWN } from './vocabulary.ts';

/** Whether a text is a vocab.txt: one of its lines is the unknown piece. */
export function isVocabTxt(text: string): boolean {
  return /(^|\n)\[UNK\]\r?(\n|$)/.test(text);
}

/**
 * The entries under `tokenizer.ggml`.
 * @param name what errors call the file
 * @throws {TokenizerError} `TOKENIZER` without the pieces that frame a text
 */
export function wordPieceMetadata(text: string, name: string): Map<string, MetadataValue> {
  const pieces = text.split(/\r?\n/);
  if (pieces.at(-1) === '') pieces.pop();
  const control = ['[CLS]', '[SEP]', '[PAD]', '[MASK]'];
  const [cls, sep, pad, mask] = control.map((piece) => pieces.lastIndexOf(piece));
  if (cls < 0 || sep < 0) refuse(name, 'the vocabulary lacks [CLS] or [SEP]');
  const types = pieces.map((piece) => piece === '[UNK]' ? UNKNOWN : control.includes(piece) ? CONTROL : NORMAL);
  const metadata = new Map<string, MetadataValue>([
    ['tokenizer.ggml.model', 'bert'],
    ['tokenizer.ggml.tokens', pieces],
    ['tokenizer.ggml.token_type', types],
    ['tokenizer.ggml.cls_token_id', cls],
    // spelled so in llama.cpp
    ['tokenizer.ggml.seperator_token_id', sep],
    ['tokenizer.ggml.eos_token_id', sep],
    ['tokenizer.ggml.unknown_token_id', pieces.lastIndexOf('[UNK]')],
    // a cased vocabulary tells itself: it has upper-case letters
    ['tokenizer.ggml.normalizer.lowercase', !pieces.includes('The') && !pieces.includes('A')],
  ]);
  if (pad >= 0) metadata.set('tokenizer.ggml.padding_token_id', pad);
  if (mask >= 0) metadata.set('tokenizer.ggml.mask_token_id', mask);
  return metadata;
}

/** Begins a word, where pieces that continue one have no mark. */
const BEGINS = '\u2581';

/**
 * The entries of a WordPiece tokenizer, spelled as llama.cpp has them: `▁the` begins a word, `ing` continues one.
 * @throws {TokenizerError} `TOKENIZER` without the pieces that frame a text
 */
export function markedMetadata(tokenizer: Tokenizer, segments: number): Map<string, MetadataValue> {
  const pieces = Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.piece(id));
  const metadata = wordPieceMetadata(pieces.join('\n'), 'the vocabulary');
  const types = metadata.get('tokenizer.ggml.token_type') as readonly number[];
  const spelled = (piece: string, id: number): string =>
    types[id] !== NORMAL ? piece : piece.startsWith('##') ? piece.slice(2) : BEGINS + piece;
  metadata.set('tokenizer.ggml.tokens', pieces.map(spelled));
  metadata.set('tokenizer.ggml.bos_token_id', metadata.get('tokenizer.ggml.cls_token_id') as number);
  metadata.set('tokenizer.ggml.token_type_count', segments);
  const [upper, lower] = ['A', 'a'].map((letter) => `${tokenizer.encode(letter)}`);
  metadata.set('tokenizer.ggml.normalizer.lowercase', upper === lower);
  return metadata;
}
