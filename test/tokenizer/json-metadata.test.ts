/** tokenizer.json as GGUF metadata: the same ids, or none. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { tokenizerJsonMetadata } from '../../src/tokenizer/json-metadata.ts';
import { openTokenizer, tokenizerFromMetadata } from '../../src/tokenizer/open.ts';
import { refuses } from '../refusal.ts';

type Json = Record<string, unknown>;

const test = suite('tokenizer.json to GGUF');

/** GPT-2's letters for bytes. */
function letters(): string[] {
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

const added = (id: number, content: string, special: boolean): Json => ({
  id,
  content,
  special,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
});

const MERGES = ['h e', 'l l', 'he ll', 'hell o', 'Ġ w', 'o r', 'Ġw or', '1 2', 'Ġ t'];
const LLAMA3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" +
  '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

/** A byte-level vocabulary whose words are cut by `pattern`. */
function byteLevel(pattern: string | null): Json {
  const pieces = [...letters(), ...MERGES.map((merge) => merge.replace(' ', ''))];
  const n = pieces.length;
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: pattern === null };
  return {
    version: '1.0',
    normalizer: null,
    pre_tokenizer: pattern === null ? byteLevel : {
      type: 'Sequence',
      pretokenizers: [{ type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false }, byteLevel],
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '<s>': { id: '<s>', ids: [n], tokens: ['<s>'] } },
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    added_tokens: [added(n, '<s>', true), added(n + 1, '</s>', true), added(n + 2, '<tool>', false)],
    model: { type: 'BPE', vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])), merges: MERGES },
  };
}

const CONFIG = { bos_token: '<s>', eos_token: '</s>', chat_template: '{{ messages[0].content }}' };

/** Both read texts of all kinds alike, with special tokens and without. */
function alike(json: Json, config: Json = CONFIG): Map<string, unknown> {
  const text = JSON.stringify(json);
  const entries = tokenizerJsonMetadata(text, 'tokenizer.json', config);
  if (typeof entries === 'string') throw new Error(entries);
  const [a, b] = [
    openTokenizer(text, 'tokenizer.json', { config: JSON.stringify(config) }),
    tokenizerFromMetadata(entries)!,
  ];
  for (const said of ['hello world', 'hello 12123 WORLD\n\n  the', "he'll <tool> say</s>", 'ĠĠ 😀 é', '']) {
    for (const special of [false, true]) assert.equal(b.encode(said, { special }), a.encode(said, { special }), said);
  }
  return entries;
}

test('byte-level vocabularies take the name of their pattern, merges, kinds of pieces, ends and template', () => {
  const entries = alike(byteLevel(LLAMA3));
  assert.is(entries.get('tokenizer.ggml.model'), 'gpt2');
  assert.is(entries.get('tokenizer.ggml.pre'), 'dbrx', 'the pattern of Llama 3, whose merges are not ignored');
  assert.is(entries.get('tokenizer.ggml.add_bos_token'), true);
  assert.is(entries.get('tokenizer.ggml.add_eos_token'), false);
  assert.is(entries.get('tokenizer.chat_template'), CONFIG.chat_template);
  assert.equal(entries.get('tokenizer.ggml.merges'), MERGES);
  const n = 256 + MERGES.length;
  assert.is(entries.get('tokenizer.ggml.bos_token_id'), n);
  assert.is(entries.get('tokenizer.ggml.eos_token_id'), n + 1);
  const types = entries.get('tokenizer.ggml.token_type') as number[];
  assert.equal(types.slice(n - 1), [1, 3, 3, 4], 'normal, control, control, user-defined');
  assert.is(alike(byteLevel(null)).get('tokenizer.ggml.pre'), 'gpt-2');
});

test('what GGUF has no name for is not written, with the reason', async () => {
  const odd = byteLevel('\\p{L}{1,2}|\\s+|[^\\s\\p{L}]+');
  assert.match(tokenizerJsonMetadata(JSON.stringify(odd), 'x', CONFIG) as string, /pre-tokenizer/);
  const replaces = { ...byteLevel(null), normalizer: { type: 'Replace', pattern: { String: 'W' }, content: 'V' } };
  assert.match(tokenizerJsonMetadata(JSON.stringify(replaces), 'x', CONFIG) as string, /would read ".*" otherwise/);
  const far = byteLevel(null);
  (far.added_tokens as Json[])[0].id = 2 ** 40;
  await refuses((async () => tokenizerJsonMetadata(JSON.stringify(far), 'x', CONFIG))(), 'TOKENIZER', 'id');
});

test('vocabularies of SentencePiece get scores in the order of their merges', () => {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
  const merges = ['h e', 'l l', 'he ll', 'hell o', '▁ hello', 'o r', '▁ w'];
  const pieces = [
    '<unk>',
    '<s>',
    '</s>',
    ...bytes,
    ...'▁abcdefghijklmnopqrstuvwxyz',
    ...merges.map((m) => m.replace(' ', '')),
  ];
  const json = {
    version: '1.0',
    added_tokens: [added(0, '<unk>', true), added(1, '<s>', true), added(2, '</s>', true)],
    normalizer: {
      type: 'Sequence',
      normalizers: [{ type: 'Prepend', prepend: '▁' }, { type: 'Replace', pattern: { String: ' ' }, content: '▁' }],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges,
    },
  };
  const entries = alike(json);
  assert.is(entries.get('tokenizer.ggml.model'), 'llama');
  assert.is(entries.get('tokenizer.ggml.add_space_prefix'), true);
  const types = entries.get('tokenizer.ggml.token_type') as number[];
  assert.equal(types.slice(0, 4), [2, 3, 3, 6]);
});

test('WordPiece is spelled as llama.cpp has it', () => {
  const pieces = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'hello', 'wor', '##ld', '##l', 'the', '!', ',', '.'];
  const json = {
    version: '1.0',
    added_tokens: [0, 1, 2, 3, 4].map((id) => added(id, pieces[id], true)),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
    },
  };
  const config = { cls_token: '[CLS]', sep_token: '[SEP]', unk_token: '[UNK]', pad_token: '[PAD]' };
  const entries = alike(json, config);
  assert.equal((entries.get('tokenizer.ggml.tokens') as string[]).slice(4, 9), ['[MASK]', '▁hello', '▁wor', 'ld', 'l']);
  assert.is(entries.get('tokenizer.ggml.cls_token_id'), 2);
  assert.is(entries.get('tokenizer.ggml.seperator_token_id'), 3);
});

test.run();
