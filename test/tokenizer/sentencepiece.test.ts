/** SentencePiece model files and their character maps, whole and broken. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TokenizerError } from '../../src/errors.ts';
import { openTokenizer } from '../../src/tokenizer/open.ts';
import { charsmap, message, type Piece, sentencePieceModel, SPM_PIECES } from './builders.ts';

const test = suite('tokenizer/sentencepiece');

function refused(bytes: Uint8Array, pattern: RegExp): void {
  try {
    openTokenizer(bytes, 'a.model');
  } catch (error) {
    assert.instance(error, TokenizerError);
    assert.match((error as Error).message, pattern);
    assert.match((error as Error).message, /a\.model/);
    return;
  }
  assert.unreachable(`not refused: ${pattern}`);
}

const joined = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

test('a BPE model merges by its scores', () => {
  const tokenizer = openTokenizer(sentencePieceModel(), 'a.model');
  assert.is(tokenizer.kind, 'spm');
  assert.equal(
    tokenizer.encode('hello world').map((id) => tokenizer.piece(id)),
    ['▁hello', '▁world'],
  );
  assert.equal(tokenizer.encode('a', { special: true })[0], 1);
});

test('user-defined symbols are kept whole, and only the beginning of the text gets a space', () => {
  const symbol = SPM_PIECES.length;
  const tokenizer = openTokenizer(sentencePieceModel([...SPM_PIECES, ['<|user|>', 0, 4]]), 'a.model');
  const names = tokenizer.encode('<|user|>hello<|user|>').map((id) => tokenizer.piece(id));
  assert.equal(names, ['▁', '<|user|>', 'hel', 'lo', '<|user|>']);
  assert.equal(tokenizer.encode('<|user|>')[1], symbol);
});

test('control symbols in a text are text', () => {
  const tokenizer = openTokenizer(sentencePieceModel(), 'a.model');
  assert.not.ok(tokenizer.encode('<s>a</s>').some((id) => id === 1 || id === 2));
});

test('a unigram model takes the segmentation with the greatest sum', () => {
  const pieces: Piece[] = [
    ['<unk>', 0, 2],
    ['<s>', 0, 3],
    ['</s>', 0, 3],
    ['▁', -3, 1],
    ['a', -2, 1],
    ['b', -2.5, 1],
    ['ab', -3, 1],
    ['▁a', -3.5, 1],
    ['ba', -3.25, 1],
    ['aba', -6.5, 1],
  ];
  const tokenizer = openTokenizer(sentencePieceModel(pieces, [[3, 1]]), 'a.model');
  for (const text of ['a', 'ab', 'aba', 'abab', 'bbaab', 'abaabab']) {
    const best = segmentations(`▁${text}`).reduce((a, b) => (b.score > a.score ? b : a));
    assert.equal(tokenizer.encode(text), best.ids, text);
  }
  assert.equal(tokenizer.encode('xx'), [3, 0], 'a run of unknown characters is unknown once');
  function segmentations(text: string): { ids: number[]; score: number }[] {
    if (text === '') return [{ ids: [], score: 0 }];
    return pieces.flatMap(([piece, score, type], id) =>
      type === 1 && text.startsWith(piece)
        ? segmentations(text.slice(piece.length)).map((rest) => ({ ids: [id, ...rest.ids], score: score + rest.score }))
        : []
    );
  }
});

test('settings of the normaliser: dummy prefix and extra white space', () => {
  const open = (...settings: [number, number][]): ReturnType<typeof openTokenizer> =>
    openTokenizer(sentencePieceModel(SPM_PIECES, [[3, 2]], settings), 'a.model');
  const plain = open([4, 0]).encode('hello');
  assert.equal(open([4, 1]).encode('  hello  '), plain, 'extra white space goes');
  assert.equal(open().encode('  hello  '), plain, 'as is the default');
  assert.not.equal(open([3, 0], [4, 0]).encode('hello'), plain, 'no dummy prefix');
});

// case: T13
test('unknown fields are skipped, and a second trainer message adds to the first', () => {
  const more = message([9, 5], [77, 'text'], [12, { float: 1 }], [2, message([41, 2])]);
  assert.is(openTokenizer(joined(sentencePieceModel(), more), 'a.model').specials.bos, 2);
  const eight = Uint8Array.of(0x79, 1, 2, 3, 4, 5, 6, 7, 8);
  openTokenizer(joined(sentencePieceModel(), eight), 'a.model');
});

// case: T13
test('malformed messages are refused', () => {
  const whole = sentencePieceModel();
  refused(joined(whole, Uint8Array.of(0x48, ...new Array(11).fill(0x80))), /more than 10 bytes/);
  refused(joined(whole, Uint8Array.of(0x48, 0x80)), /does not end/);
  refused(joined(whole, Uint8Array.of(0x4a, 0x7f)), /needs 127 bytes, 0 are left/);
  refused(
    joined(whole, Uint8Array.of(0x4a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)),
    /bytes, 0 are left/,
  );
  for (const wire of [3, 4, 6, 7]) {
    refused(joined(whole, Uint8Array.of(0x48 | wire, 0)), new RegExp(`wire type ${wire}`));
  }
  refused(joined(whole, Uint8Array.of(0x00, 0)), /field number 0/);
  refused(joined(whole, message([1, 5])), /field 1 is a number/);
  refused(joined(whole, message([1, message([1, Uint8Array.of(0xff)], [3, 1])])), /is not UTF-8/);
  refused(joined(whole, message([1, message([1, 'x'.repeat(1025)])])), /at most 1024 bytes/);
  refused(joined(whole, message([1, message([1, 'x'], [2, { float: Number.NaN }])])), /score NaN/);
  refused(joined(whole, message([1, message([1, 'x'], [3, 9])])), /has type 9/);
  refused(sentencePieceModel(SPM_PIECES, [[3, 3]]), /model type 3/);
});

// case: T13
test('a message nested 100 000 deep costs nothing', () => {
  let nested: Uint8Array = Uint8Array.of();
  for (let i = 0; i < 20; i++) nested = message([9, nested]);
  const deep = new Uint8Array(200_000).fill(0x4a);
  openTokenizer(joined(sentencePieceModel(), nested), 'a.model');
  openTokenizer(joined(sentencePieceModel(), message([9, deep])), 'a.model');
});

test('a model cut anywhere is refused or opens, and never anything else', () => {
  const whole = sentencePieceModel(
    SPM_PIECES,
    [[3, 2]],
    [
      [2, charsmap()],
      [4, 0],
    ],
  );
  for (let end = 0; end < whole.length; end += 3) {
    try {
      openTokenizer(whole.subarray(0, end), 'a.model');
    } catch (error) {
      assert.instance(error, TokenizerError);
    }
  }
});

test('a character map replaces, and leaves user-defined symbols alone', () => {
  const open = (map: Uint8Array): ReturnType<typeof openTokenizer> =>
    openTokenizer(
      sentencePieceModel(
        [...SPM_PIECES, ['<A>', 0, 4]],
        [[3, 2]],
        [
          [2, map],
          [4, 0],
        ],
      ),
      'a.model',
    );
  const tokenizer = open(charsmap());
  assert.equal(tokenizer.encode('AaA'), tokenizer.encode('bab'));
  assert.equal(tokenizer.encode('<A>').slice(1), [SPM_PIECES.length]);
  assert.is(tokenizer.decode(tokenizer.encode('é A 😀')), 'é b 😀');
});

// case: T14
test('a broken character map is refused', () => {
  const model = (map: Uint8Array): Uint8Array =>
    sentencePieceModel(
      SPM_PIECES,
      [[3, 2]],
      [
        [2, map],
        [4, 0],
      ],
    );
  refused(model(charsmap({ 65: (0x3ff << 10) | 0x100 | 0x41 })), /out of range/);
  refused(model(charsmap({ 0: 0x7fffff << 10 })), /out of range/);
  refused(model(charsmap({ 64: 0x80000009 })), /names replacement 9 of 2 bytes/);
  refused(model(charsmap({}, 'b')), /does not end/);
  refused(model(Uint8Array.of(1, 2)), /character map has 2 bytes/);
  refused(model(charsmap().subarray(0, 500)), /states that its trie has 1024/);
});

// case: T14
test('a circle in a character map ends with the text', () => {
  const map = charsmap({ 65: (0x41 << 10) | 0x100 | 0x41 });
  const tokenizer = openTokenizer(
    sentencePieceModel(
      SPM_PIECES,
      [[3, 2]],
      [
        [2, map],
        [4, 0],
      ],
    ),
    'a.model',
  );
  assert.equal(tokenizer.encode('A'.repeat(1000)), tokenizer.encode('b'));
});

test.run();
