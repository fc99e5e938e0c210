/** tokenizer.json: the same vocabularies written in its form give the same ids, and hostile ones are refused. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TokenizerError } from '../../src/errors.ts';
import { openTokenizer } from '../../src/tokenizer/open.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { sharedTest } from '../shared.ts';
import { byteLevelMetadata, charsmap, spmMetadata, tokenizerOf } from './builders.ts';
import { ggufMetadata, vocabularyCases } from './metadata.ts';

const test = suite('tokenizer/json');

type Metadata = ReadonlyMap<string, unknown>;
const list = (metadata: Metadata, key: string): string[] => metadata.get(`tokenizer.ggml.${key}`) as string[];
const vocab = (tokens: readonly string[]): Record<string, number> =>
  Object.fromEntries(tokens.map((token, id) => [token, id]));

interface Added {
  id: number;
  content: string;
  special: boolean;
  lstrip?: boolean;
  rstrip?: boolean;
}

/** A byte-level vocabulary as GPT-2's tokenizer.json. */
function byteLevelJson(metadata: Metadata, added: Added[] = []): Record<string, unknown> {
  return {
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false },
    post_processor: { type: 'ByteLevel' },
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab: vocab(list(metadata, 'tokens')), merges: list(metadata, 'merges') },
  };
}

/** An SPM vocabulary as Llama 2's tokenizer.json: the merges are every way to make a piece of two. */
function llamaJson(metadata: Metadata): Record<string, unknown> {
  const tokens = list(metadata, 'tokens');
  const scores = metadata.get('tokenizer.ggml.scores') as number[];
  const types = metadata.get('tokenizer.ggml.token_type') as number[];
  const ids = new Map(tokens.flatMap((token, id) => (types[id] === 1 ? [[token, id] as const] : [])));
  const merges: [number, number, string, string][] = [];
  for (const [token, id] of ids) {
    for (let cut = 1; cut < token.length; cut++) {
      const [left, right] = [token.slice(0, cut), token.slice(cut)];
      if (ids.has(left) && ids.has(right)) merges.push([-scores[id], merges.length, left, right]);
    }
  }
  merges.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return {
    added_tokens: [
      { id: 0, content: '<unk>', special: true },
      { id: 1, content: '<s>', special: true },
      { id: 2, content: '</s>', special: true },
    ],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
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
      vocab: vocab(tokens),
      merges: merges.map(([, , a, b]) => [a, b]),
    },
  };
}

const open = (json: unknown, config?: unknown): Tokenizer =>
  openTokenizer(JSON.stringify(json), 'tokenizer.json', config === undefined ? {} : { config: JSON.stringify(config) });

function refused(json: unknown, pattern: RegExp): void {
  try {
    open(json);
  } catch (error) {
    assert.instance(error, TokenizerError);
    assert.match((error as Error).message, pattern);
    return;
  }
  assert.unreachable(`not refused: ${pattern}`);
}

const TEXTS = ['hello world', 'he  llo\n w', 'é😀中', '', ' ', 'a <s> b', '▁', 'hell-wello\t'];

test('a byte-level vocabulary gives the ids it gives as GGUF', () => {
  const metadata = byteLevelMetadata();
  const [json, gguf] = [open(byteLevelJson(metadata)), tokenizerOf(metadata)];
  for (const text of TEXTS) {
    assert.equal(json.encode(text), gguf.encode(text), text);
    assert.is(json.decode(json.encode(text)), text);
  }
});

test('a byte-fallback vocabulary gives the ids it gives as GGUF', () => {
  const metadata = spmMetadata();
  const [json, gguf] = [open(llamaJson(metadata)), tokenizerOf(metadata)];
  for (const text of TEXTS) {
    assert.equal(json.encode(text), gguf.encode(text), text);
    assert.equal(json.encode(text, { special: true })[0], 1);
    assert.is(json.decode(json.encode(text)), gguf.decode(gguf.encode(text)));
  }
  assert.is(json.specials.bos, 1);
  assert.is(json.addBos, true);
  assert.equal(json.specials.stop, [2]);
});

