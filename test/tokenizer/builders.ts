/**
 * Small vocabularies, built in memory.
 * @module
 */
import type { MetadataValue } from '../../src/container/tensor.ts';
import { BYTE_CHARACTERS } from '../../src/tokenizer/bytelevel.ts';
import { tokenizerFromMetadata } from '../../src/tokenizer/open.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';

export type Metadata = Map<string, MetadataValue>;

/** A piece, its score and its type. */
export type Piece = readonly [text: string, score: number, type: number];

/** `<0x00>` … `<0xFF>`. */
export const BYTES: readonly Piece[] = Array.from({ length: 256 }, (_, byte) => [
  `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  0,
  6,
]);

/** Unknown 0, bos 1, eos 2, bytes 3 … 258, then `▁`, letters and a few words. */
export const SPM_PIECES: readonly Piece[] = [
  ['<unk>', 0, 2],
  ['<s>', 0, 3],
  ['</s>', 0, 3],
  ...BYTES,
  ...['▁', 'a', 'b', 'c', 'e', 'h', 'l', 'o', 'w', 'r', 'd', '<', 's', '>'].map(
    (text, i): Piece => [text, -100 - i, 1],
  ),
  ...['▁h', 'el', 'lo', 'hel', '▁hel', '▁hello', '▁w', 'or', 'ld', '▁wor', '▁world', 'ab', 'bc', '▁▁'].map(
    (text, i): Piece => [text, -i, 1],
  ),
];

/** Metadata of an SPM vocabulary. */
export function spmMetadata(
  pieces: readonly Piece[] = SPM_PIECES,
  more: readonly (readonly [string, MetadataValue])[] = [],
): Metadata {
  return new Map<string, MetadataValue>([
    ['tokenizer.ggml.model', 'llama'],
    ['tokenizer.ggml.tokens', pieces.map(([text]) => text)],
    ['tokenizer.ggml.scores', pieces.map(([, score]) => score)],
    ['tokenizer.ggml.token_type', pieces.map(([, , type]) => type)],
    ['tokenizer.ggml.bos_token_id', 1],
    ['tokenizer.ggml.eos_token_id', 2],
    ['tokenizer.ggml.unknown_token_id', 0],
    ...more.map(([key, value]): [string, MetadataValue] => [`tokenizer.ggml.${key}`, value]),
  ]);
}

/** Metadata of a byte-level vocabulary: 256 bytes, what the merges make, and `<|end|>`. */
export function byteLevelMetadata(merges: readonly string[] = ['h e', 'l l', 'he ll', 'Ġ w'], pre = 'gpt-2'): Metadata {
  const tokens = [...BYTE_CHARACTERS, ...new Set(merges.map((merge) => merge.replace(' ', ''))), '<|end|>'];
  return new Map<string, MetadataValue>([
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', pre],
    ['tokenizer.ggml.tokens', tokens],
    ['tokenizer.ggml.token_type', tokens.map((token) => (token === '<|end|>' ? 3 : 1))],
    ['tokenizer.ggml.merges', [...merges]],
    ['tokenizer.ggml.eos_token_id', tokens.length - 1],
  ]);
}

/** The tokenizer of metadata that has one. */
export function tokenizerOf(metadata: ReadonlyMap<string, MetadataValue>): Tokenizer {
  const tokenizer = tokenizerFromMetadata(metadata);
  if (tokenizer === null) throw new Error('no tokenizer in this metadata');
  return tokenizer;
}

type FieldValue = number | string | Uint8Array | { readonly float: number };

/** A protocol buffer message: `[field, value]`, a number as a varint, text and bytes with their length, a float as 32 bits. */
export function message(...fields: readonly (readonly [number, FieldValue])[]): Uint8Array {
  const out: number[] = [];
  const varint = (value: number): void => {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) out.push((rest % 128) | 0x80);
    out.push(rest);
  };
  for (const [field, value] of fields) {
    if (typeof value === 'number') {
      varint(field * 8);
      varint(value);
    } else if (typeof value === 'object' && 'float' in value) {
      varint(field * 8 + 5);
      out.push(...new Uint8Array(Float32Array.of(value.float).buffer));
    } else {
      const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
      varint(field * 8 + 2);
      varint(bytes.length);
      for (const byte of bytes) out.push(byte);
    }
  }
  return Uint8Array.from(out);
}

/** A SentencePiece model of these pieces. `trainer` and `normaliser` are added to the usual settings. */
export function sentencePieceModel(
  pieces: readonly Piece[] = SPM_PIECES,
  trainer: readonly (readonly [number, FieldValue])[] = [[3, 2]],
  normaliser: readonly (readonly [number, FieldValue])[] = [[4, 0]],
): Uint8Array {
  return message(
    ...pieces.map(([text, score, type]): [number, Uint8Array] => [
      1,
      message([1, text], [2, { float: score }], [3, type]),
    ]),
    [2, message(...trainer)],
    [3, message(...normaliser)],
  );
}

/** A compiled character map with one rule, `A` → `b`; some units may be others. */
export function charsmap(others: Readonly<Record<number, number>> = {}, texts = 'b\0'): Uint8Array {
  const units = new Uint32Array(256);
  units[0x41] = (1 << 10) | 0x100 | 0x41;
  units[0x40] = 0x80000000;
  for (const [at, unit] of Object.entries(others)) units[Number(at)] = unit;
  const strings = new TextEncoder().encode(texts);
  const blob = new Uint8Array(4 + 1024 + strings.length);
  new DataView(blob.buffer).setUint32(0, 1024, true);
  for (let i = 0; i < 256; i++) new DataView(blob.buffer).setUint32(4 + 4 * i, units[i], true);
  blob.set(strings, 4 + 1024);
  return blob;
}
