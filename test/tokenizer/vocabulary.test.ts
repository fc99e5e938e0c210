/** Vocabularies are untrusted input: what is accepted, what is refused, and what text can and cannot do. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { MetadataValue } from '../../src/container/tensor.ts';
import { TokenizerError } from '../../src/errors.ts';
import { MAX_PIECE_BYTES, MAX_TEXT_CHARS, MAX_VOCAB } from '../../src/limits.ts';
import { openTokenizer, tokenizerFromMetadata } from '../../src/tokenizer/open.ts';
import { byteLevelMetadata, type Metadata, type Piece, SPM_PIECES, spmMetadata, tokenizerOf } from './builders.ts';
import { preTokenizer } from '../../src/tokenizer/pretokenize.ts';

const test = suite('tokenizer/vocabulary');

function refused(run: () => unknown, pattern: RegExp): void {
  try {
    run();
  } catch (error) {
    assert.instance(error, TokenizerError);
    assert.match((error as Error).message, pattern);
    return;
  }
  assert.unreachable(`not refused: ${pattern}`);
}

function changed(metadata: Metadata, key: string, value: MetadataValue | undefined): Metadata {
  const copy = new Map(metadata);
  if (value === undefined) copy.delete(`tokenizer.ggml.${key}`);
  else copy.set(`tokenizer.ggml.${key}`, value);
  return copy;
}

const opens = (pieces: readonly Piece[]): void => void tokenizerOf(spmMetadata(pieces));

test('a file without a vocabulary has no tokenizer', () => {
  assert.is(tokenizerFromMetadata(new Map()), null);
});

test('a pre-tokenizer that is not known is a notice, and the default; a BitNet without one has that of Llama 3', () => {
  const text = "don't 1234 x_y";
  const usual = tokenizerOf(byteLevelMetadata());
  const mystery = tokenizerOf(changed(byteLevelMetadata(), 'pre', 'mystery'));
  assert.equal(mystery.encode(text), tokenizerOf(changed(byteLevelMetadata(), 'pre', 'default')).encode(text));
  assert.is(mystery.notices?.length, 1);
  assert.match(mystery.notices?.[0] ?? '', /"mystery" is not known; the default pattern/);
  assert.equal(usual.notices, []);
  const { way, notice } = preTokenizer(undefined, { architecture: 'bitnet-b1.58', pieces: 128_256 });
  assert.is(way, preTokenizer('llama-bpe', { pieces: 1 }).way);
  assert.match(notice ?? '', /Llama 3/);
  for (const model of [{ architecture: 'llama', pieces: 128_256 }, { architecture: 'bitnet', pieces: 32_000 }]) {
    assert.is(preTokenizer(undefined, model).way, preTokenizer('default', model).way);
    assert.is(preTokenizer(undefined, model).notice, undefined);
  }
});

test('a model that is not known is refused by name, with the known ones', () => {
  refused(() => tokenizerOf(changed(spmMetadata(), 'model', 'rwkv')), /"rwkv".*llama, gpt2, bert/);
  for (const pre of ['default', 'gpt-2', 'llama-bpe', 'falcon3', 'falcon', 'qwen2', 'tekken', 'gpt-4o', 'starcoder']) {
    assert.is(
      tokenizerOf(changed(byteLevelMetadata(), 'pre', pre)).decode(
        tokenizerOf(byteLevelMetadata()).encode('Hello, 123 w!'),
      ),
      'Hello, 123 w!',
    );
  }
});

// case: T15
test('SPM merges the best score first and the leftmost of equals', () => {
  const tokenizer = tokenizerOf(spmMetadata());
  const pieces = (text: string): string[] => tokenizer.encode(text).map((id) => tokenizer.piece(id));
  assert.equal(pieces('hello world'), ['▁hello', '▁world']);
  assert.equal(pieces('abc'), ['▁', 'ab', 'c']);
  const equal = SPM_PIECES.map(
    ([text, score, type]): Piece => [text, text === 'bc' || text === 'ab' ? -5 : score, type],
  );
  const tied = tokenizerOf(spmMetadata(equal));
  assert.equal(
    tied.encode('abc').map((id) => tied.piece(id)),
    ['▁', 'ab', 'c'],
  );
});

test('long words merge as short ones do', () => {
  for (
    const tokenizer of [
      tokenizerOf(spmMetadata()),
      tokenizerOf(byteLevelMetadata(['a b', 'b c', 'ab c', 'c a', 'abc a'])),
    ]
  ) {
    let seed = 7;
    for (let round = 0; round < 200; round++) {
      const text = Array.from({ length: 1 + (round % 90) }, () => {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        return 'abc'[(seed >>> 16) % 3];
      }).join('');
      assert.equal(tokenizer.encode(text), slowly(text, tokenizer), text);
    }
  }
  // Repeats the best merge over the whole word, by the definition.
  function slowly(
    text: string,
    tokenizer: { encode(text: string): number[]; piece(id: number): string; kind: string },
  ): number[] {
    const spm = tokenizer.kind === 'spm';
    const order = spm
      ? ['el', 'lo', 'hel', '▁h', 'or', 'ld', 'ab', 'bc']
        .sort((a, b) => score(b) - score(a))
        .map((piece) => [piece[0], piece.slice(1)])
      : ['a b', 'b c', 'ab c', 'c a', 'abc a'].map((merge) => merge.split(' '));
    const word = [...(spm ? `▁${text}` : text)];
    for (;;) {
      let best: [number, number] | null = null;
      order.forEach(([left, right], rank) => {
        const at = word.findIndex((piece, i) => piece === left && word[i + 1] === right);
        if (at !== -1 && best === null) best = [rank, at];
      });
      if (best === null) break;
      const [, at] = best as [number, number];
      word.splice(at, 2, word[at] + word[at + 1]);
    }
    const ids = new Map(
      Array.from({ length: 300 }, (_, id) => id).flatMap((id) => {
        try {
          return [[tokenizer.piece(id), id] as const];
        } catch {
          return [];
        }
      }),
    );
    return word.map((piece) => ids.get(piece) as number);
  }
  function score(piece: string): number {
    return (SPM_PIECES.find(([text]) => text === piece) as Piece)[1];
  }
});

// case: T9
test('bytes stand in for characters without a piece; where one lacks, the character is unknown, once for a run', () => {
  const tokenizer = tokenizerOf(spmMetadata());
  assert.equal(tokenizer.encode('é').slice(1), [3 + 0xc3, 3 + 0xa9]);
  assert.is(tokenizer.decode(tokenizer.encode('éü😀\0\x7f')), 'éü😀\0\x7f');
  const without = tokenizerOf(spmMetadata(SPM_PIECES.filter(([text]) => text !== '<0xA9>')));
  assert.equal(without.encode('ééé').slice(1), [0]);
  assert.is(without.encode('ü').length, 3);
});

// case: T9
test('byte pieces have exactly two upper-case hexadecimal digits', () => {
  for (const wrong of ['<0x-1>', '<0xZZ>', '<0x100>', '<0x0a>', '<0x1>', '0x41', '<0x41> ']) {
    refused(() => opens([...SPM_PIECES.slice(0, 3), [wrong, 0, 6]]), /piece 3 .* byte piece/);
    opens([...SPM_PIECES, [wrong, 0, 1]]);
  }
  refused(() => opens([...SPM_PIECES, ['<0x41>', 0, 6]]), /are both "<0x41>"/);
});

// case: T10
test('scores and types must be there for every piece, and finite', () => {
  const scores = SPM_PIECES.map(([, score]) => score);
  refused(() => tokenizerOf(changed(spmMetadata(), 'scores', scores.slice(1))), /scores for/);
  assert.ok(tokenizerOf(changed(spmMetadata(), 'scores', undefined)).encode('hello').length > 0); // all are equal
  refused(() => tokenizerOf(changed(spmMetadata(), 'scores', scores.with(5, Number.NaN))), /piece 5 has the score NaN/);
  refused(() => tokenizerOf(changed(spmMetadata(), 'token_type', [1, 2])), /token types for/);
  refused(
    () =>
      tokenizerOf(
        changed(
          spmMetadata(),
          'token_type',
          SPM_PIECES.map(() => 9),
        ),
      ),
    /piece 0 has type 9/,
  );
  tokenizerOf(changed(spmMetadata(), 'token_type', undefined));
});

// case: T10
test('merges name two pieces whose sum is a piece, each pair once', () => {
  refused(() => tokenizerOf(changed(byteLevelMetadata(), 'merges', ['h e', 'xyz a'])), /merge 1 needs the piece "xyz"/);
  refused(() => tokenizerOf(changed(byteLevelMetadata(), 'merges', ['h e', 'h h'])), /merge 1 needs the piece "hh"/);
  refused(() => tokenizerOf(changed(byteLevelMetadata(), 'merges', ['he'])), /merge 0 is not two pieces/);
  refused(() => tokenizerOf(changed(byteLevelMetadata(), 'merges', ['h '])), /merge 0 is not two pieces/);
  refused(() => tokenizerOf(changed(byteLevelMetadata(), 'merges', ['h e', 'h e'])), /merge 1 occurs twice/);
  refused(() => tokenizerOf(changed(byteLevelMetadata(), 'merges', undefined)), /merges is missing/);
});

// case: T11
test('pieces are bounded in number and length, empty ones are control pieces only', () => {
  opens([['<unk>', 0, 2]]);
  refused(() => opens([]), /0 pieces/);
  refused(() => tokenizerOf(changed(spmMetadata(), 'tokens', new Array(MAX_VOCAB + 1).fill('a'))), /1048577 pieces/);
  opens([...SPM_PIECES, ['x'.repeat(MAX_PIECE_BYTES), 0, 1]]);
  refused(() => opens([...SPM_PIECES, ['x'.repeat(MAX_PIECE_BYTES + 1), 0, 1]]), /1025 bytes/);
  refused(() => opens([...SPM_PIECES, ['中'.repeat(342), 0, 1]]), /1026 bytes/);
  opens([...SPM_PIECES, ['', 0, 3], ['', 0, 3]]);
  opens([...SPM_PIECES, ['', 0, 1]]); // of any type: no text becomes it
  refused(() => opens([...SPM_PIECES, ['ab', 0, 1]]), /are both "ab"/);
  refused(() => tokenizerOf(changed(spmMetadata(), 'tokens', 'text')), /tokens is missing/);
});

// case: D5
test('ids of specials that are out of range are taken as absent', () => {
  const tokenizer = tokenizerOf(changed(spmMetadata(), 'padding_token_id', 4294967295));
  assert.is(tokenizer.specials.pad, undefined);
  assert.equal(tokenizer.specials, { bos: 1, eos: 2, unk: 0, pad: undefined, stop: [2] });
});

// case: T7
test('a text beyond the limit is refused before any work', () => {
  const tokenizer = tokenizerOf(byteLevelMetadata());
  try {
    tokenizer.encode(' '.repeat(MAX_TEXT_CHARS + 1));
    assert.unreachable();
  } catch (error) {
    assert.is((error as TokenizerError).code, 'TEXT_TOO_LONG');
  }
  assert.ok(tokenizer.encode(' '.repeat(MAX_TEXT_CHARS)).length > 0);
});

test('an id outside the vocabulary is refused', () => {
  const tokenizer = tokenizerOf(spmMetadata());
  for (const id of [-1, SPM_PIECES.length, 0.5, Number.NaN]) {
    refused(() => tokenizer.decode([id]), /TOKEN: token .* its ids are 0 to/);
    refused(() => tokenizer.piece(id), /TOKEN/);
    refused(() => tokenizer.stream().push(id), /TOKEN/);
  }
});

// case: T4 T5
test('byte order marks, noncharacters and U+0000 are kept; lone surrogates become U+FFFD', () => {
  for (const tokenizer of [tokenizerOf(spmMetadata()), tokenizerOf(byteLevelMetadata())]) {
    for (const text of ['\ufeffa\ufeffb', '\uffff\ufdd0a', 'a\0b', '\u{10ffff}']) {
      assert.is(tokenizer.decode(tokenizer.encode(text)), text);
    }
    for (const text of ['a\ud800b', 'a\udc00b', '\udc00\ud800']) {
      assert.is(tokenizer.decode(tokenizer.encode(text)), text.replace(/[\ud800-\udfff]/g, '\ufffd'));
    }
  }
});

// case: T3
test('any bytes survive byte-level and byte-fallback decoding', () => {
  const spm = tokenizerOf(spmMetadata());
  const level = tokenizerOf(byteLevelMetadata());
  for (let byte = 0; byte < 256; byte++) {
    assert.equal(spm.pieceBytes(3 + byte), Uint8Array.of(byte));
    assert.equal(level.pieceBytes(byte), Uint8Array.of(byte));
  }
});

test('every code point comes back', () => {
  for (const tokenizer of [tokenizerOf(spmMetadata()), tokenizerOf(byteLevelMetadata())]) {
    for (let from = 0; from < 0x110000; from += 0x1000) {
      if (from >= 0xd800 && from < 0xe000) continue;
      let text = '';
      for (let point = from; point < from + 0x1000 && point < 0x110000; point++) {
        if ((point < 0xd800 || point > 0xdfff) && point !== 0x2581) text += String.fromCodePoint(point);
      }
      assert.ok(tokenizer.decode(tokenizer.encode(text)) === text, `from ${from.toString(16)}`);
    }
  }
});

// case: T12
test('special tokens in a text are text, unless they are asked for', () => {
  const tokenizer = tokenizerOf(byteLevelMetadata());
  const end = tokenizer.specials.eos as number;
  assert.not.ok(tokenizer.encode('a<|end|>b').includes(end));
  assert.is(tokenizer.decode(tokenizer.encode('a<|end|>b')), 'a<|end|>b');
  assert.equal(
    tokenizer.encode('a<|end|>b', { special: true }),
    [97 - 0, end, 98].map((id, i) => (i === 1 ? id : tokenizer.encode('ab'[i / 2])[0])),
  );
  for (const text of ['<|e\u200dnd|>', '＜|end|＞', '<|END|>']) {
    assert.not.ok(tokenizer.encode(text, { special: true }).includes(end));
  }
  const spm = tokenizerOf(spmMetadata());
  assert.not.ok(
    spm.encode('a</s><s>').some((id) => id === 1 || id === 2),
    'merging never makes a control piece',
  );
  assert.equal(spm.encode('a</s>', { special: true }).slice(-1), [2]);
  assert.is(spm.decode([1, ...spm.encode('a'), 2]), 'a');
  assert.is(spm.decode([1, ...spm.encode('a'), 2], { special: true }), '<s>a</s>');
});

test('user-defined pieces are found in any text, the longest at the leftmost place', () => {
  const pieces: Piece[] = [...SPM_PIECES, ['<a>', 0, 4], ['<a>b', 0, 4]];
  const [short, long] = [SPM_PIECES.length, SPM_PIECES.length + 1];
  const tokenizer = tokenizerOf(spmMetadata(pieces));
  assert.equal(tokenizer.encode('<a>'), [short]);
  assert.equal(tokenizer.encode('<a>bc').slice(0, 1), [long]);
  assert.ok(tokenizer.specials.stop.every((id) => id !== short));
});

test('white space: a space before the text unless the vocabulary says otherwise', () => {
  const plain = tokenizerOf(spmMetadata());
  assert.is(plain.piece(plain.encode('hello')[0]), '▁hello');
  assert.is(plain.decode(plain.encode(' hello')), ' hello');
  const bare = tokenizerOf(spmMetadata(SPM_PIECES, [['add_space_prefix', false]]));
  assert.is(bare.piece(bare.encode('hello')[0]), 'hel');
  assert.is(bare.decode(bare.encode(' hello')), ' hello');
  const squeezed = tokenizerOf(spmMetadata(SPM_PIECES, [['remove_extra_whitespaces', true]]));
  assert.equal(squeezed.encode('  hello   world  '), plain.encode('hello world'));
  assert.equal(squeezed.encode('   '), []);
  assert.equal(plain.encode(''), []);
});

// case: T18
test('a first piece loses the space that encoding put there, a later one does not', () => {
  const tokenizer = tokenizerOf(spmMetadata());
  const [hello, world] = tokenizer.encode('hello world');
  assert.is(tokenizer.decode([hello, world]), 'hello world');
  assert.is(tokenizer.decode([world]), 'world');
  assert.is(new TextDecoder().decode(tokenizer.pieceBytes(world)), ' world');
  const stream = tokenizer.stream({ continues: true });
  assert.is(stream.push(world), ' world');
});

test('stops are eos, named ends, and well-known pieces of any type, which become control pieces', () => {
  const pieces: Piece[] = [...SPM_PIECES, ['<|im_end|>', 0, 3], ['<|eot_id|>', 0, 1], ['<turn>', 0, 3]];
  const first = SPM_PIECES.length;
  const tokenizer = tokenizerOf(spmMetadata(pieces, [['eot_token_id', first + 2]]));
  assert.equal([...tokenizer.specials.stop], [2, first + 2, first + 1, first]);
  assert.not.ok(tokenizer.encode('<|eot_id|>').includes(first + 1), 'text does not become one');
  assert.ok(tokenizer.encode('<|eot_id|>', { special: true }).includes(first + 1));
});

test('bos and eos come as the vocabulary says', () => {
  const text = 'hello';
  const ids = tokenizerOf(spmMetadata()).encode(text);
  assert.equal(tokenizerOf(spmMetadata()).encode(text, { special: true }), [1, ...ids]);
  const both = tokenizerOf(
    spmMetadata(SPM_PIECES, [
      ['add_bos_token', false],
      ['add_eos_token', true],
    ]),
  );
  assert.equal(both.encode(text, { special: true }), [...ids, 2]);
  assert.is(both.addBos, false);
});

test('vocab.txt: words, marks, accents and unknown words', () => {
  const vocabulary = [
    '[PAD]',
    '[UNK]',
    '[CLS]',
    '[SEP]',
    '[MASK]',
    'cafe',
    'un',
    '##aff',
    '##able',
    ',',
    '!',
    '中',
    '文',
  ].join('\n');
  const tokenizer = openTokenizer(vocabulary, 'vocab.txt');
  assert.equal(tokenizer.encode('Café, unaffable!', { special: true }), [2, 5, 9, 6, 7, 8, 10, 3]);
  assert.equal(tokenizer.encode('中文 x'), [11, 12, 1]);
  assert.equal(tokenizer.encode('[MASK]', { special: true }), [2, 4, 3]);
  assert.is(tokenizer.decode([5, 6, 7, 8]), 'cafe unaffable');
  refused(() => openTokenizer('[UNK]\na\nb', 'vocab.txt'), /lacks \[CLS\] or \[SEP\]/);
});

test('a file that is no tokenizer is refused', () => {
  refused(() => openTokenizer('hello', 'x.txt'), /x\.txt: not a tokenizer\.json/);
  refused(() => openTokenizer(Uint8Array.of(0xff, 0xfe, 0), 'x.bin'), /neither a SentencePiece model nor UTF-8/);
  refused(() => openTokenizer('', 'empty'), /not a tokenizer/);
  refused(() => openTokenizer('IQ== 0\nIg== 1\n', 'small.tiktoken'), /2 ranks; only Llama 3/);
  refused(() => openTokenizer('IQ== 0\nIg== 2\n', 'small.tiktoken'), /line 2/);
});

test.run();