test('special tokens are text unless asked for; others are found always, and may take white space with them', () => {
  const metadata = byteLevelMetadata();
  const end = list(metadata, 'tokens').length - 1;
  const json = byteLevelJson(metadata, [
    { id: end, content: '<|end|>', special: true },
    { id: end + 1, content: '<tool>', special: false, lstrip: true, rstrip: true },
  ]);
  const tokenizer = open(json);
  assert.not.ok(tokenizer.encode('a<|end|>').includes(end));
  assert.equal(tokenizer.encode('a<|end|>', { special: true }).slice(-1), [end]);
  assert.equal(tokenizer.encode('a  <tool>  b').length, 3);
  assert.is(tokenizer.decode([end, end + 1]), '<tool>');
});

test('WordPiece with the cleaning of BERT', () => {
  const tokenizer = open({
    added_tokens: [
      { id: 1, content: '[CLS]', special: true },
      { id: 2, content: '[SEP]', special: true },
    ],
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', sep: ['[SEP]', 2], cls: ['[CLS]', 1] },
    decoder: { type: 'WordPiece', prefix: '##' },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      vocab: vocab(['[UNK]', '[CLS]', '[SEP]', 'cafe', '##s', '!', '\u{20000}']),
    },
  });
  assert.equal(tokenizer.encode('Cafés!\u{20000}\u{20000}', { special: true }), [1, 3, 4, 5, 6, 6, 2]);
  assert.is(tokenizer.decode([1, 3, 4, 3, 2]), 'cafes cafe');
});

test('Unigram with a compiled character map', () => {
  const tokenizer = open({
    added_tokens: [{ id: 0, content: '<unk>', special: true }],
    normalizer: {
      type: 'Sequence',
      normalizers: [{ type: 'Precompiled', precompiled_charsmap: btoa(String.fromCharCode(...charsmap())) }],
    },
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
    post_processor: null,
    decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
    model: {
      type: 'Unigram',
      unk_id: 0,
      vocab: [
        ['<unk>', 0],
        ['▁', -2],
        ['b', -3],
        ['▁b', -4],
      ],
    },
  });
  assert.equal(tokenizer.encode('A b'), [3, 3]);
  assert.is(tokenizer.decode([3, 3]), 'b b');
});

test('tokenizer_config.json names bos, eos and the chat template', () => {
  const metadata = byteLevelMetadata();
  const end = list(metadata, 'tokens').length - 1;
  const json = byteLevelJson(metadata, [{ id: end, content: '<|end|>', special: true }]);
  const tokenizer = open(json, {
    bos_token: { content: '<|end|>' },
    eos_token: '<|end|>',
    add_bos_token: true,
    chat_template: '{{ messages }}',
  });
  assert.equal(tokenizer.specials, { bos: end, eos: end, unk: undefined, pad: undefined, stop: [end] });
  assert.equal(tokenizer.encode('', { special: true }), [end]);
  assert.is(tokenizer.chatTemplate, '{{ messages }}');
});

