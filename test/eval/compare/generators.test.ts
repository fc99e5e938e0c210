/** Two generators over one text: against plain arithmetic, against llama.cpp's probabilities, and against themselves. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compare } from '../../../src/eval/compare/compare.ts';
import { localPair, pairedQuality, pairedWindows, sameVocabulary } from '../../../src/eval/compare/generators.ts';
import { partKey } from '../../../src/eval/compare/journal-lines.ts';
import { piecesOf } from '../../../src/eval/compare/pieces.ts';
import { distribution, divergence, largest, overlap, surprise } from '../../../src/eval/compare/rows.ts';
import { promptsOf } from '../../../src/eval/compare/samples.ts';
import { speedOf } from '../../../src/eval/compare/speed.ts';
import { perplexity } from '../../../src/eval/perplexity.ts';
import { open } from '../../../src/entries/index.ts';
import type { Model } from '../../../src/model/model.ts';
import { speakingModel } from '../../cli/cli.ts';
import { allLogits, bare, softmax } from '../../models.ts';
import { refuses } from '../../refusal.ts';
import { json, shared, sharedTest } from '../../shared.ts';

const generators = suite('comparing generators');
const TEXT = 'hello world, the quick brown fox. hello again! '.repeat(8);
const WINDOW = 16;

let a: Model;
let b: Model;
generators.before(async () => {
  a = await open(speakingModel({ seed: 1 }), { kv: 'f32' });
  b = await open(speakingModel({ seed: 2 }), { kv: 'f32' });
});
generators.after(() => {
  a.dispose();
  b.dispose();
});

const quick = { text: TEXT, contextLength: WINDOW, prompts: 1, tokens: 4, timed: 0 };
const near = (x: number, y: number, bound: number): void => assert.ok(Math.abs(x - y) <= bound, `${x}, expected ${y}`);

generators('rows: surprise, KL, the largest, what they have in common', () => {
  const p = distribution([1, 3, 2, 3, -50]);
  const q = distribution([0, 1, 5, 2, 3]);
  const [sp, sq] = [softmax(Float32Array.of(1, 3, 2, 3, -50)), softmax(Float32Array.of(0, 1, 5, 2, 3))];
  near(surprise(p, 2), -Math.log(sp[2]), 1e-12);
  near(divergence(p, q), sp.reduce((sum, x, i) => sum + x * Math.log(x / sq[i]), 0), 1e-12);
  assert.equal([p.best, q.best, largest(p), largest(q, 3)], [1, 2, [1, 3, 2, 0, 4], [2, 4, 3]]);
  assert.is(overlap(distribution([9, 8, 7, 6, 5, 0, 0, 0, 0, 0]), distribution([0, 0, 7, 6, 5, 4, 3, 0, 0, 0])), 3 / 5);
  assert.is(divergence(p, p), 0);
  // rows of different padding: only the entries that both have count
  near(divergence(distribution([1, 2, 9], 2), distribution([1, 2], 2)), 0, 0);
  assert.is(divergence(distribution([0, -Infinity]), distribution([0, 0])), Math.log(2));
});

generators('every figure is what plain arithmetic over whole logits gives', async () => {
  const windows = await pairedWindows(a.tokenizer, TEXT, localPair(a, b), { contextLength: WINDOW, chunks: 3 });
  const quality = pairedQuality(windows);
  const ids = [1, ...a.tokenizer.encode(TEXT)];
  const [nllA, nllB, kl]: [number[], number[], number[]] = [[], [], []];
  let [same, bytes] = [0, 0];
  for (let chunk = 0; chunk < 3; chunk++) {
    const own = [1, ...ids.slice(chunk * WINDOW + 1, (chunk + 1) * WINDOW)];
    const [rowsA, rowsB] = [await a.logits(own.slice(0, -1)), await b.logits(own.slice(0, -1))];
    for (let i = WINDOW / 2; i < WINDOW - 1; i++) {
      const [p, q] = [softmax(rowsA[i]), softmax(rowsB[i])];
      nllA.push(-Math.log(p[own[i + 1]]));
      nllB.push(-Math.log(q[own[i + 1]]));
      kl.push(p.reduce((sum, x, j) => sum + x * Math.log(x / q[j]), 0));
      if (p.indexOf(Math.max(...p)) === q.indexOf(Math.max(...q))) same++;
      bytes += a.tokenizer.pieceBytes(own[i + 1]).length;
    }
  }
  const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
  near(quality.perplexity.a, Math.exp(mean(nllA)), 1e-9);
  near(quality.perplexity.b, Math.exp(mean(nllB)), 1e-9);
  near(quality.perplexity.lnRatio, mean(nllB) - mean(nllA), 1e-12);
  near(quality.kl!.mean, mean(kl), 1e-12);
  near(quality.kl!.max, Math.max(...kl), 1e-12);
  assert.is(quality.sameTop1, same / kl.length);
  near(quality.bitsPerByte.a, mean(nllA) * nllA.length / Math.LN2 / bytes, 1e-12);
  near(quality.deltaP.mean, mean(nllA.map((x, i) => Math.exp(-nllB[i]) - Math.exp(-x))), 1e-14);
  assert.is(quality.kl!.histogram.reduce((sum, { count }) => sum + count, 0), kl.length);
  assert.equal([quality.perplexity.tokens, quality.windows.length], [kl.length, 3]);
  // and the perplexity of each is that of the command of this name
  near(quality.perplexity.a, (await perplexity(a, TEXT, { contextLength: WINDOW, chunks: 3 })).ppl, 1e-9);
});

generators('a model does not differ from itself at all', async () => {
  const result = await compare(a, a, quick);
  const { kl, sameTop1, top5Overlap, perplexity: pair, deltaP, texts, unavailable } = result;
  assert.equal([kl!.mean, kl!.max, kl!.min, kl!.error, sameTop1, top5Overlap], [0, 0, 0, 0, 1, 1]);
  assert.equal([pair.lnRatio, pair.error, deltaP!.rms, deltaP!.max], [0, 0, 0, 0]);
  assert.ok(texts.length === 2 && texts.every(({ firstDifference }) => firstDifference === null));
  assert.equal([unavailable, result.speed], [[], null]);
});

generators('quantised keys and values are told from exact ones, and never by much', async () => {
  const half = await open(speakingModel({ seed: 1 }), { kv: 'f16' });
  const { kl, sameTop1 } = await compare(a, half, quick);
  half.dispose();
  assert.ok(kl!.mean > 0 && kl!.mean < 1e-4, String(kl!.mean));
  assert.ok(sameTop1! > 0.9);
});

sharedTest(
  generators,
  "KL of f32 against q8_0 is llama.cpp's, over the tokens whose probabilities it gives and the rest",
  'conformance/llama/tiny-q8_0.gguf',
  async (file) => {
    type Answers = { cases: { ids: number[]; next: [number, number][][] }[] };
    const answers = (name: string): Answers => json<Answers>(shared(`conformance/llama/${name}.json`) as string);
    const [{ ids, next: before }] = answers('tiny-f32').cases;
    const [{ next: after }] = answers('tiny-q8_0').cases;
    const rows = async (path: string): Promise<Float32Array[]> => allLogits(await bare(path, { context: 64 }), ids);
    const [left, right] = [await rows(shared('conformance/llama/tiny-f32.gguf') as string), await rows(file)];
    let [theirs, ours] = [0, 0];
    ids.forEach((_, i) => {
      const [p, q] = [new Map(before[i]), new Map(after[i])];
      const both = [...p.keys()].filter((id) => q.has(id));
      const rest = (values: readonly number[]): number => Math.log(1 - values.reduce((sum, x) => sum + x, 0));
      const reference = divergence(
        distribution([...both.map((id) => Math.log(p.get(id)!)), rest(both.map((id) => p.get(id)!))]),
        distribution([...both.map((id) => Math.log(q.get(id)!)), rest(both.map((id) => q.get(id)!))]),
      );
      const [sp, sq] = [softmax(left[i]), softmax(right[i])];
      const found = divergence(
        distribution([...both.map((id) => Math.log(sp[id])), rest(both.map((id) => sp[id]))]),
        distribution([...both.map((id) => Math.log(sq[id])), rest(both.map((id) => sq[id]))]),
      );
      near(found, reference, 6e-4);
      theirs += reference;
      ours += found;
    });
    assert.ok(theirs > 0.03 && Math.abs(ours / theirs - 1) < 0.03, `${ours} of ${theirs}`);
  },
);

generators('of different vocabularies bits per byte are compared, and what is missing is said', async () => {
  const other = await open(speakingModel({ seed: 1 }), { kv: 'f32' });
  // the same pieces under another name
  const { tokenizer } = other;
  const renamed: typeof tokenizer = {
    kind: tokenizer.kind,
    vocabSize: tokenizer.vocabSize,
    specials: tokenizer.specials,
    addBos: tokenizer.addBos,
    encode: tokenizer.encode.bind(tokenizer),
    decode: tokenizer.decode.bind(tokenizer),
    pieceBytes: tokenizer.pieceBytes.bind(tokenizer),
    stream: tokenizer.stream.bind(tokenizer),
    piece: (id) => `x${tokenizer.piece(id)}`,
  };
  assert.ok(sameVocabulary(a.tokenizer, other.tokenizer) && !sameVocabulary(a.tokenizer, renamed));
  const strange = await open(speakingModel({ seed: 1 }), { kv: 'f32', tokenizer: renamed });
  const result = await compare(a, strange, quick);
  assert.equal([result.kl, result.sameTop1, result.perplexity.lnRatio, result.deltaP], [null, null, null, null]);
  assert.is(result.bitsPerByte.difference, 0); // as it is the same model
  assert.is(result.bitsPerByte.error, 0);
  for (const metric of ['kl', 'sameTop1', 'perplexity.lnRatio', 'deltaP', 'top5Overlap']) {
    assert.ok(result.unavailable.some((item) => item.metric === metric && item.reason.includes('vocabular')), metric);
  }
  const [left, right] = [await compare(a, strange, quick), await compare(b, strange, quick)];
  assert.ok(left.bitsPerByte.a !== right.bitsPerByte.a && right.bitsPerByte.error > 0);
  other.dispose();
  strange.dispose();
});

generators('pieces of a text lose nothing but white space, and cut no character in two', () => {
  const text = `${'abc '.repeat(50)}${'😀'.repeat(40)} end`;
  const pieces = piecesOf(text, 25);
  assert.is(pieces.join(''), text);
  assert.ok(pieces.every((piece) => piece.length <= 26 && !/\p{Surrogate}/u.test(piece)));
  assert.equal(piecesOf('  \n ', 2), []);
});

generators('prompts are beginnings of sentences of the text', () => {
  const prompts = promptsOf('One two three. Four five six! Seven eight nine? Ten.', 3);
  assert.is(prompts[0], 'One two three. Four five six! Seven eight nine?');
  assert.ok(prompts.slice(1).every((prompt) => /^(Four|Seven|Ten)/.test(prompt)), JSON.stringify(prompts));
});

generators('a run that was cut off continues after its last part, with the same result', async () => {
  const kept = new Map<string, string>();
  let puts = 0;
  const journal = (most: number) => ({
    get: (part: string, index: number): unknown => {
      const text = kept.get(partKey(part, index));
      return text === undefined ? undefined : JSON.parse(text);
    },
    put: (part: string, index: number, value: unknown): void => {
      if (puts++ >= most) throw new Error('killed');
      kept.set(partKey(part, index), JSON.stringify(value));
    },
  });
  const whole = await compare(a, b, quick);
  await compare(a, b, { ...quick, journal: journal(5) }).then(
    () => assert.unreachable(),
    (error) => assert.is(error.message, 'killed'),
  );
  assert.is(kept.size, 5);
  puts = 0;
  const again = await compare(a, b, { ...quick, journal: journal(Infinity) });
  assert.equal(again, whole);
  assert.ok(puts > 0);
  puts = 0;
  assert.equal(await compare(a, b, { ...quick, journal: journal(0) }), whole); // nothing is left to be done
});

generators('rounds are timed in turns; ratios are of rounds', async () => {
  const { speed, memory, spikes, energy } = await compare(a, b, { ...quick, chunks: 1, prompts: 0, timed: 3 });
  assert.equal([speed!.rounds, speed!.unit, speed!.decodeTps.ratios.length, speed!.joules], [
    3,
    'token',
    3,
    'not measured',
  ]);
  assert.ok(speed!.prefillTps!.a > 0 && speed!.p95Ms.a >= speed!.p50Ms.a && speed!.firstTokenMs!.b > 0);
  assert.ok(memory.weightsBytes.a! > 0 && memory.weightsBytes.a === memory.weightsBytes.b);
  assert.ok(spikes!.denseMacs.a! > 0 && spikes!.firingRate.a === null && energy!.compute.a! > 0);
  const turn = (ms: number, joules: number | null) => ({ promptTokens: 2, firstMs: 2 * ms, eachMs: [ms, ms], joules });
  const fixed = speedOf([{ a: turn(1, 4), b: turn(2, 8) }, { a: turn(1, 4), b: turn(4, 8) }], 'token');
  assert.equal([fixed.decodeTps.ratio, fixed.decodeTps.ratios, fixed.joules], [0.375, [0.5, 0.25], { a: 1, b: 2 }]);
  assert.is(speedOf([{ a: turn(1, null), b: turn(2, 8) }], 'token').joules, 'not measured');
});

generators('numbers out of range, short texts and aborts are refused', async () => {
  await refuses(compare(a, b, { ...quick, contextLength: 3 }), 'OPTION', 'contextLength', '3');
  await refuses(compare(a, b, { ...quick, chunks: 0 }), 'OPTION', 'chunks');
  await refuses(compare(a, b, { ...quick, timed: -1 }), 'OPTION', 'timed');
  await refuses(compare(a, b, { ...quick, text: 'hello' }), 'OPTION', 'tokens');
  await refuses(compare(a, b, {} as typeof quick), 'OPTION', 'text', 'task');
  const abort = new AbortController();
  const running = compare(a, b, { ...quick, signal: abort.signal, onProgress: () => abort.abort(new Error('enough')) });
  await running.then(() => assert.unreachable(), (error) => assert.is(error.message, 'enough'));
});

generators.run();
