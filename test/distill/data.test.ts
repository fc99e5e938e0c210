/** Texts as windows: what is measured on is never learnt from, and an order can be taken up again. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  concatenated,
  documentEnd,
  documentRule,
  documents,
  encodeDocuments,
  fixedWindows,
  splitHeldOut,
  Windows,
} from '../../src/distill/students/symboliclight/data.ts';
import { prepare } from '../../src/distill/students/symboliclight/prepare.ts';
import { trainSettings } from '../../src/distill/students/symboliclight/settings.ts';
import { refuses } from '../refusal.ts';
import { spmMetadata, tokenizerOf } from '../tokenizer/builders.ts';

const data = suite('distill data');

const LINES = Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join('');
const counted = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);

data('the end of a text is kept apart, cut where a line begins', () => {
  const { train, held } = splitHeldOut(LINES, 0.2);
  assert.is(train + held, LINES);
  assert.ok(held.startsWith('line ') && train.endsWith('\n'));
  assert.ok(Math.abs(held.length / LINES.length - 0.2) < 0.02);
  assert.equal(splitHeldOut(LINES, 0), { train: LINES, held: '' });
});

data('a text without lines is cut where the share says', () => {
  assert.equal(splitHeldOut('x'.repeat(1000), 0.25), { train: 'x'.repeat(750), held: 'x'.repeat(250) });
});

data('documents end at markers, at single line feeds, or not at all', () => {
  const text = ' one\n\nmore \n<|endoftext|>\ntwo<|endoftext|>\n';
  assert.is(documentRule(text), 'marker');
  assert.equal(documents(text, 'marker'), ['one\n\nmore', 'two']);
  assert.is(documentRule('one\ntwo'), 'whole');
  assert.equal(documents('a\n\nb\nc\n\n\nd\n', 'line'), ['a\n\nb', 'c\n\n\nd']);
  assert.equal(documents('a\nb\n', 'line'), ['a', 'b'], 'no blank lines: a document is a line');
  assert.equal(documents('a\n\nb\nc\nd\ne\n\nf\ng\n', 'line'), ['a\n\nb', 'c\nd', 'e\n\nf', 'g']);
  assert.equal(documents(' a\nb\n', 'whole'), [' a\nb\n']);
  assert.equal(documents('\n \n', 'whole'), []);
});

data('every document begins with bos', () => {
  const tokenizer = tokenizerOf(spmMetadata());
  const ids = encodeDocuments(tokenizer, ['hello', 'world']);
  assert.equal([...ids], [1, ...tokenizer.encode('hello'), 1, ...tokenizer.encode('world')]);
});

data('documents end with the bos of the next, or with eos', async () => {
  const tokenizer = tokenizerOf(spmMetadata());
  const ids = encodeDocuments(tokenizer, ['hello', 'world'], 2);
  assert.equal([...ids], [1, ...tokenizer.encode('hello'), 2, 1, ...tokenizer.encode('world'), 2]);
  assert.equal([documentEnd(tokenizer), documentEnd(tokenizer, 'eos')], [1, 2]);
  const bare = Object.assign(Object.create(tokenizer), { addBos: false, specials: { stop: [] } });
  assert.is(documentEnd(bare), undefined);
  await refuses((async () => documentEnd(bare, 'eos'))(), 'OPTION', 'eos');
});

data('a long text is tokenised in parts that end with lines', () => {
  const tokenizer = tokenizerOf(spmMetadata());
  const seen: string[] = [];
  const spy = {
    ...tokenizer,
    addBos: true,
    specials: tokenizer.specials,
    encode: (text: string) => (seen.push(text), [5]),
  };
  const text = `${'a'.repeat(400_000)}\n`.repeat(3);
  assert.equal([...encodeDocuments(spy, [text])], [1, 5, 5, 5]);
  assert.is(seen.join(''), text);
  assert.ok(seen.every((part) => part.endsWith('\n')));
  seen.length = 0;
  encodeDocuments(spy, ['b'.repeat(1_200_000)]);
  assert.is(seen.length, 3);
  assert.is(seen.join('').length, 1_200_000);
});

data('an epoch takes every window once, from another offset and in another order than the one before', () => {
  const ids = counted(103);
  const windows = new Windows(ids, 10, 7);
  const starts = (rows: Int32Array): number[] => Array.from({ length: rows.length / 11 }, (_, i) => rows[i * 11]);
  const epochs: number[][] = [];
  for (let e = 0; e < 3; e++) {
    const rows = windows.take(windows.perEpoch);
    for (let i = 0; i < rows.length; i++) assert.is(rows[i], rows[i - (i % 11)] + (i % 11));
    epochs.push(starts(rows));
  }
  for (const epoch of epochs) {
    const sorted = [...epoch].sort((a, b) => a - b);
    assert.ok(sorted.length >= 9 && sorted[0] < 10);
    sorted.forEach((start, i) => assert.is(start, sorted[0] + 10 * i));
    assert.not.equal(epoch, sorted);
  }
  assert.not.equal(epochs[0], epochs[1]);
});

data('bos takes the place of the first id of a window, and of no other', () => {
  const rows = new Windows(counted(50), 5, 1, 999).take(3);
  for (let i = 0; i < rows.length; i++) assert.is(rows[i] === 999, i % 6 === 0);
});

data('among several documents windows keep their first id, and some begin with a document', () => {
  const ids = counted(200).map((id) => (id % 37 === 0 ? 0 : id)); // a document at 0, 37, 74, 111, 148, 185
  const windows = new Windows(ids, 10, 1, 0);
  for (let epoch = 0; epoch < 3; epoch++) {
    const rows = windows.take(windows.perEpoch);
    const firsts = Array.from({ length: rows.length / 11 }, (_, i) => [rows[i * 11], rows[i * 11 + 1]]);
    const aligned = firsts.filter(([id]) => id === 0).map(([, next]) => next);
    for (const start of [1, 38, 75, 112, 149, 186]) assert.ok(aligned.includes(start), `a window at ${start - 1}`);
    const amid = firsts.map(([id]) => id).filter((id) => id !== 0).sort((a, b) => a - b);
    assert.ok(amid.length >= 16, `${amid.length} amid`);
    assert.is(new Set(amid).size, amid.length);
  }
  const short = counted(200).map((id) => (id % 4 === 0 ? 0 : id));
  assert.ok(new Windows(short, 10, 1, 0).perEpoch <= 2 * 20, 'no more than one for each stretch of the text');
});

data('a seed fixes the order, and a state goes on with it over the end of an epoch', () => {
  const make = (): Windows => new Windows(counted(203), 10, 3);
  const whole = make().take(60);
  const first = make();
  assert.equal(first.take(23), whole.subarray(0, 23 * 11));
  const state = JSON.parse(JSON.stringify(first.state())) as ReturnType<Windows['state']>;
  const second = new Windows(counted(203), 10, 99); // its own seed does not matter any more
  second.restore(state);
  assert.equal(second.take(37), whole.subarray(23 * 11));
  assert.not.equal(new Windows(counted(203), 10, 4).take(60), whole);
});

data('the state of another text or another length is refused', async () => {
  const state = new Windows(counted(203), 10, 3).state();
  const restore = async (windows: Windows, from: typeof state): Promise<void> => windows.restore(from);
  await refuses(restore(new Windows(counted(204), 10, 3), state), 'CHECKPOINT', 'another text');
  await refuses(restore(new Windows(counted(203), 100, 3), state), 'CHECKPOINT', 'windows of 10', '--seq');
  await refuses(restore(new Windows(counted(203), 10, 3), { ...state, taken: 99 }), 'CHECKPOINT', 'window 99');
});

data('a text that is too short is refused', async () => {
  const make = async (n: number): Promise<Windows> => new Windows(counted(n), 10, 1);
  await refuses(make(20), 'OPTION', '20 tokens', '21', '--seq');
  assert.is((await make(21)).perEpoch > 0, true);
});

data('windows to measure on do not overlap', () => {
  const rows = fixedWindows(counted(47), 10, 100, 99);
  assert.equal(rows.map((row) => [row[0], row[1], row[10]]), [[99, 1, 10], [99, 11, 20], [99, 21, 30], [99, 31, 40]]);
  assert.equal(fixedWindows(counted(47), 10, 100, 7).map((row) => row[0]), [0, 10, 20, 30], 'bos amid: documents');
  assert.is(fixedWindows(counted(47), 10, 2).length, 2);
});

data('what is held out does not occur in what is learnt from, text by text', () => {
  const tokenizer = tokenizerOf(spmMetadata());
  const texts = ['a'.repeat(900) + 'b'.repeat(100), 'c'.repeat(900) + 'e'.repeat(100)];
  const settings = trainSettings({ seq: 8, batch: 2, evalWindows: 4 });
  const made = prepare(tokenizer, { texts, holdout: 0.1 }, Int32Array.of(1, 5), settings);
  assert.is(made.heldText, `${'b'.repeat(100)}\n${'e'.repeat(100)}`);
  const learnt = new Set(made.windows.take(made.windows.perEpoch));
  for (const letter of 'be') for (const id of tokenizer.encode(letter).slice(-1)) assert.not(learnt.has(id), letter);
  for (const letter of 'ac') for (const id of tokenizer.encode(letter).slice(-1)) assert.ok(learnt.has(id), letter);
  assert.is(made.held.length, 4);
  const given = prepare(tokenizer, { texts, evalTexts: ['hello '.repeat(40)] }, new Int32Array(0), settings);
  assert.is(given.heldText, 'hello '.repeat(40));
  assert.ok(given.trainTokens > made.trainTokens - 2);
});

data('streams are joined in order', () => {
  assert.equal([...concatenated([[1, 2], Int32Array.of(3), []])], [1, 2, 3]);
});

data.run();