test('what is malformed or not supported is refused', () => {
  const whole = byteLevelJson(byteLevelMetadata());
  const model = whole.model as Record<string, unknown>;
  assert.throws(() => openTokenizer('{"model":', 'tokenizer.json'), /not JSON/);
  refused({ ...whole, model: undefined }, /model is not an object/);
  refused({ ...whole, model: { ...model, type: 'Magic' } }, /"Magic" is not supported; BPE/);
  refused({ ...whole, model: { ...model, vocab: { a: -1 } } }, /has the id -1/);
  refused({ ...whole, model: { ...model, vocab: { a: 2 ** 30 } } }, /has the id 1073741824/);
  refused({ ...whole, model: { ...model, vocab: { a: 0, b: 0 } } }, /belongs to "a" and to "b"/);
  refused({ ...whole, model: { ...model, merges: [['h', 'zz']] } }, /merge 0 needs the piece "zz"/);
  refused({ ...whole, model: { ...model, end_of_word_suffix: 7 } }, /end_of_word_suffix of BPE is 7, expected a text/);
  refused({ ...whole, model: { ...model, dropout: 2 } }, /dropout is 2, expected a number from 0 to 1/);
  refused({ ...whole, added_tokens: [{ id: 'x' }] }, /added token 0 lacks/);
  refused({ ...whole, pre_tokenizer: { type: 'Mystery' } }, /the pre-tokenizer Mystery is not known/);
  refused({ ...whole, normalizer: { type: 'Mystery' } }, /the normaliser Mystery is not known/);
  refused({ ...whole, post_processor: { type: 'Mystery' } }, /the post-processor Mystery is not known/);
  refused({ ...whole, decoder: { type: 'Mystery' } }, /the decoder Mystery is not known/);
  const split = (step: object): unknown => ({ ...whole, pre_tokenizer: { type: 'Split', ...step } });
  refused(split({ behavior: 'Somehow', pattern: { String: 'a' } }), /behavior of Split is "Somehow"/);
  refused(
    split({ behavior: 'Contiguous', pattern: { Regex: '(a' } }),
    /the pattern \(a of Split cannot be used: a group/,
  );
  refused(split({ behavior: 'Contiguous', pattern: {} }), /not a String or Regex/);
  open(split({ behavior: 'Contiguous', pattern: { String: 'a' } }));
});

test('patterns end on any text, and the published ones cut as they should', () => {
  const whole = byteLevelJson(byteLevelMetadata());
  const split = (Regex: string): unknown => ({
    ...whole,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      ],
    },
  });
  // linear by what repetitions remember
  for (const pattern of ['(a+)+$', '(?:a*)*b', '([a-z]+){2,}x', '\\s+$', 'a+?b', '(?:a|b)+']) {
    open(split(pattern)).encode(`${'a'.repeat(5000)}!${' '.repeat(5000)}x`);
  }
  // beyond that the steps are counted
  for (const pattern of ['(?:a|aa)+$', '(?:(a)\\1?)*!!']) {
    const tokenizer = open(split(pattern));
    tokenizer.encode('aaa!');
    assert.throws(() => tokenizer.encode(`${'a'.repeat(3000)}!`), /TEXT_TOO_LONG.* take more than \d+ steps/);
  }
  const llama3 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  const tokenizer = open(split(llama3));
  const gguf = tokenizerOf(byteLevelMetadata(undefined, 'llama-bpe'));
  for (const text of [...TEXTS, "WE'LL 12345 \r\n\r\n x"]) assert.equal(tokenizer.encode(text), gguf.encode(text));
  refused(split('a'.repeat(20_000)), /at most 16384 characters/);
  refused(split('(?:ab){1000}'.repeat(100)), /more than 100000 instructions/);
});

/** A model of whole words, with the given parts around it. */
const wordsOf = (pieces: readonly string[], parts: object): Tokenizer =>
  open({ model: { type: 'WordLevel', unk_token: '?', vocab: vocab(['?', ...pieces]) }, ...parts });

