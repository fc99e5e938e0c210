/**
 * SentencePiece `.model` files: a protocol buffer of pieces, trainer and normaliser settings, read with bounds and turned
 * into the metadata that a GGUF file would carry for the same vocabulary.
 * @module
 */
import type { MetadataValue } from '../container/tensor.ts';
import { MAX_PIECE_BYTES, MAX_VOCAB } from '../limits.ts';
import { SENTENCEPIECE_KEY } from './spm.ts';
import { CONTROL, refuse } from './vocabulary.ts';

interface Field {
  readonly number: number;
  /** The integer of a varint, the bits of a 32-bit field, or the bytes of a length-delimited one. */
  readonly value: number | Uint8Array;
}

/** The fields of one message. Messages are only descended into on request, so that nesting costs nothing. */
function* fields(bytes: Uint8Array, name: string): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      if (at >= bytes.length) refuse(name, `a number at byte ${at} of a message does not end`);
      const byte = bytes[at++];
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    return refuse(name, `a number before byte ${at} of a message has more than 10 bytes`);
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    if (number === 0 || number > 0x1fffffff) refuse(name, `byte ${at} of a message has the field number ${number}`);
    const size = wire === 0 ? 0 : wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? varint() : -1;
    if (size === -1) refuse(name, `field ${number} has the wire type ${wire}, which no SentencePiece model uses`);
    if (size > bytes.length - at) refuse(name, `field ${number} needs ${size} bytes, ${bytes.length - at} are left`);
    if (wire === 0) {
      yield { number, value: varint() };
    } else {
      const value = bytes.subarray(at, at + size);
      at += size;
      yield { number, value: wire === 5 ? new DataView(value.buffer, value.byteOffset).getUint32(0, true) : value };
    }
  }
}

/** Whether bytes look like a SentencePiece model: their first field is a piece. */
export function isSentencePiece(bytes: Uint8Array): boolean {
  return bytes.length > 4 && bytes[0] === 0x0a && bytes[2] === 0x0a;
}

/**
 * The GGUF metadata of a SentencePiece model.
 * @param bytes a `.model` file
 * @throws {TokenizerError} `TOKENIZER` when it is malformed, or of a kind other than BPE and unigram
 */
export function sentencePieceMetadata(bytes: Uint8Array, name: string): Map<string, MetadataValue> {
  const tokens: string[] = [];
  const scores: number[] = [];
  const types: number[] = [];
  const trainer = new Map<number, number>();
  const normaliser = new Map<number, number | Uint8Array>();
  for (const { number, value } of fields(bytes, name)) {
    if (number > 3) continue;
    if (typeof value === 'number') refuse(name, `field ${number} is a number, a message was expected`);
    if (number === 1) {
      if (tokens.length >= MAX_VOCAB) refuse(name, `more than ${MAX_VOCAB} pieces`);
      const piece = readPiece(value, tokens.length, name);
      tokens.push(piece.text);
      scores.push(piece.score);
      types.push(piece.type);
    } else {
      for (const field of fields(value, name)) {
        if (number === 3) normaliser.set(field.number, field.value);
        else if (typeof field.value === 'number') trainer.set(field.number, field.value);
      }
    }
  }
  const kind = trainer.get(3) ?? 1;
  if (kind !== 1 && kind !== 2) refuse(name, `model type ${kind} is not supported; unigram (1) and BPE (2) are`);
  if (trainer.get(24)) refuse(name, 'white space as a suffix is not supported');
  const flag = (field: number): boolean => normaliser.get(field) !== 0;
  if (!flag(5)) refuse(name, 'unescaped white space is not supported');
  const metadata = new Map<string, MetadataValue>([
    ['tokenizer.ggml.model', kind === 2 ? 'llama' : 't5'],
    ['tokenizer.ggml.tokens', tokens],
    ['tokenizer.ggml.scores', scores],
    ['tokenizer.ggml.token_type', types],
    ['tokenizer.ggml.add_space_prefix', flag(3)],
    ['tokenizer.ggml.remove_extra_whitespaces', flag(4)],
    [SENTENCEPIECE_KEY, true],
  ]);
  const map = normaliser.get(2);
  if (map instanceof Uint8Array && map.length > 0) metadata.set('tokenizer.ggml.precompiled_charsmap', Array.from(map));
  const special = (key: string, field: number, usual: number): boolean => {
    // Ids are 32-bit and may be −1, which protocol buffers write as 2^64 − 1.
    const id = trainer.get(field) ?? usual;
    const there = id < tokens.length && (key === 'unknown' || types[id] === CONTROL);
    if (there) metadata.set(`tokenizer.ggml.${key}_token_id`, id);
    return there;
  };
  special('unknown', 40, 0);
  metadata.set('tokenizer.ggml.add_bos_token', special('bos', 41, 1));
  metadata.set('tokenizer.ggml.add_eos_token', false);
  special('eos', 42, 2);
  special('padding', 43, Infinity);
  return metadata;
}

function readPiece(bytes: Uint8Array, id: number, name: string): { text: string; score: number; type: number } {
  let text = '';
  let score = 0;
  let type = 1;
  for (const { number, value } of fields(bytes, name)) {
    if (number === 1) {
      if (!(value instanceof Uint8Array) || value.length > MAX_PIECE_BYTES) {
        refuse(name, `piece ${id} is not a text of at most ${MAX_PIECE_BYTES} bytes`);
      }
      try {
        text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
      } catch (cause) {
        if (!(cause instanceof TypeError)) throw cause;
        refuse(name, `piece ${id} is not UTF-8`);
      }
    } else if (number === 2 && typeof value === 'number') {
      score = new Float32Array(Uint32Array.of(value).buffer)[0];
    } else if (number === 3 && typeof value === 'number') {
      type = value;
    }
  }
  return { text, score, type };
}