test('every split behaviour, as the originals have them', () => {
  const cut = (step: object, text: string): string => {
    const pieces = [
      ...new Set(
        Array.from({ length: text.length }, (_, i) => i).flatMap((i) =>
          Array.from({ length: text.length - i }, (_, n) => text.slice(i, i + n + 1))
        ),
      ),
    ];
    const tokenizer = wordsOf(pieces, { pre_tokenizer: step });
    return tokenizer.encode(text).map((id) => tokenizer.piece(id)).join('|');
  };
  const split = (behavior: string, text: string, pattern: object = { Regex: '\\d' }, invert = false): string =>
    cut({ type: 'Split', pattern, behavior, invert }, text);
  assert.is(split('Removed', 'a12b'), 'a|b');
  assert.is(split('Isolated', 'a12b'), 'a|1|2|b');
  assert.is(split('MergedWithPrevious', 'a12b'), 'a1|2|b');
  assert.is(split('MergedWithNext', 'a12b'), 'a|1|2b');
  assert.is(split('Contiguous', 'a12b'), 'a|12|b');
  assert.is(split('Removed', 'a12b', { Regex: '\\d' }, true), '1|2');
  assert.is(split('Isolated', 'a.b', { String: '.' }), 'a|.|b');
  assert.is(cut({ type: 'Digits', individual_digits: false }, 'a½٣b'), 'a|½٣|b');
  assert.is(cut({ type: 'UnicodeScripts' }, 'abвгカな'), 'ab|вг|カな');
  assert.is(cut({ type: 'FixedLength', length: 2 }, 'abcde'), 'ab|cd|e');
  assert.is(cut({ type: 'CharDelimiterSplit', delimiter: '-' }, 'a--b'), 'a|b');
});

test('decoders give the texts of the originals, in streams as well', () => {
  const pieces = ['▁a', 'b', '<0xE4>', '<0xB8>', '<0xAD>', '##c', '.', 'd</w>', '<pad>', '|'];
  const says = (decoder: object | null, ...tokens: string[]): string => {
    const tokenizer = wordsOf(pieces, { decoder });
    const ids = tokens.map((token) => pieces.indexOf(token) + 1);
    const stream = tokenizer.stream();
    const text = tokenizer.decode(ids);
    assert.is(ids.map((id) => stream.push(id)).join('') + stream.flush(), text);
    return text;
  };
  const list = (...decoders: object[]): object => ({ type: 'Sequence', decoders });
  const replace = { type: 'Replace', pattern: { String: '▁' }, content: ' ' };
  assert.is(says(null, '▁a', 'b'), '▁a b');
  assert.is(says({ type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' }, '▁a', '▁a'), 'a a');
  assert.is(says({ type: 'WordPiece', prefix: '##', cleanup: true }, 'b', '##c', '.'), 'bc.');
  assert.is(says({ type: 'WordPiece', prefix: '##', cleanup: false }, 'b', '##c', '.'), 'bc .');
  assert.is(says({ type: 'BPEDecoder', suffix: '</w>' }, 'd</w>', 'd</w>'), 'd d');
  assert.is(
    says({ type: 'CTC', pad_token: '<pad>', word_delimiter_token: '|', cleanup: true }, 'b', 'b', '<pad>', 'b', '|'),
    'bb ',
  );
  const llama = list(replace, { type: 'ByteFallback' }, { type: 'Fuse' }, {
    type: 'Strip',
    content: ' ',
    start: 1,
    stop: 0,
  });
  assert.is(says(llama, '▁a', '<0xE4>', '<0xB8>', '<0xAD>', '▁a'), 'a中 a');
  assert.is(says(llama, '<0xE4>', '<0xB8>', 'b'), '\ufffd\ufffdb');
});

sharedTest(
  test,
  'GPT-2 as tokenizer.json gives the ids of llama.cpp',
  'tokenizers/ggml-vocab-gpt-2.gguf',
  async (path) => {
    const tokenizer = open(byteLevelJson(await ggufMetadata(path)));
    for (const { text, ids } of vocabularyCases(path)) assert.equal(tokenizer.encode(text), ids, JSON.stringify(text));
  },
);

sharedTest(
  test,
  'Llama 2 as tokenizer.json gives the ids of llama.cpp',
  'tokenizers/ggml-vocab-llama-spm.gguf',
  async (path) => {
    const tokenizer = open(llamaJson(await ggufMetadata(path)));
    for (const { text, ids } of vocabularyCases(path)) assert.equal(tokenizer.encode(text), ids, JSON.stringify(text));
  },
);

test.run();
